// The card on which whole rows are drawn that have the filled cells.

import { post } from "../../api.js";
import { button, download, make, number, said } from "../../controls.js";
import { commandWithFiles } from "../commands.js";

export function mountRows(element, run, page, request) {
  const count = number("Rows", { value: 10, min: 1, max: run.about.most_rows });
  const seed = number("Seed", { value: 0, min: 0 });
  const words = said(), command = commandWithFiles(), place = make("div", { class: "scroll", tabindex: 0, role: "region", "aria-label": "Rows" });
  let stop = new AbortController(), drawn = null;
  const save = button("Save as CSV", () => download("rows.csv", asText(drawn.names, drawn.rows)), { disabled: true });

  page.hear(run, "rows", (asked) => {
    stop.abort();
    stop = new AbortController();
    count.value = asked.count;
    seed.value = asked.seed;
    words.say("Drawing …");
    const { cells } = request();
    post(run, "rows", { ...request(), ...asked }, (event) => {
      command.take(event);
      if (!event.rows) return;
      drawn = event;
      save.disabled = false;
      place.replaceChildren(tableOf(event, cells));
      const size = event.exact ? "" : `; effective sample size ${event.effective_sample_size.toFixed(0)}`;
      words.say(`${event.rows.length} rows; ${event.method}${size}.`);
    }, stop.signal).catch((problem) => words.fail(problem.message));
  });

  const ask = () => page.tell(run, "rows", { count: Math.round(count.value), seed: Math.round(seed.value) });
  const go = button("Draw rows that fit", ask, { main: true });
  const others = button("Other rows", () => { seed.value += 1; ask(); });
  element.append(make("section", { class: "card wide", "aria-label": "Rows that fit" }, make("h3", {}, "Whole rows that have the filled cells"),
    make("div", { class: "row" }, count, seed, go, others, save), words, place, command));
}

/** Rows as a table, in which the cells that were given stand out. */
function tableOf({ names, rows }, cells) {
  const head = make("tr", {}, ...names.map((name) => make("th", { scope: "col" }, name)));
  const cell = (text, i) => make("td", { class: names[i] in cells ? "given" : null }, text);
  return make("table", {}, make("thead", {}, head), make("tbody", {}, ...rows.map((row) => make("tr", {}, ...row.map(cell)))));
}

/** Rows as the text of a CSV file. */
export function asText(names, rows) {
  const quoted = (text) => (/[",\n\r]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text);
  return [names, ...rows].map((row) => row.map((text) => quoted(String(text ?? ""))).join(",")).join("\n") + "\n";
}
