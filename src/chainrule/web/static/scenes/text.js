// The scene of text: a prompt that goes on symbol by symbol, and what was expected at every place.

import { ask, post } from "../api.js";
import { button, commandLine, download, make, number, player, said } from "../controls.js";
import { short } from "../plots.js";
import { drawingControls } from "./drawing.js";
import { csv, fileDrop, toBase64 } from "./files.js";
import { expectedList } from "./text/expected.js";
import { endOf, Utf8 } from "./text/utf8.js";
import { markOf, nameOf, textScale, textView } from "./text/view.js";

/** Milliseconds after the last key before a prompt is read. */
const TYPING = 200;

/** Symbols before a place that are shown with it. */
const BEFORE = 12;

/** Show a run on text in `element`. */
export function mount(element, run, page) {
  const text = new Text(run, page);
  element.append(...text.cards());
  text.read({ text: "" });
}

/** A text on the page: the symbols `known`, which were given, and those `grown` after them, of which `shown` are shown. */
class Text {
  constructor(run, page) {
    const { unit, longest, most } = run.about;
    Object.assign(this, { run, page, unit, known: [], grown: [], shown: 0, next: null, history: [], wrong: null, place: 0, follow: true, pending: null, timer: 0 });
    for (const name of ["reading", "growing", "asking"]) this[name] = new AbortController();
    this.prompt = make("textarea", { rows: 3, spellcheck: "false", maxlength: longest, input: () => this.tell("prompt", this.prompt.value) });
    this.drawing = drawingControls(run, () => this.tell("drawing", this.drawing.request));
    this.length = number(`${capital(unit)}s to draw`, { value: Math.min(300, most), min: 1, max: most });
    this.stopAt = make("input", { type: "text", size: 6, maxlength: 100, autocomplete: "off" });
    this.playback = player({ unit, speed: 32, show: (t) => this.showUpTo(t) });
    this.view = textView((place) => this.tell("place", place));
    this.expected = expectedList(run, (symbol) => this.tellGrow(this.place, symbol));
    this.words = said();
    this.sums = make("p", { class: "hint" });
    this.readCommand = commandLine();
    this.command = commandLine();
    page.hear(run, "prompt", (text) => { this.prompt.value = text; this.stop(); this.soon(() => this.read({ text })); });
    page.hear(run, "drawing", (request) => { this.drawing.request = request; this.changed(); });
    page.hear(run, "grow", (asked, own) => this.heardGrow(asked, own));
    page.hear(run, "place", (place) => { this.follow = false; this.choose(place); });
    page.hear(run, "file", (file) => this.open(file));
  }

  tell(what, detail) {
    this.page.tell(this.run, what, detail);
  }

  cards() {
    const { unit, words } = this;
    const go = button("Go on", () => this.tellGrow(), { main: true });
    const another = button("Another", () => { this.drawing.again(); this.tellGrow(); });
    const drop = fileDrop("Drop a text file here, or choose one", "text/*,.txt,.md,.log", (file) => this.tell("file", file), words.fail);
    const save = (name, content) => button(`Save ${name}`, () => download(name, content()));
    return [
      make("section", { class: "card", "aria-label": "Text" }, make("h3", {}, `A text that goes on, ${unit} by ${unit}`),
        make("label", { class: "wide" }, "Prompt", this.prompt), drop,
        this.drawing, make("div", { class: "row" }, this.length, make("label", {}, "Stop before", this.stopAt)),
        make("div", { class: "row" }, go, another, button("Stop", () => this.stop()), button("Take back", () => this.takeBack())),
        this.playback, words, this.command,
        make("div", { class: "row", role: "group", "aria-label": "Files" }, save("text.txt", () => new Blob([this.bytesOf(this.symbols)])),
          save("prompt.txt", () => new Blob([this.bytesOf(this.known)])), save("surprisals.csv", () => csv(this.rows))), this.readCommand),
      make("section", { class: "card", "aria-label": "What is expected" }, make("h3", {}, `How surprising is each ${unit}, and what was expected?`),
        textScale(), this.view, this.sums, this.expected,
        make("p", { class: "hint" }, `Click a ${unit} of the text, or move by the arrow keys; choose another one to put it there and go on. Bars are p(x_t | x_<t); outlines are the probabilities with which it is drawn, where temperature, top k, top p or greedy change them.`),
        make("div", { class: "row" }, save("expected.csv", () => csv([[unit, "p", "drawn"], ...this.expected.rows])))),
    ];
  }

  /** The symbols that are shown: `[{symbol, text, nats, drawn, expected, mark}, ...]`. */
  get symbols() {
    return [...this.known, ...this.grown.slice(0, this.shown)];
  }

  get rows() {
    return [["place", this.unit, "drawn", "surprisal in nats", "surprisal in bits"],
      ...this.symbols.map(({ text, drawn, nats }, i) => [i + 1, text, drawn ? 1 : 0, nats ?? "inf", nats === null ? "inf" : nats / Math.LN2])];
  }

  bytesOf(symbols) {
    return this.unit === "byte" ? Uint8Array.from(symbols, (each) => each.symbol) : new TextEncoder().encode(symbols.map((each) => each.text).join(""));
  }

  textOf(symbols) {
    return new TextDecoder().decode(this.bytesOf(symbols));
  }

  /** Reads the bytes after `symbols` as characters; null where symbols are characters. */
  readerAfter(symbols) {
    return this.unit === "byte" ? new Utf8(symbols.slice(-3).map((each) => each.symbol)) : null;
  }

  /** What a symbol after `symbols` looks like. */
  markAfter(symbols, symbol) {
    const end = this.unit === "byte" ? endOf(symbols.slice(-3).map((each) => each.symbol), symbol) : undefined;
    return end ?? markOf(this.run.about.symbols[symbol]);
  }

  /** Call `reader` in a while, or at once where its result is needed. */
  soon(reader) {
    clearTimeout(this.timer);
    this.pending = reader;
    this.timer = setTimeout(() => this.pending?.(), TYPING);
  }

  /** Read a prompt: its symbols, their surprisals, and what comes next. */
  async read(request) {
    this.pending = null;
    this.reading.abort();
    this.reading = new AbortController();
    const found = [], utf8 = this.readerAfter([]);
    try {
      await post(this.run, "read", { ...this.drawing.request, ...request }, (event) => {
        if (event.command) this.readCommand.show(event.command);
        if (event.waiting) this.words.say("Waiting for other pages …");
        event.read?.symbols.forEach((symbol, i) => found.push({ symbol, text: event.read.texts[i], nats: event.read.nats[i], mark: utf8?.mark(symbol) }));
        if (event.total) {
          this.begin(found);
          if (request.file) this.prompt.value = this.textOf(found);
          this.words.say([event.total.cut ? `The first ${found.length.toLocaleString("en")} ${this.unit}s of the file.` : "", event.total.note].join(" ").trim());
        }
        if (event.next) {
          this.next = event.next;
          this.choose(this.place);
        }
      }, this.reading.signal);
    } catch (problem) {
      this.begin([]);
      this.wrong = problem.message;
      this.words.fail(problem.message);
    }
  }

  async open(file) {
    this.stop();
    this.read({ file: toBase64(await file.arrayBuffer()), name: file.name });
  }

  /** Start from the symbols `known`, with nothing drawn after them. */
  begin(known) {
    Object.assign(this, { known, grown: [], shown: 0, next: null, wrong: null, follow: true, place: known.length });
    this.command.hidden = true;
    this.playback.reset();
    this.draw();
    this.expected.clear("");
  }

  /** Draw the symbols after `known`, which are on the page. */
  async grow(request) {
    this.stop();
    this.growing = new AbortController();
    const { signal } = this.growing;
    clearTimeout(this.timer);
    if (this.pending !== null) await this.pending();
    if (signal.aborted || this.wrong !== null) return;
    Object.assign(this, { grown: [], follow: true, utf8: this.readerAfter(this.known) });
    this.words.say("Drawing …");
    this.playback.reset();
    this.playback.play();
    try {
      const ended = await post(this.run, "grow", { ...request, symbols: this.known.map((each) => each.symbol) }, (event) => this.grew(event), signal);
      if (!ended && this.growing.signal === signal) this.words.say(`${this.count}.`);
    } catch (problem) {
      this.playback.pause();
      this.words.fail(problem.message);
    }
    if (this.growing.signal === signal) this.playback.finish();
  }

  grew(event) {
    if (event.command) this.command.show(event.command);
    if (event.waiting) this.words.say("Waiting for other pages …");
    for (const step of event.grown ?? []) this.grown.push({ ...step, text: this.run.about.symbols[step.symbol], drawn: true, mark: this.utf8?.mark(step.symbol) });
    if (event.ended === "stop") this.grown.splice(-event.stop);
    this.playback.length = this.grown.length;
    if (this.shown > this.grown.length) this.playback.go(this.grown.length);
    const why = { end: `: the ${this.run.about.document} ended`, stop: ", up to the text that stops", length: "" };
    if (event.ended) this.words.say(`${this.count}${why[event.ended]}.`);
  }

  get count() {
    return `${this.grown.length} ${this.unit}${this.grown.length === 1 ? "" : "s"} drawn`;
  }

  stop() {
    this.growing.abort();
    this.playback.pause();
  }

  /** Show the first `t` of the symbols that were drawn. */
  showUpTo(t) {
    this.shown = t;
    if (this.follow) this.place = this.known.length + Math.max(t - 1, 0);
    this.draw();
    if (this.follow && t > 0) this.choose(this.place);
  }

  draw() {
    this.view.show(this.symbols);
    this.view.choose(this.place, this.follow);
    const bits = (symbols) => short(symbols.reduce((sum, each) => sum + (each.nats ?? Infinity), 0) / Math.LN2 / symbols.length);
    const sums = [["Prompt", this.known], ["drawn", this.grown.slice(0, this.shown)]].filter(([, symbols]) => symbols.length)
      .map(([name, symbols]) => `${name}: ${symbols.length} ${this.unit}${symbols.length === 1 ? "" : "s"}, ${bits(symbols)} bits each`);
    this.sums.textContent = sums.length ? `${sums.join("; ")}.` : "";
  }

  /** The settings changed: so do the probabilities with which the next symbol is drawn. */
  changed() {
    this.next = null;
    if (this.pending === null && this.grown.length === 0 && this.wrong === null) this.choose(this.place);
  }

  /** Show what was expected at a place, and move the mark there. */
  async choose(place) {
    const { symbols } = this;
    this.place = Math.min(place, symbols.length);
    this.view.choose(this.place, true);
    this.asking.abort();
    this.asking = new AbortController();
    const { signal } = this.asking;
    const own = symbols[this.place], before = symbols.slice(0, this.place);
    const inDocument = before.slice(before.findLastIndex((each) => each.symbol === this.run.about.end) + 1);
    const where = inDocument.length ? `after “${inDocument.slice(-BEFORE).map((each) => each.mark ?? markOf(each.text)).join("")}”` : "at the beginning";
    try {
      const known = own?.expected ?? (own === undefined && this.grown.length === 0 ? this.next : null);
      const found = known ?? (await ask(this.run, "next", { ...this.drawing.request, symbols: before.map((each) => each.symbol) }, signal)).next;
      if (signal.aborted) return;
      const it = own ? `${nameOf(own.text)} has ${own.nats === null ? "p = 0" : `${short(own.nats / Math.LN2)} bits`}; ` : "";
      const words = `${capital(this.unit)} ${before.length + 1}, ${where}: ${it}`;
      if (found) this.expected.show(found, own?.symbol, `${words}${short(found.entropy / Math.LN2)} bits were expected.`, (symbol) => this.markAfter(before, symbol));
      else this.expected.clear(`The model has no place ${where}.`);
    } catch (problem) {
      this.expected.clear(problem.message);
    }
  }

  /** Put a symbol at a place, and go on from there; without a symbol go on after the prompt. */
  tellGrow(place, symbol) {
    const kept = symbol === undefined ? null : [...this.symbols.slice(0, place), { symbol, text: this.run.about.symbols[symbol] }];
    const request = { ...this.drawing.request, length: Math.round(this.length.value), stop: this.stopAt.value };
    this.tell("grow", { kept, text: kept === null ? this.prompt.value : this.textOf(kept), request });
  }

  heardGrow({ kept, text, request }, own) {
    this.drawing.request = request;
    this.length.value = request.length;
    this.stopAt.value = request.stop;
    if (kept !== null || text !== this.prompt.value) {
      this.history.push({ known: this.known, grown: this.grown, prompt: this.prompt.value });
      this.prompt.value = text;
      this.soon(() => this.read(own && kept !== null ? { symbols: kept.map((each) => each.symbol) } : { text }));
    }
    this.grow(request);
  }

  takeBack() {
    const before = this.history.pop();
    if (before === undefined) return this.words.say("There is nothing to take back.");
    this.stop();
    this.begin(before.known);
    this.prompt.value = before.prompt;
    this.grown = before.grown;
    this.playback.length = before.grown.length;
    this.playback.finish();
    this.playback.go(before.grown.length);
    return this.words.say("Took the last replacement back.");
  }
}

function capital(text) {
  return text[0].toUpperCase() + text.slice(1);
}
