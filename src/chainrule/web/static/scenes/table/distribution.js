// The distribution of one cell: bars that fill the cell when they are clicked, or a curve with axes.

import { make } from "../../controls.js";
import { bars, colour, lines, onColours, short, ticks } from "../../plots.js";

const SHOWN = 7;
const LEFT = 52, RIGHT = 10, LETTER = 7;  // pixels beside a plot, and of a letter
const LEAST = 0.001;  // a smaller share beyond a curve is not told
const ARROW = 12;  // pixels of an arrow to a value beyond the axis
const WIDTH = 600, HEIGHT = 130;  // as wide as the cell, if that is less

export class Distribution {
  /** The distribution of a cell of `column`; `fill` takes the value that a person clicks. */
  constructor(column, fill) {
    this.column = column;
    this.fill = fill;
    this.usual = null;
    this.shown = [];
    this.element = make("div", { class: "distribution" });
    const again = () => { if (this.shown.length > 0) this.draw(...this.shown); };
    new ResizeObserver(again).observe(this.element);
    onColours(this.element, again);
  }

  /** Show a distribution; none for null. `conditional` is true where some other cell is filled. */
  show(distribution, conditional) {
    this.element.classList.remove("waiting");
    if (!conditional) this.usual = distribution;
    this.shown = [distribution, conditional ? this.usual : null];
    this.draw(...this.shown);
  }

  draw(distribution, usual) {
    if (this.element.clientWidth === 0) return;  // it is drawn when it is seen
    if (distribution === null) this.element.replaceChildren();
    else if (this.column.choices) this.shares(distribution, usual);
    else this.plot(distribution, usual);
  }

  /** Buttons with bars, the likeliest first. */
  shares({ values, shares }, usual) {
    const rest = shares.slice(SHOWN).reduce((sum, share) => sum + share, 0);
    const rows = values.slice(0, SHOWN).map((value, i) => this.share(value, shares[i], usual));
    const more = values.length > SHOWN ? make("p", { class: "hint" }, `${values.length - SHOWN} others: ${percent(rest)}`) : null;
    this.element.replaceChildren(make("div", { class: "shares" }, ...rows), ...(more === null ? [] : [more]));
  }

  share(value, share, usual) {
    const bar = make("span", { class: "bar" }), place = usual === null ? -1 : usual.values.indexOf(value);
    bar.style.width = `${100 * share}%`;
    const track = make("span", { class: "track" }, bar);
    if (place >= 0) {
      const mark = make("span", { class: "usual", title: `${percent(usual.shares[place])} where nothing is filled` });
      mark.style.left = `${100 * usual.shares[place]}%`;
      track.append(mark);
    }
    return make("button", { type: "button", class: "share", click: () => this.fill(value), title: "Fill it in" },
      make("span", { class: "value" }, value), track, make("span", { class: "number" }, percent(share)));
  }

  /** Bars or a curve on canvas, with the median and the range of 90 % in words. */
  plot(distribution, usual) {
    const { low, median, high, spikes = [], beyond = [] } = distribution;
    const rest = beyond.filter(({ share }) => share >= LEAST).map(({ side, share, value }) => `; ${percent(share)} ${side} ${value}, not shown`).join("");
    const summary = `${this.column.name}: median ${median}, 5 to 95 %: ${low} to ${high}${rest}`;
    const canvas = make("canvas"), told = spikes.map((each) => `${each.value}: ${percent(each.share)}${isBeyond(each, distribution) ? ", beyond the picture" : ""}`);
    const own = spikes.length > 0 ? [make("span", { class: "key" }), ` ${told.join(", ")}; `] : [];
    this.element.replaceChildren(canvas, make("p", { class: "hint number" }, ...own, `median ${median}, 90 % from ${low} to ${high}${rest}`));
    if (distribution.type === "bars") {
      const every = apart(distribution.values, this.element.clientWidth);
      bars(canvas, { labels: distribution.values.map((each, i) => (i % every === 0 ? each : "")), values: distribution.shares, x: this.column.name, y: "probability", width: WIDTH, height: HEIGHT, summary });
    } else this.curve(canvas, distribution, usual !== null && usual.type === "curve" ? usual : null, summary);
  }

  curve(canvas, distribution, usual, summary) {
    const { places, density, spikes, range: [min, max], ticks: named } = distribution;
    const most = Math.max(...density, 1e-12);
    const series = [{ x: places, values: density }];
    if (usual !== null) {
      const inside = usual.density.map((each, i) => (usual.places[i] < min || usual.places[i] > max ? NaN : Math.min(each, most * 1.1)));
      series.push({ x: usual.places, values: inside, colour: colour("--soft"), dashed: true });
    }
    const margin = (max - min || 1) * 0.03, width = Math.min(this.element.clientWidth, WIDTH);
    const plot = lines(canvas, {
      series, width: WIDTH, height: HEIGHT, summary,
      x: { label: this.column.name, min: min - margin, max: max + margin, ticks: fitting(named, min - margin, max + margin, width) },
      y: densityAxis(most),
    });
    for (const spike of spikes) {
      const side = isBeyond(spike, distribution) ? Math.sign(spike.at - min) : 0;
      drawSpike(plot, side === 0 ? spike.at : side < 0 ? min - margin : max + margin, spike.share, side);
    }
  }
}

/** True if a value with a probability of its own is beyond the axis. */
function isBeyond({ at }, { range: [min, max] }) {
  return at < min || at > max;
}

/**
 * A value with a probability of its own: a bar whose full height is a probability of 1. Where it is beyond the axis, it
 * stands at the edge, with an arrow to the `side`: -1 for left, 1 for right, 0 for none.
 */
function drawSpike({ context, placeX, bottom, inner }, at, share, side) {
  const x = placeX(at) - side * ARROW, tall = share * inner.height, middle = bottom - Math.max(tall, ARROW) / 2;
  context.fillStyle = colour("--warm");
  context.fillRect(x - 2, bottom - tall, 4, tall);
  if (side === 0) return;
  context.beginPath();
  for (const [along, up] of [[ARROW, 0], [0, ARROW / 2], [0, -ARROW / 2]]) context.lineTo(x + side * along, middle + up);
  context.fill();
}

/** The axis of a density up to `most`, whose ticks are in few digits. */
function densityAxis(most) {
  const power = Math.floor(Math.log10(most)), unit = power >= -1 && power <= 2 ? 1 : 10 ** power;
  const named = ticks(0, most, 3).map((each) => [each, String(Number((each / unit).toPrecision(2)))]);
  return { label: unit === 1 ? "density" : `density, 10${superscript(power)}`, min: 0, max: most * 1.1, ticks: named };
}

function superscript(number) {
  return [...String(number)].map((each) => (each === "-" ? "⁻" : "⁰¹²³⁴⁵⁶⁷⁸⁹"[Number(each)])).join("");
}

/** Those ticks of an axis from `min` to `max`, of a plot `width` pixels wide, whose words neither touch nor are cut off. */
function fitting(named, min, max, width) {
  const found = [];
  let free = 0;
  for (const { at, label } of named) {
    const words = label.replace(/^(\d{4}-\d\d-\d\d)[T ].*$/, "$1");  // of a moment, the day
    const place = LEFT + ((at - min) / (max - min)) * (width - LEFT - RIGHT), half = words.length * LETTER / 2;
    if (place - half < free || place + half > width) continue;
    found.push([at, words]);
    free = place + half + LETTER;
  }
  return found;
}

/** One of how many words fits on an axis of a plot `width` pixels wide. */
function apart(words, width) {
  const longest = Math.max(...words.map((each) => each.length), 1);
  return Math.ceil((words.length * (longest + 1) * LETTER) / Math.max(width - LEFT - RIGHT, 80));
}

export function percent(share) {
  return share > 0 && share < 0.001 ? "< 0.1 %" : `${short(100 * share)} %`;
}
