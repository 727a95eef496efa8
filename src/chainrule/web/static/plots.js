// Plots on canvas, with axes and units. Each sets the canvas's label for screen readers from `summary`.

const MARGIN = { left: 58, right: 10, top: 10, bottom: 40 };

/** A colour of the page, such as "--accent". */
export function colour(name) {
  return getComputedStyle(document.documentElement).getPropertyValue(name).trim();
}

const dark = window.matchMedia("(prefers-color-scheme: dark)");

/** Call `plot` whenever the colours of the page change, as long as `element` is on it: a canvas keeps those that it got. */
export function onColours(element, plot) {
  const again = () => {
    if (element.isConnected) plot();
    else dark.removeEventListener("change", again);
  };
  dark.addEventListener("change", again);
}

/** Colours of series, which differ in lightness too. */
export function seriesColours() {
  return [colour("--accent"), colour("--warm"), colour("--good"), colour("--ink"), colour("--soft")];
}

/** Make a canvas of `width` x `height` CSS pixels sharp on this screen; returns its context. */
export function sharp(canvas, width, height) {
  const ratio = window.devicePixelRatio || 1;
  canvas.width = Math.round(width * ratio);
  canvas.height = Math.round(height * ratio);
  canvas.style.width = `${width}px`;
  canvas.style.height = `${height}px`;
  const context = canvas.getContext("2d");
  context.setTransform(ratio, 0, 0, ratio, 0, 0);
  context.clearRect(0, 0, width, height);
  return context;
}

/** Say what a canvas shows. */
export function describe(canvas, summary) {
  canvas.setAttribute("role", "img");
  canvas.setAttribute("aria-label", summary);
}

/** Ticks at round numbers between `low` and `high`, about `count`. */
export function ticks(low, high, count = 5) {
  if (!(high > low)) return [low];
  const raw = (high - low) / count;
  const power = 10 ** Math.floor(Math.log10(raw));
  const step = [1, 2, 5, 10].map((m) => m * power).find((each) => each >= raw);
  const found = [];
  for (let i = Math.ceil(low / step - 1e-9); i * step <= high + step * 1e-9; i += 1) found.push(i * step);
  return found;
}

/** A number in few digits. */
export function short(value, digits = 3) {
  if (!Number.isFinite(value)) return "–";
  if (value !== 0 && (Math.abs(value) < 1e-3 || Math.abs(value) >= 1e6)) return value.toExponential(digits - 2);
  return String(Number(value.toPrecision(digits)));
}

/** Ticks with their words, in as many digits as tell them apart. */
export function toldApart(values) {
  const words = [3, 4, 5, 6, 7, 8, 9].map((digits) => values.map((each) => short(each, digits)));
  const apart = words.find((each) => new Set(each).size === values.length) ?? words.at(-1);
  return values.map((each, i) => [each, apart[i]]);
}

/**
 * Axes of a plot; returns the context and the places of values.
 *
 * `x` and `y` are `{label, min, max, ticks: [[value, words], ...]}`; without `ticks` they are at round numbers.
 */
export function axes(canvas, { width = 420, height = 180, top = MARGIN.top, x, y }) {
  width = Math.min(width, Math.max(canvas.parentElement?.clientWidth || width, 200));
  const context = sharp(canvas, width, height);
  const inner = { width: width - MARGIN.left - MARGIN.right, height: height - top - MARGIN.bottom };
  const span = (axis) => (axis.max - axis.min) || 1;
  const placeX = (value) => MARGIN.left + ((value - x.min) / span(x)) * inner.width;
  const placeY = (value) => top + inner.height - ((value - y.min) / span(y)) * inner.height;
  context.font = "12px system-ui, sans-serif";
  context.strokeStyle = colour("--line");
  context.fillStyle = colour("--soft");
  context.lineWidth = 1;
  context.textAlign = "right";
  context.textBaseline = "middle";
  for (const [value, words] of y.ticks ?? toldApart(ticks(y.min, y.max, 4))) {
    const place = Math.round(placeY(value)) + 0.5;
    context.beginPath();
    context.moveTo(MARGIN.left, place);
    context.lineTo(width - MARGIN.right, place);
    context.stroke();
    context.fillText(words, MARGIN.left - 6, place);
  }
  context.textAlign = "center";
  context.textBaseline = "top";
  for (const [value, words] of x.ticks ?? toldApart(ticks(x.min, x.max, Math.max(2, Math.floor(inner.width / 70))))) {
    const half = context.measureText(words).width / 2;
    context.fillText(words, Math.min(placeX(value), width - half), height - MARGIN.bottom + 5);
  }
  context.fillText(x.label, MARGIN.left + inner.width / 2, height - 16, inner.width);
  context.save();
  context.translate(8, top + inner.height / 2);
  context.rotate(-Math.PI / 2);
  context.textBaseline = "middle";
  context.fillText(y.label, 0, 0, inner.height);
  context.restore();
  return { context, placeX, placeY, width, height, inner, left: MARGIN.left, bottom: top + inner.height };
}

/** Bars of `values`, named by `labels`; those at the indices `marked` stand out. */
export function bars(canvas, { labels, values, x, y, marked = [], width, height, summary }) {
  const most = y.max ?? Math.max(...values, 1e-9);
  const wide = Math.min(width ?? 420, Math.max(canvas.parentElement?.clientWidth || 420, 200)) - MARGIN.left - MARGIN.right;
  const letters = Math.max(...labels.map((words) => words.length), 1);
  const every = Math.ceil(labels.length / Math.max(1, Math.floor(wide / (7 * letters + 8))));
  const named = labels.map((words, i) => [i + 0.5, words]).filter((_, i) => i % every === 0);
  const plot = axes(canvas, {
    width, height, x: { label: x, min: 0, max: values.length, ticks: named }, y: { label: y.label ?? y, min: 0, max: most },
  });
  const step = plot.inner.width / values.length;
  values.forEach((value, i) => {
    plot.context.fillStyle = colour(marked.includes(i) ? "--warm" : "--accent");
    const top = plot.placeY(Math.min(value, most));
    plot.context.fillRect(plot.placeX(i) + step * 0.1, top, Math.max(step * 0.8, 1), plot.bottom - top);
  });
  describe(canvas, summary ?? `Bars of ${y.label ?? y} by ${x}`);
}

/**
 * Lines `[{name, x?, values, colour?, dashed?}]` over bands `[{low, high, x?, colour?, alpha?}]`; `mark` is a place on the
 * x axis to show, and `legend` says the names of the lines.
 */
export function lines(canvas, { series, x, y, width, height, mark, bands = [], legend = false, summary }) {
  const finite = [...series.flatMap((each) => each.values), ...bands.flatMap((each) => [...each.low, ...each.high])].filter(Number.isFinite);
  const low = y.min ?? Math.min(...finite), high = y.max ?? Math.max(...finite);
  const longest = Math.max(...series.map((each) => each.values.length), 2);
  const plot = axes(canvas, {
    width, height, top: legend ? MARGIN.top + 20 : MARGIN.top, x: { min: 0, max: longest - 1, ...x }, y: { ...y, min: low, max: high > low ? high : low + 1 },
  });
  const { context, placeX, placeY } = plot;
  for (const band of bands) {
    context.fillStyle = band.colour ?? colour("--accent");
    context.globalAlpha = band.alpha ?? 0.2;
    context.beginPath();
    band.high.forEach((value, i) => context.lineTo(placeX(band.x ? band.x[i] : i), placeY(value)));
    for (let i = band.low.length - 1; i >= 0; i -= 1) context.lineTo(placeX(band.x ? band.x[i] : i), placeY(band.low[i]));
    context.fill();
    context.globalAlpha = 1;
  }
  const palette = seriesColours();
  series.forEach((each, s) => {
    context.strokeStyle = each.colour ?? palette[s % palette.length];
    context.lineWidth = 1.8;
    context.setLineDash(each.dashed ? [5, 4] : []);
    context.beginPath();
    let drawing = false;
    each.values.forEach((value, i) => {
      if (!Number.isFinite(value)) { drawing = false; return; }
      const at = [placeX(each.x ? each.x[i] : i), placeY(value)];
      if (drawing) context.lineTo(...at); else context.moveTo(...at);
      drawing = true;
    });
    context.stroke();
  });
  context.setLineDash([]);
  if (mark !== undefined) {
    context.strokeStyle = colour("--warm");
    context.beginPath();
    context.moveTo(placeX(mark), placeY(low));
    context.lineTo(placeX(mark), placeY(high > low ? high : low + 1));
    context.stroke();
  }
  if (legend) names(plot, series, palette);
  describe(canvas, summary ?? `Lines of ${y.label} by ${x.label}`);
  return plot;
}

/** The names of lines, above the plot. */
function names({ context, left }, series, palette) {
  context.textAlign = "left";
  context.textBaseline = "middle";
  let at = left + 8;
  series.forEach((each, s) => {
    context.strokeStyle = each.colour ?? palette[s % palette.length];
    context.setLineDash(each.dashed ? [5, 4] : []);
    context.beginPath();
    context.moveTo(at, MARGIN.top);
    context.lineTo(at + 16, MARGIN.top);
    context.stroke();
    context.fillStyle = colour("--ink");
    context.fillText(each.name, at + 20, MARGIN.top);
    at += context.measureText(each.name).width + 34;
  });
  context.setLineDash([]);
}

/** The colour `[r, g, b]` of `share`, from 0 to 1, of a scale from the ground over blue and orange to yellow. */
export function heatColour(share) {
  const stops = [[16, 18, 40], [66, 60, 140], [160, 60, 120], [230, 110, 60], [250, 235, 130]];
  const place = Math.min(Math.max(share, 0), 1) * (stops.length - 1);
  const i = Math.min(Math.floor(place), stops.length - 2);
  return stops[i].map((from, c) => Math.round(from + (stops[i + 1][c] - from) * (place - i)));
}

/**
 * A picture `colours(row, column) -> [r, g, b] | null` of `rows` x `columns` cells, null where the ground shows through,
 * on a canvas that is shown `size` CSS pixels wide at most.
 */
export function pixels(canvas, rows, columns, colours, { size = 240, summary } = {}) {
  if (canvas.width !== columns || canvas.height !== rows) { canvas.width = columns; canvas.height = rows; }
  const scale = Math.max(1, Math.floor(size / Math.max(rows, columns)));
  canvas.classList.add("pixels");
  canvas.style.width = `${columns * scale}px`;
  const context = canvas.getContext("2d");
  const image = context.createImageData(columns, rows);
  for (let row = 0; row < rows; row += 1) {
    for (let column = 0; column < columns; column += 1) {
      const found = colours(row, column);
      if (found !== null) image.data.set([...found, 255], 4 * (row * columns + column));
    }
  }
  context.putImageData(image, 0, 0);
  if (summary !== undefined) describe(canvas, summary);
}

/** A heat map of `values` (rows x columns, flat) from 0 to `most`; null where there is none. Returns `most`. */
export function heat(canvas, { values, rows, columns, most, size, summary }) {
  const top = most ?? Math.max(...values.filter(Number.isFinite), 1e-9);
  pixels(canvas, rows, columns, (row, column) => {
    const value = values[row * columns + column];
    return value === null || value === undefined ? null : heatColour(value / top);
  }, { size, summary });
  return top;
}

/** The scale of a heat map: colours from 0 to `most`, with the unit. */
export function heatScale(canvas, most, unit, width = 200) {
  const context = sharp(canvas, width, 34);
  for (let i = 0; i < width; i += 1) {
    context.fillStyle = `rgb(${heatColour(i / (width - 1)).join(",")})`;
    context.fillRect(i, 0, 1, 12);
  }
  context.fillStyle = colour("--soft");
  context.font = "12px system-ui, sans-serif";
  context.textBaseline = "top";
  context.fillText("0", 0, 17);
  context.textAlign = "right";
  context.fillText(`${short(most)} ${unit}`, width, 17);
  describe(canvas, `Colours from 0 to ${short(most)} ${unit}`);
}
