// The choice of an image of the data that a run was fitted on.

import { ask } from "../../api.js";
import { button, make, number, select } from "../../controls.js";

/** Controls that hand an image, a flat list of levels, and its class to `take(values, label, named)`; `words` is a status. */
export function exampleChooser(run, take, words) {
  const { splits, classes } = run.about;
  const names = ["test", "valid", "train"].filter((name) => splits[name] > 0);
  if (names.length === 0) return make("div");
  const split = select("Images of", names.map((name) => [name, `${name} (${splits[name]})`]));
  const index = number("Number", { value: 1, min: 1 });

  async function load() {
    const last = splits[split.value];
    const chosen = Math.min(Math.round(index.value), last);
    index.value = chosen;
    words.say("Reading the data …");
    try {
      const found = await ask(run, "example", { split: split.value, index: chosen - 1 });
      const kind = found.label === null ? "" : ` (${classes[found.label] ?? found.label})`;
      take(found.x, found.label, `${split.value} image ${chosen}${kind}`);
    } catch (problem) {
      words.fail(problem.message);
    }
  }

  const next = button("Next", () => { index.value = (Math.round(index.value) % splits[split.value]) + 1; load(); }, { "aria-label": "Take the next image" });
  const element = make("div", { class: "row", role: "group", "aria-label": "An image of the data" }, split, index, button("Take it", load), next);
  element.load = load;
  return element;
}
