// The card on which an image is looked at: the surprisal of its pixels, what each depends on, and its class.

import { post } from "../../api.js";
import { button, checkbox, commandLine, make, said, select } from "../../controls.js";
import { heat, heatScale, lines, onColours, short } from "../../plots.js";
import { toBase64 } from "../files.js";
import { exampleChooser } from "./example.js";
import { ReceptiveField } from "./field.js";
import { byPixel, picture, saveNumbers, savePicture, shapeOf } from "./picture.js";

const SIZE = 152;
const LARGEST = 3 * 2 ** 20;
const MOST = 5;

/** The card; linked panels look at the same image, and at the same pixel of it. */
export class SurprisalCard {
  constructor(element, run, page) {
    Object.assign(this, shapeOf(run), { run, page, found: null, classes: null, stop: new AbortController() });
    const { classes } = run.about;
    this.label = classes.length ? select("Class", [["", "any"], ...classes.map((name, i) => [String(i), name])]) : null;
    this.channel = this.channels === 3 ? select("Channel", [["0", "red"], ["1", "green"], ["2", "blue"]]) : null;
    this.field = new ReceptiveField(run, SIZE);
    this.build(element);
    page.hear(run, "look", (request) => { if (!request.x || request.x.length === this.channels * this.area) this.look(request); });
    page.hear(run, "point", (to) => { if (to.height === this.height && to.width === this.width) this.point(to.row * this.width + to.column); });
  }

  build(element) {
    this.words = said();
    this.command = commandLine();
    this.shown = make("canvas", { pointermove: (event) => this.move(event) });
    this.map = make("canvas", { tabindex: 0, pointermove: (event) => this.move(event), keydown: (event) => this.type(event) });
    this.scale = make("canvas");
    this.curves = make("canvas");
    this.posterior = make("figure", { hidden: true }, this.curves, make("figcaption", {}, "p(class | pixels so far), of the most probable at the end"));
    this.pictures = make("div", { class: "pictures", hidden: true }, make("figure", {}, this.shown, make("figcaption", {}, "image")),
      make("figure", {}, this.map, this.scale, make("figcaption", {}, "surprisal of each pixel")), this.field.figure);
    const chooser = exampleChooser(this.run, (values) => this.page.tell(this.run, "look", { x: values }), this.words);
    element.append(make("section", { class: "card", "aria-label": "Surprisal" },
      make("h3", {}, "How surprising is an image, and what does a pixel depend on?"), chooser, this.drop(element),
      make("div", { class: "row" }, this.label, this.channel, this.files()), this.words, this.pictures, this.field.words, this.posterior, this.command));
    onColours(element, () => {
      if (this.found?.nats) this.showMap(byPixel(this.run, this.found.nats));
      if (this.classes !== null) this.showClasses(this.classes);
    });
  }

  /** A place to drop an image; it may be dropped anywhere on the panel. */
  drop(element) {
    this.invert = checkbox("Invert dropped images");
    const file = make("input", { type: "file", accept: "image/*", change: () => { if (file.files.length) this.read(file.files[0]); } });
    const drop = make("div", { class: "drop" }, make("label", {}, "Drop an image on the page, or choose one", file), this.invert);
    element.addEventListener("dragover", () => drop.classList.add("over"));
    element.addEventListener("dragleave", () => drop.classList.remove("over"));
    element.addEventListener("drop", (event) => {
      drop.classList.remove("over");
      if (event.dataTransfer.files.length) this.read(event.dataTransfer.files[0]);
    });
    return drop;
  }

  files() {
    const { run } = this;
    const save = (write) => () => { if (this.found !== null) write(this.found); };
    return make("div", { class: "row" },
      button("Save image.png", save(({ x }) => savePicture(run, x, "image.png"))),
      button("Save as CSV", save(({ x, nats }) => saveNumbers(run, "surprisal.csv", x.map((_, i) => i), ["value", "nats", "change"],
        x.map((value, i) => [value, nats?.[i] ?? "", this.field.values?.[i] ?? ""])))));
  }

  async read(file) {
    if (file.size > LARGEST) return this.words.fail(`expected a file of at most ${LARGEST / 2 ** 20} MiB, got ${short(file.size / 2 ** 20)} MiB`);
    this.words.scrollIntoView({ block: "center" });
    this.page.tell(this.run, "look", { file: toBase64(await file.arrayBuffer()), name: file.name, invert: this.invert.value });
  }

  /** The class that the image is looked at with; null for any. */
  get chosen() { return this.label === null || this.label.value === "" ? null : Number(this.label.value); }

  look(request) {
    this.stop.abort();
    this.stop = new AbortController();
    this.words.say("Computing …");
    this.classes = null;
    this.posterior.hidden = true;
    post(this.run, "surprisal", { ...request, label: this.chosen }, (event) => this.receive(event), this.stop.signal)
      .catch((problem) => this.words.fail(problem.message));
  }

  receive(event) {
    if (event.command) this.command.show(event.command);
    if (event.waiting) this.words.say("Waiting for other pages …");
    if (event.x) this.show(event);
    if (event.classes) this.showClasses(event.classes);
  }

  show(found) {
    this.found = found;
    this.pictures.hidden = false;
    picture(this.shown, this.run, found.x, { size: SIZE, summary: "The image" });
    this.map.closest("figure").hidden = !found.nats;
    this.field.clear(found);
    const nats = found.nats ? byPixel(this.run, found.nats) : null;
    const most = nats ? `the most surprising pixel has ${short(Math.max(...nats))} nats` : "a mixture over orders has no surprisal of single pixels";
    const bits = found.total / Math.LN2 / found.x.length;
    this.words.say(`−log p = ${short(found.total)} nats, ${short(bits)} bits per dimension; ${most}. ${found.said ?? ""}`);
    if (nats !== null) this.showMap(nats);
  }

  showMap(nats) {
    const summary = "Surprisal of each pixel; move over it with the pointer or the arrow keys";
    heatScale(this.scale, heat(this.map, { values: nats, rows: this.height, columns: this.width, size: SIZE, summary }), "nats", SIZE);
  }

  showClasses(rows) {
    this.classes = rows;
    const { classes } = this.run.about, last = rows[rows.length - 1];
    const best = last.map((_, i) => i).sort((a, b) => last[b] - last[a]).slice(0, MOST);
    this.posterior.hidden = false;
    lines(this.curves, {
      series: best.map((i, k) => ({ name: classes[i], values: rows.map((row) => row[i]), dashed: k > 2 })),
      x: { label: "variables seen" }, y: { label: "p(class | x_<t)", min: 0, max: 1 }, width: 460, height: 200, legend: true,
      summary: `Most probable class: ${classes[best[0]]} with ${short(last[best[0]])}`,
    });
  }

  point(pixel) {
    const channel = this.channel === null ? 0 : Number(this.channel.value);
    if (this.found?.nats) this.field.point(this.found, channel * this.area + pixel, this.chosen);
  }

  tell(row, column) {
    const { height, width } = this;
    if (row >= 0 && row < height && column >= 0 && column < width) this.page.tell(this.run, "point", { row, column, height, width });
  }

  move(event) {
    const box = event.target.getBoundingClientRect();
    this.tell(Math.floor(((event.clientY - box.top) / box.height) * this.height), Math.floor(((event.clientX - box.left) / box.width) * this.width));
  }

  type(event) {
    const move = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] }[event.key];
    if (move === undefined || this.found === null) return;
    event.preventDefault();
    const at = this.field.pixel;
    this.tell(at === null ? 0 : Math.floor(at / this.width) + move[0], at === null ? 0 : (at % this.width) + move[1]);
  }
}
