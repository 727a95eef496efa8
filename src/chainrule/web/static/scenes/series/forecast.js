// The card of forecasts: history, the origin that can be dragged, bands, and what really came.

import { ask, post } from "../../api.js";
import { button, checkbox, commandLine, download, make, number, said, select, slider } from "../../controls.js";
import { onColours } from "../../plots.js";
import { asText } from "../table/rows.js";
import { figure } from "./history.js";
import { drawForecast, drawOverview, placeAt } from "./picture.js";

const PAUSE = 60;  // milliseconds that the origin rests before a forecast is computed

/** Mount the card; returns the function that makes the first forecast. */
export function mountForecast(element, run, page, history) {
  const { about } = run;
  const words = said(), command = commandLine();
  const canvas = make("canvas", { class: "drag" }), overview = make("canvas", { class: "drag" });
  const state = { series: 0, origin: about.series[0].valid, part: null, forecast: null, plot: null };
  const chooser = about.series.length > 1
    ? select(about.group, about.series.map((each, i) => [String(i), each.name]), { onChange: () => tell({ series: Number(chooser.value), origin: about.series[Number(chooser.value)].valid }) }) : null;
  const origin = slider("Origin", { value: state.origin, min: 1, max: about.series[0].size, step: 1, show: sayOrigin, onChange: () => tell({ origin: origin.value }) });
  const length = number("Length", { value: about.length, min: 1, max: about.longest, onChange: () => tell({}) });
  const draws = number("Draws", { value: about.draws, min: 1, max: about.most_draws, onChange: () => tell({}) });
  const seed = number("Seed", { value: 0, min: 0, onChange: () => tell({}) });
  const paths = checkbox("Show some draws", { onChange: draw });
  const beyond = make("span", { hidden: true }, "A band goes on beyond the picture.");
  const legend = make("p", { class: "hint legend", hidden: true }, make("span", { class: "key median" }), "median", make("span", { class: "key inner" }), "50 % of draws",
    make("span", { class: "key outer" }), "90 % of draws", make("span", { class: "key known" }), "known; dashed: what came", beyond);
  let stop = new AbortController(), timer = 0;
  origin.classList.add("wide-control");

  function sayOrigin(place) {
    const time = state.part?.times[place - 1 - state.part.first];
    return `after ${time ?? `value ${place}`}`;
  }

  function tell(change) {
    page.tell(run, "origin", { series: state.series, origin: state.origin, length: length.value, draws: draws.value, seed: seed.value, ...change });
  }

  page.hear(run, "origin", async (asked) => {
    const series = Math.min(asked.series, about.series.length - 1), { size } = about.series[series];
    Object.assign(state, { series, origin: Math.min(Math.max(asked.origin, 1), size) });
    if (chooser !== null) chooser.value = String(series);
    for (const [control, value] of [[length, asked.length], [draws, asked.draws], [seed, asked.seed]]) control.value = Math.round(value);
    origin.input.max = size;
    state.forecast = null;
    await look();
    clearTimeout(timer);
    timer = setTimeout(forecast, PAUSE);
  });

  /** Show the history around the origin. */
  async function look() {
    try {
      const shown = state.origin;
      const part = await history.around(state.series, shown - past(), shown + length.value);
      if (shown !== state.origin) return;
      state.part = part;
      origin.value = state.origin;
      draw();
    } catch (problem) { words.fail(problem.message); }
  }

  /** The number of values that are shown before the origin. */
  function past() {
    return Math.max(4 * length.value, 60);
  }

  function forecast() {
    stop.abort();
    stop = new AbortController();
    const request = { series: state.series, origin: state.origin, length: Math.round(length.value), draws: Math.round(draws.value), seed: Math.round(seed.value) };
    post(run, "forecast", request, (event) => {
      if (event.command) command.show(event.command);
      if (event.waiting) words.say("Waiting for other pages …");
      if (!event.bands || event.origin !== state.origin) return;
      state.forecast = event;
      draw();
      words.say(sayForecast(event));
    }, stop.signal).catch((problem) => words.fail(problem.message));
  }

  function sayForecast({ bands, times, draws: count, inside, known }) {
    const last = times.length - 1;
    const end = `${times[last]}: median ${figure(bands["50%"][last])}, 90 % from ${figure(bands["5%"][last])} to ${figure(bands["95%"][last])}`;
    const real = known > 0 ? ` Of ${known} values that came, ${inside} lie in the band of 90 %.` : "";
    return `${count} exact draws, as what is known comes first. ${end}.${real}`;
  }

  function draw() {
    if (state.part === null) return;
    legend.hidden = state.forecast === null;
    state.plot = drawForecast(canvas, { ...state, about, past: past(), length: length.value, paths: paths.value });
    beyond.hidden = !state.plot.cut;
    overview.hidden = state.part.size <= past() + length.value;
    if (!overview.hidden) state.strip = drawOverview(overview, { ...state, past: past(), length: length.value });
  }

  page.hear(run, "forecast at", ({ series, place }) => tell({ series, origin: Math.max(place, 1) }));

  for (const [target, plot] of [[canvas, () => state.plot], [overview, () => state.strip]]) {
    const move = (event) => { if (plot()) tell({ origin: Math.round(placeAt(plot(), event)) }); };
    target.addEventListener("pointerdown", (event) => { target.setPointerCapture(event.pointerId); move(event); });
    target.addEventListener("pointermove", (event) => { if (target.hasPointerCapture(event.pointerId)) move(event); });
  }
  new ResizeObserver(() => draw()).observe(element);
  onColours(element, draw);

  const again = button("Other draws", () => tell({ seed: seed.value + 1 }));
  const saveForecast = button("Save forecast.csv", () => {
    if (state.forecast === null) return;
    const { times, bands } = state.forecast, names = Object.keys(bands);
    download("forecast.csv", asText(["time", ...names], times.map((time, i) => [time, ...names.map((name) => bands[name][i])])));
  });
  const savePast = button("Save past.csv", async () => {
    try {
      const { file, text } = await ask(run, "past", { series: state.series, origin: state.origin });
      download(file, text);
    } catch (problem) { words.fail(problem.message); }
  });
  element.append(make("section", { class: "card wide", "aria-label": "Forecast" }, make("h3", {}, `${about.column}: history and forecast`),
    make("div", { class: "row" }, chooser, origin, length, draws, seed, again, paths),
    make("p", { class: "hint" }, "Drag the origin in the picture, or move it with the arrow keys on its slider."),
    canvas, legend, overview, words, make("div", { class: "row" }, saveForecast, savePast), command));
  return () => tell({});
}
