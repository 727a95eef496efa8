// The scene of text: a prompt that goes on symbol by symbol, and what was expected at every place.

import { ask, post } from "../api.js";
import { button, commandLine, download, make, number, player, said } from "../controls.js";
import { short } from "../plots.js";
import { drawingControls } from "./drawing.js";
import { csv, fileDrop, toBase64 } from "./files.js";
import { expectedList } from "./text/expected.js";
import { markOf, nameOf, textScale, textView } from "./text/view.js";

const TYPING = 200;

/** Show a run on text in `element`. */
export function mount(element, run, page) {
  const { unit, symbols: names } = run.about;
  const prompt = make("textarea", { rows: 3, spellcheck: "false", maxlength: run.about.longest, input: () => page.tell(run, "prompt", { text: prompt.value }) });
  const words = said(), sums = make("p", { class: "hint" }), readCommand = commandLine(), command = commandLine();
  const drawing = drawingControls(run, () => page.tell(run, "drawing", drawing.request));
  const length = number(`${capital(unit)}s to draw`, { value: Math.min(300, run.about.most), min: 1, max: run.about.most });
  const stopAt = make("input", { type: "text", size: 6, maxlength: 100, autocomplete: "off" });
  const playback = player({ unit, speed: 32, show: shownUpTo });
  const view = textView((place) => page.tell(run, "place", place));
  const expected = expectedList(run, (symbol) => tellGrow(place, symbol));
  const state = { known: [], grown: [], shown: 0, next: null, history: [] };
  let place = 0, follow = true, reading = new AbortController(), growing = new AbortController(), asking = new AbortController(), timer = 0, pending = null;

  /** Read the prompt: its symbols, their surprisals, and what comes next. */
  async function read(request) {
    pending = null;
    reading.abort();
    reading = new AbortController();
    const { signal } = reading;
    const found = [];
    try {
      await post(run, "read", { ...drawing.request, ...request }, (event) => {
        if (event.command) readCommand.show(event.command);
        if (event.waiting) words.say("Waiting for other pages …");
        if (event.read) event.read.symbols.forEach((symbol, i) => found.push({ symbol, text: event.read.texts[i], nats: event.read.nats[i] }));
        if (event.total) {
          begin(found);
          if (request.file) prompt.value = textOf(found);
          words.say([event.total.cut ? `The first ${event.total.count.toLocaleString("en")} ${unit}s of the file.` : "", event.total.note].join(" ").trim());
        }
        if (event.next) { state.next = event.next; choose(place); }
      }, signal);
    } catch (problem) {
      words.fail(problem.message);
    }
  }

  /** Start from the symbols `known`, with nothing drawn after them. */
  function begin(known) {
    Object.assign(state, { known, grown: [], shown: 0, next: null });
    follow = true;
    playback.reset();
    place = known.length;
    draw();
    expected.clear("");
  }

  function typed(text) {
    stop();
    soon(() => read({ text }));
  }

  /** Read in a while, or at once where something needs it. */
  function soon(reader) {
    clearTimeout(timer);
    pending = reader;
    timer = setTimeout(() => pending?.(), TYPING);
  }

  /** Draw the symbols after `known`, which are on the page. */
  async function grow(request) {
    stop();
    growing = new AbortController();
    const { signal } = growing;
    clearTimeout(timer);
    if (pending !== null) await pending();
    if (signal.aborted) return;
    state.grown = [];
    follow = true;
    words.say("Drawing …");
    playback.reset();
    playback.play();
    const { stop: ending, ...more } = request;
    try {
      await post(run, "grow", { ...more, symbols: state.known.map((each) => each.symbol), stop: ending }, (event) => {
        if (event.command) command.show(event.command);
        if (event.waiting) words.say("Waiting for other pages …");
        for (const step of event.grown ?? []) state.grown.push({ ...step, text: names[step.symbol], drawn: true });
        if (event.ended) ended(event.ended, event.stop);
        playback.length = state.grown.length;
      }, signal);
    } catch (problem) {
      playback.pause();
      words.fail(problem.message);
    }
    if (growing.signal === signal) playback.finish();
  }

  function ended(why, stop) {
    if (why === "stop") state.grown.splice(-stop);
    playback.length = state.grown.length;
    if (state.shown > state.grown.length) playback.go(state.grown.length);
    const count = `${state.grown.length} ${unit}${state.grown.length === 1 ? "" : "s"} drawn`;
    words.say({ end: `${count}: the ${run.about.document} ended.`, stop: `${count}, up to the text that stops.`, length: `${count}.` }[why]);
  }

  function stop() {
    growing.abort();
    playback.pause();
  }

  function shownUpTo(t) {
    state.shown = t;
    if (follow) place = state.known.length + Math.max(t - 1, 0);
    draw();
    if (follow && t > 0) choose(place);
  }

  const shown = () => [...state.known, ...state.grown.slice(0, state.shown)];

  function draw() {
    view.show(shown());
    view.choose(place, follow);
    const mean = (some) => `${some.length} ${unit}${some.length === 1 ? "" : "s"}, ${short(some.reduce((sum, each) => sum + (each.nats ?? Infinity), 0) / Math.LN2 / some.length)} bits each`;
    const parts = [["Prompt", state.known], ["drawn", state.grown.slice(0, state.shown)]].filter(([, some]) => some.length);
    sums.textContent = parts.length ? `${parts.map(([name, some]) => `${name}: ${mean(some)}`).join("; ")}.` : "";
  }

  /** Show what was expected at a place, and move the mark there. */
  async function choose(to) {
    const symbols = shown();
    place = Math.min(to, symbols.length);
    view.choose(place, true);
    asking.abort();
    asking = new AbortController();
    const { signal } = asking;
    const own = symbols[place];
    const before = symbols.slice(Math.max(0, place - 12), place).map((each) => markOf(each.text)).join("");
    const where = before ? `after “${before}”` : "at the beginning";
    let found = own?.expected ?? (place === state.known.length && state.grown.length === 0 ? state.next : null);
    if (found === null) {
      try {
        found = (await ask(run, "read", { ...drawing.request, symbols: symbols.slice(0, place).map((each) => each.symbol) }, signal)).next ?? null;
      } catch (problem) {
        return expected.clear(problem.message);
      }
      if (signal.aborted) return;
    }
    if (found === null) return expected.clear(`The model has no place ${where}.`);
    const it = own ? `${nameOf(own.text)} has ${own.nats === null ? "p = 0" : `${short(own.nats / Math.LN2)} bits`}; ` : "";
    expected.show(found, own?.symbol, `${capital(unit)} ${place + 1}, ${where}: ${it}${short(found.entropy / Math.LN2)} bits were expected.`);
  }

  /** Put a symbol at a place, and go on from there; without a symbol go on after the prompt. */
  function tellGrow(at, symbol) {
    const kept = symbol === undefined ? null : [...shown().slice(0, at), { symbol, text: names[symbol] }];
    const request = { ...drawing.request, length: Math.round(length.value), stop: stopAt.value };
    page.tell(run, "grow", { kept, text: kept === null ? prompt.value : textOf(kept), request });
  }

  function heardGrow({ kept, text, request }, own) {
    drawing.request = request;
    length.value = request.length;
    stopAt.value = request.stop;
    if (kept !== null || text !== prompt.value) {
      state.history.push({ known: state.known, grown: state.grown, prompt: prompt.value });
      prompt.value = text;
      soon(() => read(own && kept !== null ? { symbols: kept.map((each) => each.symbol) } : { text }));
    }
    grow(request);
  }

  function undo() {
    const before = state.history.pop();
    if (before === undefined) return words.say("There is nothing to take back.");
    stop();
    begin(before.known);
    prompt.value = before.prompt;
    state.grown = before.grown;
    playback.length = before.grown.length;
    playback.finish();
    playback.go(before.grown.length);
    return words.say("Took the last replacement back.");
  }

  function bytesOf(some) {
    return unit === "byte" ? Uint8Array.from(some, (each) => each.symbol) : new TextEncoder().encode(some.map((each) => each.text).join(""));
  }

  function textOf(some) {
    return new TextDecoder().decode(bytesOf(some));
  }

  async function openFile(file) {
    stop();
    read({ file: toBase64(await file.arrayBuffer()), name: file.name });
  }

  page.hear(run, "prompt", ({ text }) => { prompt.value = text; typed(text); });
  page.hear(run, "drawing", (request) => { drawing.request = request; if (state.grown.length === 0 && pending === null) typed(prompt.value); });
  page.hear(run, "grow", heardGrow);
  page.hear(run, "place", (to) => { follow = false; choose(to); });
  page.hear(run, "file", openFile);
  const go = button("Go on", () => tellGrow(), { main: true });
  const another = button("Another", () => { drawing.again(); go.click(); });
  const rows = () => [["place", unit, "drawn", "surprisal in nats", "surprisal in bits"],
    ...shown().map((each, i) => [i + 1, each.text, each.drawn ? 1 : 0, each.nats ?? "inf", each.nats === null ? "inf" : each.nats / Math.LN2])];
  element.append(
    make("section", { class: "card", "aria-label": "Text" }, make("h3", {}, `A text that goes on, ${unit} by ${unit}`),
      make("label", { class: "wide" }, "Prompt", prompt),
      fileDrop("Drop a text file here, or choose one", "text/*,.txt,.md,.log", (file) => page.tell(run, "file", file), words.fail),
      drawing, make("div", { class: "row" }, length, make("label", {}, "Stop before", stopAt)),
      make("div", { class: "row" }, go, another, button("Stop", stop), button("Take back", undo)), playback, words, command,
      make("div", { class: "row", role: "group", "aria-label": "Files" },
        button("Save text.txt", () => download("text.txt", new Blob([bytesOf(shown())]))),
        button("Save prompt.txt", () => download("prompt.txt", new Blob([bytesOf(state.known)]))),
        button("Save surprisals.csv", () => download("surprisals.csv", csv(rows())))), readCommand),
    make("section", { class: "card", "aria-label": "What is expected" }, make("h3", {}, `How surprising is each ${unit}, and what was expected?`),
      textScale(), view, sums, expected,
      make("p", { class: "hint" }, `Click a ${unit} of the text, or move by the arrow keys; choose another one to put it there and go on. Bars are p(x_t | x_<t); outlines are the probabilities with which it is drawn, where temperature, top k, top p or greedy change them.`),
      make("div", { class: "row" }, button("Save expected.csv", () => download("expected.csv", csv([[unit, "p", "drawn"], ...expected.rows]))))));
  read({ text: "" });
}

function capital(text) {
  return text[0].toUpperCase() + text.slice(1);
}
