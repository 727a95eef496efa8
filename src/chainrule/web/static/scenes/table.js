// The scene of tables: a row as a form, what its unknown cells may be, rows that fit, and cells that are strange.

import { ask, post } from "../api.js";
import { button, make, number, said, select } from "../controls.js";
import { commandWithFiles } from "./commands.js";
import { useStyle } from "./style.js";
import { Form } from "./table/form.js";
import { mountRows } from "./table/rows.js";
import { mountStrange } from "./table/strange.js";

await useStyle("/static/scenes/cells.css");

const PAUSE = 150;  // milliseconds after the last key before the distributions are computed

/** Show a run on a table in `element`. */
export function mount(element, run, page) {
  const words = said(), command = commandWithFiles();
  let stop = new AbortController(), timer = 0;
  const label = run.about.classes.length > 0
    ? select("Class", run.about.classes.map((name, i) => [String(i), name]), { onChange: tell }) : null;
  const form = new Form(run.about.columns, tell);

  function request() {
    return { cells: form.cells, ...(label === null ? {} : { label: Number(label.value) }) };
  }

  function tell() {
    clearTimeout(timer);
    timer = setTimeout(() => page.tell(run, "cells", form.cells), PAUSE);
  }

  page.hear(run, "cells", (cells, own) => {
    if (!own) form.fill(cells);
    distributions();
  });

  function distributions() {
    stop.abort();
    stop = new AbortController();
    form.wait();
    const filled = Object.keys(form.cells).length;
    words.say("Computing …");
    post(run, "distributions", request(), (event) => {
      command.take(event);
      if (event.notes) form.note(event.notes);
      if (event.waiting) words.say("Waiting for other pages …");
      if (event.columns) {
        form.show(event.columns, filled > 0);
        words.say(found(filled, run.about.columns.length, event));
      }
    }, stop.signal).catch((problem) => { form.note({}); words.fail(problem.message); });
  }

  const card = make("section", { class: "card wide", "aria-label": "Row" }, make("h3", {}, "A row: fill any cells, and see what the others may be"),
    exampleControls(run, form, words, label), words, form.element, command);
  element.append(card);
  mountRows(element, run, page, request);
  mountStrange(element, run, page, request, form);
  distributions();
}

/** How distributions were found, in words. */
function found(filled, columns, { method, exact, effective_sample_size: size, walks }) {
  if (filled === columns) return "All cells are filled.";
  if (filled === 0) return `Nothing is filled: each cell by itself; ${walks.toLocaleString("en")} samples.`;
  const given = `Given ${filled} filled ${filled === 1 ? "cell" : "cells"}`;
  const how = exact ? `${method}; ${walks.toLocaleString("en")} completions` : `${method}; effective sample size ${size.toFixed(0)} of ${walks.toLocaleString("en")}`;
  return `${given}; ${how}.`;
}

/** Controls that take a row of the data, or clear the form. */
function exampleControls(run, form, words, label) {
  const splits = Object.entries(run.about.splits).filter(([, count]) => count > 0).reverse();
  const clear = button("Clear all", () => form.change({}));
  if (splits.length === 0) return make("div", { class: "row" }, label, clear);
  const split = select("Rows of", splits.map(([name, count]) => [name, `${name} (${count.toLocaleString("en")})`]));
  const place = number("Row", { value: 1, min: 1 });
  const take = button("Take this row", async () => {
    try {
      const { cells } = await ask(run, "example", { split: split.value, index: place.value - 1 });
      form.change(cells);
    } catch (problem) { words.fail(problem.message); }
  });
  const any = button("Any row", () => {
    place.value = 1 + Math.floor(Math.random() * run.about.splits[split.value]);
    take.click();
  });
  return make("div", { class: "row" }, label, split, place, take, any, clear);
}
