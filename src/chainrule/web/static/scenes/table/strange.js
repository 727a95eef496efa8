// The card that says which filled cells are strange, and what was expected in their place.

import { post } from "../../api.js";
import { button, download, make, said } from "../../controls.js";
import { short } from "../../plots.js";
import { commandWithFiles } from "../commands.js";
import { percent } from "./distribution.js";
import { asText } from "./rows.js";

const NAMES = ["column", "value", "expected", "low", "high", "tail"];

export function mountStrange(element, run, page, request, form) {
  const words = said(), command = commandWithFiles(), place = make("div", { class: "scroll", tabindex: 0, role: "region", "aria-label": "Cells" });
  let stop = new AbortController(), found = [];
  const save = button("Save as CSV", () => download("cells.csv", asText(NAMES, found.map((part) => NAMES.map((name) => part[name])))), { disabled: true });

  page.hear(run, "strange", () => {
    stop.abort();
    stop = new AbortController();
    words.say("Computing …");
    post(run, "strange", request(), (event) => {
      command.take(event);
      if (event.of) words.say(`Computing: ${event.done} of ${event.of} columns …`);
      if (!event.cells) return;
      found = event.cells;
      save.disabled = false;
      place.replaceChildren(tableOf(found, run.about.unusual));
      form.judge(Object.fromEntries(found.map((part) => [part.column, verdict(part, run.about.unusual)])));
      words.say(said_of(event, run.about.unusual));
    }, stop.signal).catch((problem) => words.fail(problem.message));
  });

  const go = button("Which cells are strange?", () => page.tell(run, "strange", null), { main: true });
  element.append(make("section", { class: "card wide", "aria-label": "Strange cells" }, make("h3", {}, "Strange cells, and what was expected"),
    make("div", { class: "row" }, go, save), words, place, command));
}

function said_of({ cells, effective_sample_size: size, log_p: log, exact, pvalue }, unusual) {
  const strange = cells.filter((part) => part.tail !== null && part.tail < unusual);
  const first = strange.length > 0 ? `Strangest: ${strange[0].column} is ${strange[0].value}, expected ${expected(strange[0])}. ` : "No cell is unusual given the others. ";
  const total = log === null ? "A value that training did not have is impossible: p = 0. "
    : `log p(filled cells) = ${exact ? "" : "about "}${log.toFixed(2)} nats${pvalue === null ? "" : `; ${percent(pvalue)} of rows held out are as strange`}. `;
  return first + total + (size === null ? "" : `Each filled cell is judged given the others by 2,048 completions; least effective sample size ${size.toFixed(0)}.`);
}

function expected({ expected: middle, low, high }) {
  return low === null ? middle : `about ${middle} (${low} to ${high})`;
}

function verdict(part, unusual) {
  const strange = part.tail !== null && part.tail < unusual;
  return { unusual: strange, words: `${strange ? "Unusual" : "Usual"} (p = ${short(part.tail ?? NaN)}); expected ${expected(part)}` };
}

function tableOf(cells, unusual) {
  const head = make("tr", {}, ...["Column", "Value", "Expected given the others", "Tail probability"].map((name) => make("th", { scope: "col" }, name)));
  const rows = cells.map((part) => make("tr", {}, make("th", { scope: "row" }, part.column), make("td", {}, part.value), make("td", {}, expected(part)),
    make("td", { class: part.tail !== null && part.tail < unusual ? "error number" : "number" }, short(part.tail ?? NaN))));
  return make("table", {}, make("thead", {}, head), make("tbody", {}, ...rows));
}
