// The scene of recordings: a waveform that grows, and the distribution of its next sample.

import { ask, post } from "../api.js";
import { button, commandLine, download, make, number, said, slider } from "../controls.js";
import { lines, short } from "../plots.js";
import { amplitudes, decodeFile, soundPlayer, wavFile } from "./audio/sound.js";
import { amplitudesOfBars, nextSample, stretches, wave } from "./audio/wave.js";
import { drawingControls } from "./drawing.js";
import { csv, fileDrop, fromBase64, savePlot, toBase64 } from "./files.js";

/** Stretches of a recording whose mean surprisal is shown. */
const PARTS = 160;

/** Bytes of samples that are sent at once. */
const LARGEST = 3 * 2 ** 20;

/** Show a run on recordings in `element`. */
export function mount(element, run, page) {
  const { rate, longest } = run.about;
  const words = said(), at = make("p", { class: "said" }), readCommand = commandLine(), command = commandLine();
  const picture = make("canvas", { class: "wave" }), surprise = make("canvas"), chart = make("canvas");
  const drawing = drawingControls(run);
  const seconds = number("Seconds to draw", { value: 1, min: 1 / rate, max: longest / rate, step: 0.1 });
  const cursor = slider("Place", { value: 0, min: 0, max: 0, step: 1, show: (sample) => `${(sample / rate).toFixed(3)} s`, onChange: () => page.tell(run, "place", cursor.value / rate) });
  const play = button("Play the sound", () => (sound.playing ? sound.stop() : sound.play(place >= samples.length ? 0 : place)), { "aria-pressed": "false" });
  let levels = new Uint16Array(0), nats = new Float32Array(0), samples = new Float32Array(0), known = 0, total = 0, place = 0, heard = null, next = null, growing = false, drawn = null, sampleAt = () => 0;
  let stopGrowing = new AbortController(), asking = new AbortController(), planned = false;
  const sound = soundPlayer(rate, () => samples, () => growing, (sample) => {
    heard = sample;
    play.textContent = sample === null ? "Play the sound" : "Stop the sound";
    play.setAttribute("aria-pressed", String(sample !== null));
    draw();
  });

  function add(text, more) {
    const bytes = fromBase64(text), fresh = new Uint16Array(bytes.buffer);
    levels = joined(levels, fresh);
    samples = joined(samples, amplitudes(run, fresh));
    nats = joined(nats, Float32Array.from(more));
  }

  function keep(count) {
    [levels, nats, samples] = [levels, nats, samples].map((each) => each.slice(0, count));
    known = Math.min(known, count);
    total = count;
  }

  /** Draw the plots, once a frame. */
  function draw() {
    if (planned) return;
    planned = true;
    requestAnimationFrame(() => { planned = false; show(); });
  }

  function show() {
    cursor.input.max = levels.length;
    cursor.value = place;
    const width = picture.parentElement.clientWidth;
    sampleAt = wave(picture, { samples, known, total, place, heard, rate, width });
    const size = Math.max(1, Math.ceil(Math.max(total, levels.length) / PARTS));
    const bits = stretches(nats, size);
    surprise.hidden = bits.length < 2;
    if (bits.length > 1) {
      const span = Math.max(total, levels.length) / rate;
      lines(surprise, {
        series: [{ name: "bits", values: bits, x: bits.map((_, i) => ((i + 0.5) * size) / rate) }], x: { label: "seconds", min: 0, max: span },
        y: { label: "bits a sample", min: 0 }, width, height: 130,
        summary: `Surprisal along the recording, ${short(Math.min(...bits))} to ${short(Math.max(...bits))} bits a sample`,
      });
    }
    if (next === null) return;
    const level = place < levels.length ? levels[place] : null;
    const came = level === null ? "" : ` What came has ${short(nats[place] / Math.LN2)} bits.`;
    const text = `At ${(place / rate).toFixed(4)} s the next sample has ${short(next.entropy / Math.LN2)} bits of uncertainty.${came}`;
    at.textContent = text;
    nextSample(chart, run, next, level, text);
  }

  const asBase64 = (count) => toBase64(levels.subarray(0, count));
  const sum = (some) => (some.length ? `${short(some.reduce((all, each) => all + each, 0) / some.length / Math.LN2)} bits a sample` : "");

  /** Take a recording: the content of a sound file, or samples that the browser decoded. */
  async function read(request) {
    stop();
    keep(0);
    let found = null;
    await post(run, "read", { ...request, ...settings() }, (event) => {
      if (event.command) readCommand.show(event.command);
      if (event.waiting) words.say("Waiting for other pages …");
      if (event.levels !== undefined) {
        add(event.levels, []);
        known = total = place = levels.length;
        if (event.cut) words.say(`The first ${short(known / rate)} s of the recording.`);
      }
      if (event.read) nats = joined(nats, Float32Array.from(event.read));
      if (event.total) found = event.total;
      if (event.next) next = event.next;
      draw();
    });
    if (found !== null) words.say(`${short(found.count / rate)} s at ${rate.toLocaleString("en")} Hz, ${sum(nats)}.`);
  }

  async function openFile(file) {
    words.say("Reading …");
    try {
      if (run.about.decoded_here.some((suffix) => file.name.toLowerCase().endsWith(suffix))) {
        const decoded = await decodeFile(file, rate, run.about.channel);
        await read({ samples: toBase64(decoded.subarray(0, Math.min(longest, LARGEST / 4))) });
      } else {
        await read({ file: toBase64(await file.arrayBuffer()), name: file.name });
      }
    } catch (problem) {
      words.fail(problem.message);
    }
  }

  /** Draw what comes after the samples on the page that are kept. */
  async function grow(request) {
    stop();
    stopGrowing = new AbortController();
    const { signal } = stopGrowing;
    keep(request.kept);
    known = levels.length;
    total = known + request.length;
    growing = true;
    words.say("Drawing …");
    const { kept, ...asked } = request;
    try {
      await post(run, "grow", { ...asked, levels: asBase64(kept) }, (event) => {
        if (event.command) command.show(event.command);
        if (event.waiting) words.say("Waiting for other pages …");
        if (event.label !== undefined) {
          drawn = event.label;
          words.say(`Drawing one of the class ${run.about.classes[drawn]} …`);
        }
        if (event.grown) {
          add(event.grown.levels, event.grown.nats);
          next = event.next;
          place = levels.length;
        }
        draw();
      }, signal);
      if (stopGrowing.signal === signal) words.say(`${short((levels.length - known) / rate)} s drawn, ${sum(nats.slice(known))}.`);
    } catch (problem) {
      words.fail(problem.message);
    }
    if (stopGrowing.signal !== signal) return;  // another one grows
    growing = false;
    total = levels.length;
    draw();
  }

  function stop() {
    stopGrowing.abort();
    asking.abort();
    sound.stop();
  }

  /** Show the distribution of the sample at a place. */
  async function choose(sample) {
    place = Math.min(Math.max(sample, 0), levels.length);
    draw();
    asking.abort();
    if (run.about.classes.length && settings().label === null) return;
    asking = new AbortController();
    const { signal } = asking;
    await new Promise((resolve) => { setTimeout(resolve, 60); });
    if (signal.aborted) return;
    try {
      const answer = await ask(run, "next", { ...settings(), levels: asBase64(place) }, signal);
      if (!signal.aborted && answer.next) { ({ next } = answer); draw(); }
    } catch (problem) {
      words.fail(problem.message);
    }
  }

  /** Settings of a request; where no class is chosen, that of what was drawn last. */
  function settings() {
    const request = drawing.request;
    return { ...request, label: request.label ?? drawn };
  }

  function tellGrow(kept) {
    page.tell(run, "grow", { request: drawing.request, kept, from: kept / rate, seconds: seconds.value });
  }

  function heardGrow({ request, kept, from, seconds: wanted }, own) {
    drawing.request = request;
    seconds.value = wanted;
    const count = own ? kept : Math.min(Math.round(from * rate), levels.length);
    grow({ ...(count ? settings() : drawing.request), kept: count, length: Math.max(1, Math.round(wanted * rate)) });
  }

  picture.addEventListener("click", (event) => page.tell(run, "place", sampleAt(event.clientX - picture.getBoundingClientRect().left) / rate));
  page.hear(run, "file", openFile);
  page.hear(run, "place", (at) => choose(Math.round(at * rate)));
  page.hear(run, "grow", heardGrow);
  new ResizeObserver(draw).observe(element);
  const fresh = button("Draw a sound", () => tellGrow(0), { main: true });
  const another = button("Another", () => { drawing.again(); tellGrow(known); });
  const rows = () => [["seconds", "level", "amplitude", "drawn", "surprisal in nats"],
    ...Array.from(levels, (level, i) => [i / rate, level, samples[i], i < known ? 0 : 1, nats[i] ?? ""])];
  const expectedRows = () => [["amplitude", "p", "drawn"], ...amplitudesOfBars(run, next.p.length).map((each, i) => [each, next.p[i], (next.drawn ?? next.p)[i]])];
  element.append(
    make("section", { class: "card", "aria-label": "Sound" }, make("h3", {}, "A sound that grows, sample by sample"),
      fileDrop("Drop a recording here, or choose one, to go on from it", "audio/*", (file) => page.tell(run, "file", file), words.fail),
      drawing, make("div", { class: "row" }, seconds, fresh, button("Go on from the end", () => tellGrow(levels.length)),
        button("Go on from the place", () => tellGrow(place)), another, button("Stop", () => stopGrowing.abort())),
      words, command,
      make("div", { class: "row", role: "group", "aria-label": "Files" },
        button("Save sample.wav", () => download("sample.wav", wavFile(samples, rate))),
        button("Save recording.wav", () => download("recording.wav", wavFile(samples.slice(0, known), rate))),
        button("Save samples.csv", () => download("samples.csv", csv(rows())))), readCommand),
    make("section", { class: "card", "aria-label": "Waveform" }, make("h3", {}, "The waveform, and what is expected next"),
      make("div", { class: "row" }, play, cursor), make("div", {}, picture, surprise), at, chart,
      make("p", { class: "hint" }, `Grey is given, blue is drawn. Click the waveform, or move the place, to see the distribution of the sample there, on the scale of its levels (${run.about.coding}); the line in it is the sample that came. An outline shows the probabilities with which it is drawn, where they differ.`),
      make("div", { class: "row", role: "group", "aria-label": "Files of the plots" }, button("Save waveform.png", () => savePlot(picture, "waveform.png")),
        button("Save expected.png", () => savePlot(chart, "expected.png")), button("Save expected.csv", () => next && download("expected.csv", csv(expectedRows()))))));
  choose(0);
}

/** Two typed arrays of one type, one after the other. */
function joined(first, second) {
  const both = new first.constructor(first.length + second.length);
  both.set(first);
  both.set(second, first.length);
  return both;
}
