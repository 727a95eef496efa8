// What the model expects at a place: the most probable symbols, as bars that can be chosen.

import { make } from "../../controls.js";
import { short } from "../../plots.js";
import { nameOf } from "./view.js";

/** The list; `.show(expected, symbol, words, markOf)` fills it, `.rows` are its symbols with p and how probably they are drawn, and `onChoose(symbol)` is called with the one that is clicked. */
export function expectedList(run, onChoose) {
  const title = make("p", { class: "said" }), rows = make("ol", { class: "expected" });
  const element = make("div", {}, title, rows);

  function row(symbol, p, drawn, own, mark) {
    const text = run.about.symbols[symbol];
    const known = symbol === run.about.unknown ? "unknown" : nameOf(text);
    const changed = differs(p, drawn);
    const bar = make("span", { class: "bar" }, make("span", { class: "p" }), changed ? make("span", { class: "q" }) : null);
    bar.firstChild.style.width = `${100 * p}%`;
    if (changed) bar.lastChild.style.width = `${100 * drawn}%`;
    const words = changed ? `${short(p)} → ${short(drawn)}` : short(p);
    return make("li", {}, make("button", {
      type: "button", class: own ? "own" : null, disabled: symbol === run.about.unknown, click: () => onChoose(symbol),
    }, make("span", { class: "hidden" }, `Put ${known}${own ? ", as it is" : ""}, probability `),
    make("span", { class: "mark", "aria-hidden": "true" }, symbol === run.about.unknown ? "new" : mark), bar, make("span", { class: "number" }, words)));
  }

  element.rows = [];
  element.show = (expected, symbol, words, markOf) => {
    title.textContent = words;
    element.rows = expected.symbols.map((each, i) => [run.about.symbols[each], expected.p[i], expected.drawn[i]]);
    rows.classList.toggle("changed", expected.symbols.some((_, i) => differs(expected.p[i], expected.drawn[i])));
    rows.replaceChildren(...expected.symbols.map((each, i) => row(each, expected.p[i], expected.drawn[i], each === symbol, markOf(each))));
  };
  element.clear = (words) => { title.textContent = words; element.rows = []; rows.replaceChildren(); };
  return element;
}

/** True if a symbol is drawn with another probability than p, by more than rounding. */
function differs(p, drawn) {
  return Math.abs(p - drawn) > 2e-3 * Math.max(p, drawn);
}
