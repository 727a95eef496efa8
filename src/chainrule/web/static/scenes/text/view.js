// A text, symbol by symbol, on colours that say how surprising each is.

import { make } from "../../controls.js";
import { short } from "../../plots.js";

const NAMES = { "\n": "line end", "\t": "tab", " ": "space", "\r": "carriage return", "\0": "end" };
const MARKS = { "\n": "↵", "\t": "⇥", " ": "␣", "\r": "␍", "\0": "␀" };

/** The most bits that have a colour of their own. */
export const MOST = 8;

/** A symbol in a word, for screen readers and files. */
export function nameOf(text) {
  return NAMES[text] ?? text;
}

/** A symbol that can be seen. */
export function markOf(text) {
  if (!/^\p{C}$/u.test(text)) return MARKS[text] ?? text;
  const point = text.codePointAt(0).toString(16);
  return MARKS[text] ?? (point.length > 2 ? `\\u${point.padStart(4, "0")}` : `\\x${point.padStart(2, "0")}`);
}

/** The number of a colour for a surprisal in nats, which is null where the symbol is impossible. */
function shade(nats) {
  return nats === null ? MOST : Math.min(Math.max(Math.round(nats / Math.LN2), 0), MOST);
}

/**
 * The text. `.show(symbols, place)` takes `[{text, nats, drawn, mark}, ...]`, `.choose(place)` moves the mark, and `onPlace(place)`
 * is called when a reader moves it: from 0 to the number of symbols, which is the place of the next one.
 */
export function textView(onPlace) {
  const end = make("span", { class: "symbol next", role: "option", "aria-label": "the next symbol" }, " ");
  const element = make("div", { class: "text", role: "listbox", tabindex: 0, "aria-label": "The text, symbol by symbol" }, end);
  const own = `symbol-${Math.random().toString(36).slice(2)}`;
  let spans = [], at = 0, chosen = end;

  function spanOf({ text, nats, drawn, mark }) {
    const bits = nats === null ? "impossible" : `${short(nats / Math.LN2)} bits`;
    const shown = mark ?? (text === "\n" ? "↵\n" : text === "\t" ? "⇥\t" : text === " " || text.length > 1 ? text : markOf(text));
    return make("span", { class: `symbol s${shade(nats)}${drawn ? " drawn" : ""}`, role: "option", title: bits, "aria-label": `${mark ?? nameOf(text)}, ${bits}` }, shown);
  }

  element.show = (symbols) => {
    const same = Math.min(spans.length, symbols.length);
    let first = 0;
    while (first < same && spans[first].symbol === symbols[first]) first += 1;
    for (const span of spans.splice(first)) span.remove();
    const fresh = symbols.slice(first).map((symbol) => Object.assign(spanOf(symbol), { symbol }));
    end.before(...fresh);
    spans.push(...fresh);
    element.choose(Math.min(at, spans.length));
  };
  element.choose = (place, visible = false) => {
    chosen.removeAttribute("aria-selected");
    chosen.removeAttribute("id");
    at = place;
    chosen = spans[at] ?? end;
    chosen.id = own;
    chosen.setAttribute("aria-selected", "true");
    if (visible) chosen.scrollIntoView({ block: "nearest" });
  };
  element.setAttribute("aria-activedescendant", own);
  element.addEventListener("click", (event) => {
    const span = event.target.closest(".symbol");
    if (span !== null) onPlace(span === end ? spans.length : spans.indexOf(span));
  });
  element.addEventListener("keydown", (event) => {
    const to = { ArrowLeft: at - 1, ArrowRight: at + 1, Home: 0, End: spans.length }[event.key];
    if (to === undefined) return;
    event.preventDefault();
    onPlace(Math.min(Math.max(to, 0), spans.length));
  });
  element.choose(0);
  return element;
}

/** The scale of the colours. */
export function textScale() {
  const steps = Array.from({ length: MOST + 1 }, (_, bits) => make("span", { class: `symbol s${bits}` }, bits === MOST ? `${bits}+` : String(bits)));
  return make("p", { class: "hint scale" }, "Surprisal in bits: ", ...steps, " drawn symbols are ", make("span", { class: "drawn" }, "underlined"));
}
