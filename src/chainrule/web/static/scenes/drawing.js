// Controls of how the values of a sequence are drawn.

import { checkbox, make, number, select } from "../controls.js";

/** Seed, temperature, top-k, top-p, greedy and, where there are classes, the class; `.request` is their part of a request. */
export function drawingControls(run, onChange = () => {}) {
  const { classes } = run.about;
  const seed = number("Seed", { value: 0, min: 0, max: 2 ** 31, onChange });
  const temperature = number("Temperature", { value: 1, min: 0.05, max: 20, step: 0.05, onChange });
  const most = number("Top k", { value: "", min: 1, max: 2 ** 31, onChange });
  const mass = number("Top p", { value: "", min: 0.01, max: 1, step: 0.01, onChange });
  const greedy = checkbox("Greedy", { onChange });
  const label = classes.length ? select("Class", [["", "any"], ...classes.map((name, i) => [String(i), name])], { onChange }) : null;
  for (const each of [most, mass]) each.input.placeholder = "all";
  const element = make("div", { class: "row", role: "group", "aria-label": "How values are drawn" }, seed, temperature, most, mass, greedy, label);
  const orNull = (control) => (control.value === "" ? null : Number(control.value));
  Object.defineProperty(element, "request", {
    get: () => ({
      seed: Math.round(seed.value), temperature: temperature.value, greedy: greedy.value, top_p: orNull(mass),
      top_k: most.value === "" ? null : Math.round(most.value), label: label === null ? null : orNull(label),
    }),
    set: (given) => {
      seed.value = given.seed;
      temperature.value = given.temperature;
      greedy.value = given.greedy;
      most.value = given.top_k ?? "";
      mass.value = given.top_p ?? "";
      if (label !== null) label.value = given.label === null || given.label >= classes.length ? "" : String(given.label);
    },
  });
  element.again = () => { seed.value = Math.round(seed.value) + 1; };
  return element;
}
