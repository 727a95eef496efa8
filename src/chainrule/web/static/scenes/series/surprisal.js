// The card of surprisals: -log p(x_t | x_<t) of past values, the strangest, and what was expected in their place.

import { post } from "../../api.js";
import { button, commandLine, download, make, number, said } from "../../controls.js";
import { onColours, short } from "../../plots.js";
import { asText } from "../table/rows.js";
import { figure } from "./history.js";
import { drawSurprisal, placeAt } from "./picture.js";

const UNUSUAL = 0.05;

export function mountSurprisal(element, run, page, history) {
  const { about } = run;
  const words = said(), command = commandLine(), place = make("div", { class: "scroll", tabindex: 0, role: "region", "aria-label": "Explained values" }), canvas = make("canvas", { class: "drag" });
  const count = number("Strangest values", { value: 5, min: 1, max: 50 });
  const state = { series: 0, origin: 1, min: 0, max: 0, chosen: null, part: null, plot: null };
  const known = new Map();
  let stop = new AbortController(), parts = [];

  page.hear(run, "origin", async ({ series, origin, length }) => {
    state.series = Math.min(series, about.series.length - 1);
    state.min = Math.max(0, origin - Math.max(4 * length, 60));
    state.max = origin - 1 + length;  // the same places as in the picture of the forecast
    state.part = await history.around(state.series, state.min, state.max + 1);
    if (!known.has(state.series)) compute(state.series);
    draw();
  });

  /** Compute the surprisals of a series, once. */
  function compute(series) {
    const nats = [], missing = [];
    known.set(series, nats);
    post(run, "surprisal", { series }, (event) => {
      if (event.command) command.show(event.command);
      event.nats?.forEach((each, i) => { nats[event.first + i] = each; });
      if (event.missing) missing.push(...event.missing);
      if (event.nats && series === state.series) {
        draw();
        words.say(`${average(nats, missing)} Click on a value to see what was expected.`);
      }
    }, new AbortController().signal).catch((problem) => { known.delete(series); words.fail(problem.message); });
  }

  function draw() {
    if (state.part !== null) state.plot = drawSurprisal(canvas, { ...state, nats: known.get(state.series) ?? [], about });
  }

  function explain(request) {
    stop.abort();
    stop = new AbortController();
    words.say("Computing …");
    post(run, "explain", { series: state.series, ...request }, (event) => {
      if (event.command) command.show(event.command);
      if (!event.parts) return;
      ({ parts } = event);
      save.disabled = false;
      place.replaceChildren(tableOf(parts));
      const [first] = parts;
      words.say(`${first.time}: ${first.value}, expected about ${first.expected} (90 % from ${first.low} to ${first.high}); tail probability ${short(first.tail)}.`);
    }, stop.signal).catch((problem) => words.fail(problem.message));
  }

  /** The explained values; a click on one moves the origin there. */
  function tableOf(found) {
    const head = make("tr", {}, ...["Time", "Value", "Expected from the past", "Tail probability", "Origin"].map((name) => make("th", { scope: "col" }, name)));
    const rows = found.map((part) => make("tr", {}, make("th", { scope: "row" }, part.time), make("td", {}, part.value),
      make("td", {}, `about ${part.expected} (${part.low} to ${part.high})`),
      make("td", { class: part.tail < UNUSUAL ? "error number" : "number" }, short(part.tail)),
      make("td", {}, button("Forecast it", () => choose(part.place), { "aria-label": `Forecast it: ${part.time}` }))));
    return make("table", {}, make("thead", {}, head), make("tbody", {}, ...rows));
  }

  function choose(at) {
    state.chosen = at;
    page.tell(run, "forecast at", { series: state.series, place: at });
  }

  canvas.addEventListener("click", (event) => {
    if (state.plot === null) return;
    state.chosen = Math.min(Math.max(Math.round(placeAt(state.plot, event)), state.min), state.max, about.series[state.series].size - 1);
    draw();
    explain({ place: state.chosen });
  });
  new ResizeObserver(() => draw()).observe(element);
  onColours(element, draw);

  const strangest = button("The strangest values", () => explain({ count: Math.round(count.value) }), { main: true });
  const names = ["place", "time", "value", "expected", "low", "high", "tail"];
  const save = button("Save as CSV", () => download("strange.csv", asText(names, parts.map((part) => names.map((name) => part[name])))), { disabled: true });
  const saveAll = button("Save surprisals as CSV", () => download("surprisals.csv", asText(["number", "nats"], (known.get(state.series) ?? []).map((each, i) => [i + 1, each]))));
  element.append(make("section", { class: "card wide", "aria-label": "Surprisal" }, make("h3", {}, "How surprising past values were: −log p(value | values before)"),
    make("div", { class: "row" }, count, strangest, save, saveAll), words, canvas, place, command));
}

/** The mean of surprisals `nats`, and what those at the places `missing` are, in words. */
function average(nats, missing) {
  const mean = (some) => {
    const finite = some.filter((each) => each !== null);
    return figure(finite.reduce((sum, each) => sum + each, 0) / finite.length);
  };
  const count = nats.length.toLocaleString("en");
  if (missing.length === 0) return `${count} values, ${mean(nats)} nats a value on average.`;
  const gone = new Set(missing), apart = [false, true].map((which) => mean(nats.filter((_, place) => gone.has(place) === which)));
  return `${count} values, of which ${missing.length.toLocaleString("en")} ${missing.length === 1 ? "is" : "are"} missing, ${mean(nats)} nats a value on average: ${apart[0]} where there is one, `
    + `and ${apart[1]} where it is missing, which counts as −log of the probability that it is.`;
}
