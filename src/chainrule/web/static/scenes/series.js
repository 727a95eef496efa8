// The scene of series: history and forecast from any origin, and how surprising past values were.

import { commandLine, make } from "../controls.js";
import { useStyle } from "./style.js";
import { mountForecast } from "./series/forecast.js";
import { History } from "./series/history.js";
import { mountSurprisal } from "./series/surprisal.js";

await useStyle("/static/scenes/cells.css");

/** Show a run on a series in `element`. */
export function mount(element, run, page) {
  const { about } = run;
  if (about.problem !== null) {
    element.append(make("section", { class: "card" }, make("p", { class: "error", role: "alert" }, about.problem)));
    return;
  }
  const history = new History(run);
  const begin = mountForecast(element, run, page, history);
  mountSurprisal(element, run, page, history);
  if (about.others.length > 0) mountOthers(element, about);
  begin();
}

/** The commands that fit runs to other columns of the file. */
function mountOthers(element, { column, others }) {
  const commands = others.map(({ command }) => {
    const line = commandLine();
    line.show(command);
    return line;
  });
  element.append(make("section", { class: "card wide", "aria-label": "Other columns" }, make("h3", {}, "Other columns"),
    make("p", { class: "hint" }, `This run is on ${column}. A run on another column of the file is one command away; name both after chainrule show to see them side by side.`),
    make("details", {}, make("summary", {}, `${others.length} ${others.length === 1 ? "column" : "columns"} of numbers: ${others.map((each) => each.name).join(", ")}`), ...commands)));
}
