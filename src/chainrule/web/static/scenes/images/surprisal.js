// The card on which an image is looked at: the surprisal of its pixels, what each depends on, and its class.

import { ask, post } from "../../api.js";
import { button, checkbox, commandLine, make, said, select } from "../../controls.js";
import { colour, heat, heatScale, lines, short } from "../../plots.js";
import { exampleChooser } from "./example.js";
import { picture, place, saveNumbers, savePicture, shapeOf } from "./picture.js";

const SIZE = 152;
const LARGEST = 3 * 2 ** 20;

export function mountSurprisal(element, run, page) {
  const { channels, height, width, area } = shapeOf(run);
  const { classes } = run.about;
  const words = said(), command = commandLine(), pointed = make("p", { class: "hint" });
  const shown = make("canvas"), map = make("canvas", { class: "pixels" }), field = make("canvas"), scale = make("canvas"), reach = make("canvas", { hidden: true }), curves = make("canvas");
  const label = classes.length ? select("Class", [["", "any"], ...classes.map((name, i) => [String(i), name])]) : null;
  const channel = channels === 3 ? select("Pointer at", [["0", "red"], ["1", "green"], ["2", "blue"]]) : null;
  const invert = checkbox("Invert dropped images");
  const posterior = make("figure", { hidden: true }, curves, make("figcaption", {}, "p(class | pixels so far), of the five most probable at the end"));
  const pictures = make("div", { class: "pictures", hidden: true },
    make("figure", {}, shown, make("figcaption", {}, "image")),
    make("figure", {}, map, scale, make("figcaption", {}, "surprisal of each pixel")),
    make("figure", {}, field, reach, make("figcaption", {}, "what the pixel under the pointer depends on")));
  const file = make("input", { type: "file", accept: "image/*", change: () => { if (file.files.length) read(file.files[0]); } });
  const drop = make("div", {
    class: "drop",
    dragover: (event) => { event.preventDefault(); drop.classList.add("over"); },
    dragleave: () => drop.classList.remove("over"),
    drop: (event) => {
      event.preventDefault();
      drop.classList.remove("over");
      if (event.dataTransfer.files.length) read(event.dataTransfer.files[0]);
    },
  }, make("label", {}, "Drop an image here, or choose one", file), invert);
  let found = null, at = null, stop = new AbortController(), asking = new AbortController();

  async function read(chosen) {
    if (chosen.size > LARGEST) return words.fail(`expected a file of at most ${LARGEST / 2 ** 20} MiB, got ${short(chosen.size / 2 ** 20)} MiB`);
    const address = await new Promise((resolve) => {
      const reader = new FileReader();
      reader.onload = () => resolve(reader.result);
      reader.readAsDataURL(chosen);
    });
    page.tell(run, "look", { file: address.slice(address.indexOf(",") + 1), name: chosen.name, invert: invert.value });
  }

  function look(request) {
    stop.abort();
    stop = new AbortController();
    words.say("Computing …");
    posterior.hidden = true;
    const own = { ...request, label: label === null || label.value === "" ? null : Number(label.value) };
    post(run, "surprisal", own, (event) => {
      if (event.command) command.show(event.command);
      if (event.waiting) words.say("Waiting for other pages …");
      if (event.x) show(event);
      if (event.classes) showClasses(event.classes);
    }, stop.signal).catch((problem) => words.fail(problem.message));
  }

  function show(event) {
    found = event;
    at = null;
    pictures.hidden = false;
    picture(shown, run, event.x, { size: SIZE, summary: "The image" });
    const bits = event.total / Math.LN2 / event.x.length;
    const sum = `−log p = ${short(event.total)} nats, ${short(bits)} bits per dimension`;
    for (const each of [map, scale, field]) each.closest("figure").hidden = !event.nats;
    if (!event.nats) {
      words.say(`${sum}. A mixture over orders has no surprisal of single pixels. ${event.said ?? ""}`);
      pointed.textContent = "";
      return;
    }
    const nats = byPixel(event.nats);
    const most = heat(map, { values: nats, rows: height, columns: width, size: SIZE, summary: "Surprisal of each pixel; move over it with the pointer or the arrow keys" });
    heatScale(scale, most, "nats", SIZE);
    heat(field, { values: new Array(area).fill(0), rows: height, columns: width, size: SIZE, summary: "Receptive field: point at a pixel" });
    words.say(`${sum}; the most surprising pixel has ${short(Math.max(...nats))} nats. ${event.said ?? ""}`);
    pointed.textContent = "Point at a pixel, or move over the picture with the arrow keys.";
  }

  function showClasses(rows) {
    const last = rows[rows.length - 1];
    const best = last.map((_, i) => i).sort((a, b) => last[b] - last[a]).slice(0, 5);
    posterior.hidden = false;
    lines(curves, {
      series: best.map((i, k) => ({ name: classes[i], values: rows.map((row) => row[i]), dashed: k > 2 })),
      x: { label: "variables seen" }, y: { label: "p(class | x_<t)", min: 0, max: 1 }, width: 460, height: 200, legend: true,
      summary: `Most probable class: ${classes[best[0]]} with ${short(last[best[0]])}`,
    });
  }

  const byPixel = (values) => Array.from({ length: area }, (_, i) => {
    let sum = 0;
    for (let c = 0; c < channels; c += 1) sum += values[c * area + i] ?? Infinity;
    return sum;
  });

  /** The numbers of the image: what is not there, such as a receptive field before one is pointed at, is left empty. */
  function saveFound() {
    const { x, nats, field: depends } = found;
    saveNumbers(run, "surprisal.csv", x.map((_, i) => i), ["value", "nats", "change"], x.map((value, i) => [value, nats?.[i] ?? "", depends?.[i] ?? ""]));
  }

  async function point(pixel) {
    if (!found?.nats || pixel === at) return;
    at = pixel;
    const variable = (channel === null ? 0 : Number(channel.value)) * area + pixel;
    const words = `${place(run, variable)}: level ${found.x[variable]}, p = ${short(Math.exp(-found.nats[variable]))}, surprisal ${short(found.nats[variable])} nats`;
    pointed.textContent = words;
    asking.abort();
    asking = new AbortController();
    const { signal } = asking;
    await new Promise((resolve) => { setTimeout(resolve, 60); });
    if (signal.aborted) return;
    try {
      const answer = await ask(run, "field", { x: found.x, variable, label: label === null || label.value === "" ? null : Number(label.value) }, signal);
      if (signal.aborted || !answer.field) return;
      found.field = answer.field;
      const values = byPixel(answer.field);
      const seen = values.filter((value) => value > 0).length;
      const most = heat(field, { values, rows: height, columns: width, size: SIZE, summary: `Receptive field of ${place(run, variable)}: ${seen} pixels` });
      reach.hidden = false;
      heatScale(reach, most, "nats", SIZE);
      frame(field, pixel);
      pointed.textContent = `${words}; it depends on ${seen} of the pixels before it.`;
    } catch (problem) {
      pointed.textContent = problem.message;
    }
  }

  /** Mark a pixel of a picture. */
  function frame(canvas, pixel) {
    const context = canvas.getContext("2d");
    context.fillStyle = colour("--good");
    context.fillRect(pixel % width, Math.floor(pixel / width), 1, 1);
  }

  for (const canvas of [shown, map]) {
    canvas.addEventListener("pointermove", (event) => {
      const box = canvas.getBoundingClientRect();
      const row = Math.floor(((event.clientY - box.top) / box.height) * height), column = Math.floor(((event.clientX - box.left) / box.width) * width);
      if (row >= 0 && row < height && column >= 0 && column < width) page.tell(run, "point", { row, column, height, width });
    });
  }
  map.tabIndex = 0;
  map.addEventListener("keydown", (event) => {
    const move = { ArrowUp: -width, ArrowDown: width, ArrowLeft: -1, ArrowRight: 1 }[event.key];
    if (move === undefined || found === null) return;
    event.preventDefault();
    const to = (at ?? -1) + move;
    if (to >= 0 && to < area) page.tell(run, "point", { row: Math.floor(to / width), column: to % width, height, width });
  });

  page.hear(run, "look", (request) => { if (!request.x || request.x.length === channels * area) look(request); });
  page.hear(run, "point", (to) => { if (to.height === height && to.width === width) point(to.row * width + to.column); });
  const chooser = exampleChooser(run, (values) => page.tell(run, "look", { x: values }), words);
  element.append(make("section", { class: "card", "aria-label": "Surprisal" }, make("h3", {}, "How surprising is an image, and what does a pixel depend on?"),
    chooser, drop, make("div", { class: "row" }, label, channel, button("Save image.png", () => found && savePicture(run, found.x, "image.png")),
      button("Save as CSV", () => found && saveFound())),
    words, pictures, pointed, posterior, command));
}
