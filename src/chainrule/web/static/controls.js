// Labelled controls. Each function returns an element; `.input` is its control where the element is a label around it.

/** An element with attributes (functions are listeners) and children. */
export function make(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (typeof value === "function") element.addEventListener(name, value);
    else if (value === true) element.setAttribute(name, "");
    else if (value !== false && value !== null && value !== undefined) element.setAttribute(name, value);
  }
  element.append(...children.filter((child) => child !== null && child !== undefined));
  return element;
}

function labelled(text, input, inline = false) {
  const label = inline ? make("label", { class: "inline" }, input, text) : make("label", {}, text, input);
  label.input = input;
  return label;
}

/** A number that is read as `.value`, which is `value` where the text is none. */
export function number(text, { value, min, max, step = 1, onChange = () => {} }) {
  const input = make("input", { type: "number", value, min, max, step, change: () => onChange() });
  const label = labelled(text, input);
  Object.defineProperty(label, "value", {
    get: () => {
      const given = input.value.trim() === "" ? NaN : Number(input.value);
      return Number.isFinite(given) ? Math.min(Math.max(given, min ?? -Infinity), max ?? Infinity) : value;
    },
    set: (given) => { input.value = given; },
  });
  return label;
}

/** A slider that is read as `.value`; `show` makes the words beside its name. */
export function slider(text, { value, min, max, step, show = String, onChange = () => {} }) {
  const words = make("span", { class: "number" }, `${text}: ${show(value)}`);
  const input = make("input", { type: "range", min, max, step, value });
  const label = make("label", {}, words, input);
  const tell = () => { words.textContent = `${text}: ${show(Number(input.value))}`; };
  input.addEventListener("input", () => { tell(); onChange(); });
  label.input = input;
  Object.defineProperty(label, "value", { get: () => Number(input.value), set: (given) => { input.value = given; tell(); } });
  return label;
}

/** A choice among `[[value, words], ...]`, read as `.value`, a string. */
export function select(text, choices, { value, onChange = () => {} } = {}) {
  const input = make("select", { change: () => onChange() }, ...choices.map(([own, words]) => make("option", { value: own }, words)));
  if (value !== undefined) input.value = value;
  const label = labelled(text, input);
  Object.defineProperty(label, "value", { get: () => input.value, set: (given) => { input.value = given; } });
  return label;
}

/** A box to tick, read as `.value`. */
export function checkbox(text, { value = false, onChange = () => {} } = {}) {
  const input = make("input", { type: "checkbox", change: () => onChange() });
  input.checked = value;
  const label = labelled(text, input, true);
  Object.defineProperty(label, "value", { get: () => input.checked, set: (given) => { input.checked = given; } });
  return label;
}

/** A button; `main` for the one that does what a card is for. */
export function button(text, onClick, { main = false, ...attributes } = {}) {
  return make("button", { type: "button", class: main ? "main" : null, click: onClick, ...attributes }, text);
}

/**
 * A line of words that screen readers say when it changes: `.say(words)`, `.fail(words)`; `.show(words)` changes it in
 * silence, for what changes many times a second.
 */
export function said() {
  const line = make("p", { class: "said", role: "status" });
  const put = (words, live) => { line.setAttribute("aria-live", live); line.classList.remove("error"); line.textContent = words; };
  line.say = (words) => put(words, "polite");
  line.show = (words) => put(words, "off");
  line.fail = (words) => { put(words, "polite"); line.classList.add("error"); };
  return line;
}

/** A command line with a button that copies it: `.show(command)`. */
export function commandLine() {
  const code = make("code", { tabindex: 0, role: "group", "aria-label": "The command that makes the same" });
  const copy = button("Copy", async () => {
    await navigator.clipboard.writeText(code.textContent);
    copy.textContent = "Copied";
    setTimeout(() => { copy.textContent = "Copy"; }, 1500);
  }, { "aria-label": "Copy the command" });
  const line = make("div", { class: "command", hidden: true }, code, copy);
  line.show = (command) => { code.textContent = command; line.hidden = false; };
  return line;
}

/** Offer `content` (a Blob, or text) as a file. */
export function download(name, content) {
  const address = URL.createObjectURL(content instanceof Blob ? content : new Blob([content]));
  make("a", { href: address, download: name }).click();
  setTimeout(() => URL.revokeObjectURL(address), 10000);
}

/**
 * Play, pause, step, speed and scrub of something that has `length` steps, of which more may come.
 *
 * `show(t, playing)` shows the first t steps. Set `.length` as steps arrive, call `.play()` to begin and `.reset()` to begin anew.
 */
export function player({ unit = "step", speed = 20, show }) {
  let length = 0, at = 0, playing = false, last = 0, due = 0, total = null;
  const toggle = button("Pause", () => (playing ? pause() : play()));
  const back = button("Step back", () => { pause(); go(at - 1); });
  const on = button("Step on", () => { pause(); go(at + 1); });
  const pace = slider("Speed", { value: Math.log2(speed), min: 0, max: 11, step: 0.5, show: (x) => `${Math.round(2 ** x)} ${unit}s a second` });
  const scrub = slider("Shown", { value: 0, min: 0, max: 0, step: 1, show: (x) => `${x} of ${total ?? length}`, onChange: () => { pause(); go(scrub.value); } });
  scrub.classList.add("wide");
  const element = make("div", { class: "row", role: "group", "aria-label": "Playback" }, toggle, back, on, pace, scrub);

  function go(t) {
    at = Math.min(Math.max(t, 0), length);
    scrub.value = at;
    show(at, playing);
  }
  function words() { toggle.textContent = playing ? "Pause" : "Play"; }
  function pause() { playing = false; words(); }
  function play() {
    if (at >= length && length > 0 && length >= (total ?? length)) go(0);
    if (!playing) { playing = true; last = performance.now(); due = 0; requestAnimationFrame(frame); }
    words();
  }
  function frame(now) {
    if (!playing) return;
    if (!element.isConnected) return pause();
    due += Math.max(now - last, 0) / 1000 * 2 ** pace.value;
    last = now;
    const steps = Math.floor(due);
    due -= steps;
    if (steps > 0 && at < length) go(at + steps);
    if (at >= length) due = 0;
    if (at >= (total ?? Infinity)) return pause();
    requestAnimationFrame(frame);
  }
  Object.assign(element, {
    play, pause, go,
    reset(expected = null) { length = 0; total = expected; scrub.input.max = expected ?? 0; go(0); },
    finish() { total = length; scrub.input.max = length; },
  });
  Object.defineProperties(element, {
    length: {
      get: () => length,
      set: (given) => {
        const first = length === 0 && given > 0;
        length = given;
        scrub.input.max = total ?? given;
        if (first && playing) go(1);  // the first step is shown as soon as it is there
      },
    },
    at: { get: () => at },
  });
  return element;
}
