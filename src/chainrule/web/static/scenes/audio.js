// The scene of recordings: a waveform that grows, and the distribution of its next sample.

import { ask, post } from "../api.js";
import { button, commandLine, download, make, number, said, slider } from "../controls.js";
import { lines, onColours, short } from "../plots.js";
import { amplitudes, decodeFile, soundPlayer, wavFile } from "./audio/sound.js";
import { amplitudesOfBars, nextSample, stretches, wave } from "./audio/wave.js";
import { drawingControls } from "./drawing.js";
import { csv, fileDrop, fromBase64, savePlot, toBase64 } from "./files.js";

/** Stretches of a recording whose mean surprisal is shown. */
const PARTS = 160;

/** Bytes of samples that are sent at once. */
const LARGEST = 3 * 2 ** 20;

/** Milliseconds for which a place must not move before its distribution is asked for. */
const RESTING = 60;

/** Show a run on recordings in `element`. */
export function mount(element, run, page) {
  const sound = new Sound(run, page);
  element.append(...sound.cards());
  new ResizeObserver(() => sound.draw()).observe(element);
  onColours(element, () => sound.draw());
  sound.choose(0);
}

/** A recording on the page: its levels, of which the first `known` were given; `total` will be there in the end. */
class Sound {
  constructor(run, page) {
    const { rate, longest } = run.about;
    Object.assign(this, { run, page, rate, place: 0, heard: null, next: null, growing: false, drawnLabel: null, planned: false, sampleAt: () => 0 });
    this.clear();
    for (const name of ["growth", "asking"]) this[name] = new AbortController();
    this.picture = make("canvas", { class: "wave", click: (event) => this.tell("place", this.sampleAt(event.offsetX) / rate) });
    this.surprise = make("canvas");
    this.chart = make("canvas");
    this.drawing = drawingControls(run);
    this.seconds = number("Seconds to draw", { value: 1, min: 1 / rate, max: longest / rate, step: 0.1 });
    this.cursor = slider("Place", { value: 0, min: 0, max: 0, step: 1, show: (sample) => `${(sample / rate).toFixed(3)} s`, onChange: () => this.tell("place", this.cursor.value / rate) });
    this.cursor.classList.add("wide");
    this.playButton = button("Play the sound", () => this.play());
    this.player = soundPlayer(rate, () => this.samples, () => this.growing, (sample) => this.hear(sample));
    this.words = said();
    this.at = make("p", { class: "said" });
    this.readCommand = commandLine();
    this.command = commandLine();
    page.hear(run, "file", (file) => this.open(file));
    page.hear(run, "place", (seconds) => this.choose(Math.round(seconds * rate)));
    page.hear(run, "grow", (asked, own) => this.heardGrow(asked, own));
  }

  tell(what, detail) {
    this.page.tell(this.run, what, detail);
  }

  cards() {
    const { words } = this;
    const drop = fileDrop("Drop a recording here, or choose one, to go on from it", "audio/*", (file) => this.tell("file", file), words.fail);
    const save = (name, content) => button(`Save ${name}`, () => download(name, content()));
    const grow = (text, kept, settings) => button(text, () => this.tellGrow(kept()), settings);
    const another = button("Another", () => { this.drawing.again(); this.tellGrow(this.known); });
    return [
      make("section", { class: "card", "aria-label": "Sound" }, make("h3", {}, "A sound that grows, sample by sample"), drop,
        this.drawing, make("div", { class: "row" }, this.seconds, grow("Draw a sound", () => 0, { main: true }),
          grow("Go on from the end", () => this.levels.length), grow("Go on from the place", () => this.place), another,
          button("Stop", () => this.growth.abort())),
        words, this.command,
        make("div", { class: "row", role: "group", "aria-label": "Files" }, save("sample.wav", () => wavFile(this.samples, this.rate)),
          save("recording.wav", () => wavFile(this.samples.slice(0, this.known), this.rate)), save("samples.csv", () => csv(this.rows))), this.readCommand),
      make("section", { class: "card", "aria-label": "Waveform" }, make("h3", {}, "The waveform, and what is expected next"),
        make("div", { class: "row" }, this.playButton, this.cursor), make("div", {}, this.picture, this.surprise), this.at, this.chart,
        make("p", { class: "hint" }, `Grey is given, blue is drawn. Click the waveform, or move the place, to see the distribution of the sample there, on the scale of its levels (${this.run.about.coding}); the line in it is the sample that came. An outline shows the probabilities with which it is drawn, where they differ.`),
        make("div", { class: "row", role: "group", "aria-label": "Files of the plots" }, button("Save waveform.png", () => savePlot(this.picture, "waveform.png")),
          button("Save expected.png", () => savePlot(this.chart, "expected.png")), save("expected.csv", () => csv(this.expectedRows)))),
    ];
  }

  get rows() {
    return [["seconds", "level", "amplitude", "drawn", "surprisal in nats"],
      ...Array.from(this.levels, (level, i) => [i / this.rate, level, this.samples[i], i < this.known ? 0 : 1, this.nats[i] ?? ""])];
  }

  get expectedRows() {
    const { p = [], drawn = p } = this.next ?? {};
    return [["amplitude", "p", "drawn"], ...amplitudesOfBars(this.run, p.length).map((each, i) => [each, p[i], drawn[i]])];
  }

  clear() {
    Object.assign(this, { levels: new Uint16Array(0), samples: new Float32Array(0), nats: new Float32Array(0), known: 0, total: 0 });
  }

  /** Append levels, in base64, and their surprisals. */
  add(text, nats) {
    const levels = new Uint16Array(fromBase64(text).buffer);
    this.levels = joined(this.levels, levels);
    this.samples = joined(this.samples, amplitudes(this.run, levels));
    this.nats = joined(this.nats, Float32Array.from(nats));
  }

  /** Keep the first `count` samples. */
  keep(count) {
    for (const name of ["levels", "samples", "nats"]) this[name] = this[name].slice(0, count);
    this.known = this.levels.length;
  }

  encoded(count) {
    return toBase64(this.levels.subarray(0, count));
  }

  /** The mean surprisal of the samples from `first` on, in words. */
  mean(first) {
    const some = this.nats.subarray(first);
    return some.length ? `, ${short(some.reduce((sum, each) => sum + each, 0) / some.length / Math.LN2)} bits a sample` : "";
  }

  /** Settings of a request about samples that are there: where no class is chosen, it is that of what was drawn last. */
  get settings() {
    const { request } = this.drawing;
    return { ...request, label: request.label ?? this.drawnLabel };
  }

  /** Draw the plots, once a frame. */
  draw() {
    if (this.planned) return;
    this.planned = true;
    requestAnimationFrame(() => {
      this.planned = false;
      this.showWave();
      this.showNext();
    });
  }

  showWave() {
    const { samples, known, place, heard, rate, nats } = this;
    const width = this.picture.parentElement.clientWidth, total = Math.max(this.total, samples.length);
    this.cursor.input.max = samples.length;
    this.cursor.value = place;
    this.sampleAt = wave(this.picture, { samples, known, total, place, heard, rate, width });
    const size = Math.max(1, Math.ceil(total / PARTS)), bits = stretches(nats, size);
    this.surprise.hidden = bits.length < 2;
    if (bits.length < 2) return;
    lines(this.surprise, {
      series: [{ name: "bits", values: bits, x: bits.map((_, i) => ((i + 0.5) * size) / rate) }], x: { label: "seconds", min: 0, max: total / rate },
      y: { label: "bits a sample", min: 0 }, width, height: 130,
      summary: `Surprisal along the recording, ${short(Math.min(...bits))} to ${short(Math.max(...bits))} bits a sample`,
    });
  }

  showNext() {
    const { place, next } = this;
    if (next === null) return;
    const level = place < this.levels.length ? this.levels[place] : null;
    const came = level === null ? "" : ` What came has ${short(this.nats[place] / Math.LN2)} bits.`;
    this.at.textContent = `At ${(place / this.rate).toFixed(4)} s the next sample has ${short(next.entropy / Math.LN2)} bits of uncertainty.${came}`;
    nextSample(this.chart, this.run, next, level, this.at.textContent);
  }

  async open(file) {
    const { rate, channel, longest, decoded_here: suffixes } = this.run.about;
    this.words.say("Reading …");
    try {
      if (suffixes.some((suffix) => file.name.toLowerCase().endsWith(suffix))) {
        const samples = await decodeFile(file, rate, channel);
        await this.read({ samples: toBase64(samples.subarray(0, Math.min(longest, LARGEST / 4))) });
      } else {
        await this.read({ file: toBase64(await file.arrayBuffer()), name: file.name });
      }
    } catch (problem) {
      this.words.fail(problem.message);
    }
  }

  /** Take a recording: the content of a sound file, or samples that the browser decoded. */
  async read(request) {
    this.stop();
    this.clear();
    this.command.hidden = true;
    this.growth = new AbortController();
    const { signal } = this.growth;
    let cut = false;
    const ended = await post(this.run, "read", { ...request, ...this.settings }, (event) => {
      if (event.command) this.readCommand.show(event.command);
      if (event.waiting) this.words.say("Waiting for other pages …");
      if (event.levels !== undefined) {
        this.add(event.levels, []);
        this.known = this.total = this.place = this.levels.length;
        ({ cut } = event);
      }
      if (event.read) this.nats = joined(this.nats, Float32Array.from(event.read));
      if (event.next) this.next = event.next;
      this.draw();
    }, signal);
    if (ended) this.words.say(`${cut ? "The first " : ""}${short(this.known / this.rate)} s at ${this.rate.toLocaleString("en")} Hz${this.mean(0)}.`);
  }

  /** Draw what comes after the first `kept` samples. */
  async grow(kept, request) {
    this.stop();
    this.growth = new AbortController();
    const { signal } = this.growth;
    this.keep(kept);
    if (kept === 0) this.readCommand.hidden = true;
    this.total = this.known + request.length;
    this.growing = true;
    this.words.say("Drawing …");
    try {
      await post(this.run, "grow", { ...request, levels: this.encoded(kept) }, (event) => this.grew(event), signal);
      if (this.growth.signal === signal) this.words.say(`${short((this.levels.length - this.known) / this.rate)} s drawn${this.mean(this.known)}.`);
    } catch (problem) {
      this.words.fail(problem.message);
    }
    if (this.growth.signal !== signal) return;  // another one grows
    this.growing = false;
    this.total = this.levels.length;
    this.draw();
  }

  grew(event) {
    if (event.command) this.command.show(event.command);
    if (event.waiting) this.words.say("Waiting for other pages …");
    if (event.reading) this.words.say(event.reading < 1 ? `Reading what is given: ${Math.round(100 * event.reading)} % …` : "Drawing …");
    if (event.label !== undefined) {
      this.drawnLabel = event.label;
      this.words.say(`Drawing one of the class ${this.run.about.classes[event.label]} …`);
    }
    if (event.grown) {
      this.add(event.grown.levels, event.grown.nats);
      this.next = event.next;
      this.place = this.levels.length;
    }
    this.draw();
  }

  stop() {
    this.growth.abort();
    this.asking.abort();
    this.player.stop();
  }

  /** Show the distribution of the sample at a place. */
  async choose(sample) {
    this.place = Math.min(Math.max(sample, 0), this.levels.length);
    this.draw();
    this.asking.abort();
    if (this.run.about.classes.length && this.settings.label === null) return;
    this.asking = new AbortController();
    const { signal } = this.asking;
    await new Promise((resolve) => { setTimeout(resolve, RESTING); });
    if (signal.aborted) return;
    try {
      const answer = await ask(this.run, "next", { ...this.settings, levels: this.encoded(this.place) }, signal);
      if (signal.aborted || !answer.next) return;
      this.next = answer.next;
      this.draw();
    } catch (problem) {
      this.words.fail(problem.message);
    }
  }

  tellGrow(kept) {
    this.tell("grow", { request: this.drawing.request, kept, from: kept / this.rate, seconds: this.seconds.value });
  }

  heardGrow({ request, kept, from, seconds }, own) {
    this.drawing.request = request;
    this.seconds.value = seconds;
    const count = own ? kept : Math.min(Math.round(from * this.rate), this.levels.length);
    this.grow(count, { ...(count ? this.settings : this.drawing.request), length: Math.max(1, Math.round(seconds * this.rate)) });
  }

  play() {
    if (this.player.playing) this.player.stop();
    else this.player.play(this.place >= this.samples.length ? 0 : this.place);
  }

  /** Show the place that is heard; null when nothing is. */
  hear(sample) {
    this.heard = sample;
    this.playButton.textContent = sample === null ? "Play the sound" : "Stop the sound";
    this.draw();
  }
}

/** Two typed arrays of one type, one after the other. */
function joined(first, second) {
  const both = new first.constructor(first.length + second.length);
  both.set(first);
  both.set(second, first.length);
  return both;
}
