// Series: lines over time, drawn by uPlot, with a legend that is a table, marks of changes and alerts, and limits.

import { arrows, make, say } from "./dom.js";
import { number } from "./format.js";
import { columns, linesOf } from "./lines.js";
import { color, lineColor, lineDash } from "./looks.js";
import { drawMarks, marksNear } from "./marks.js";
import { written } from "./time.js";

const SHOWN = 10;
const LISTED = 100;
const ROW_PX = 34;
const ROOM_PX = 82;
const LEAST_PX = 150;
const DAY_S = 86400;
const plots = new WeakMap();

export function drawSeries(body, panel, answer, context, memory, again) {
  const lines = linesOf(answer);
  memory.shown ||= new Set(lines.slice(0, SHOWN).map((line) => line.name));
  if (!lines.some((line) => memory.shown.has(line.name))) memory.shown = new Set(lines.slice(0, SHOWN).map((line) => line.name));
  lines.forEach((line, place) => (line.place = place));
  const drawn = lines.filter((line) => memory.shown.has(line.name));
  const read = memory.read;
  const top = body.querySelector(".legend")?.scrollTop || 0;
  plots.get(body)?.destroy();
  const tip = make("div", { class: "tip", hidden: true });
  const holder = make("div", { class: "plot", tabindex: "0", role: "group", "aria-roledescription": "chart", "data-keep": "plot",
    "aria-label": `${panel.title}: ${lines.length} lines. Left and right arrows read the values.` }, tip);
  const legend = legendOf(lines, panel, memory, again);
  body.replaceChildren(holder, ...left(lines, memory), legend);
  const height = Math.max(LEAST_PX, panel.height * ROW_PX - ROOM_PX);
  const plot = new uPlot(options(holder, height, drawn, panel, context, tip), columns(drawn), holder);
  plots.set(body, plot);
  memory.read = read;
  keys(holder, plot, drawn, panel, memory);
  legend.scrollTop = top;
  watch(holder, plot);
}

function options(holder, height, drawn, panel, context, tip) {
  const axis = { stroke: () => color("quiet"), grid: { stroke: () => color("grid"), width: 1 }, ticks: { show: false }, font: "12px system-ui, sans-serif" };
  const few = drawn.every((line) => line.points.size < 60);
  return {
    width: Math.max(200, holder.clientWidth || 600), height, tzDate: (seconds) => uPlot.tzDate(new Date(seconds * 1e3), "Etc/UTC"),
    legend: { show: false }, cursor: { sync: { key: "board" }, drag: { x: true, y: false, setScale: false }, focus: { prox: 24 } },
    scales: { x: { time: true, range: [context.begin / 1e3, context.end / 1e3] }, y: { range: heights } },
    axes: [{ ...axis, values: (_plot, ticks, _axis, _space, step) => ticks.map((tick) => tickOf(tick, step)) }, { ...axis, size: 58, values: (_plot, ticks) => ticks.map((tick) => number(tick, panel.unit)) }],
    focus: { alpha: 0.35 },
    series: [{}, ...drawn.map((line) => ({
      label: line.name, stroke: () => lineColor(line.place), dash: lineDash(line.place), width: 1.5,
      points: { show: few ? true : undefined, size: 5 }, spanGaps: false,
    }))],
    hooks: {
      drawClear: [(plot) => limits(plot, panel)],
      draw: [(plot) => drawMarks(plot, context.marks)],
      setCursor: [(plot) => point(plot, drawn, panel, context, tip)],
      setSelect: [(plot) => zoom(plot, context)],
    },
  };
}

// Month and day, or hour and minute where a day has several ticks.
function tickOf(seconds, step) {
  const text = new Date(seconds * 1e3).toISOString();
  return step >= DAY_S || text.slice(11, 16) === "00:00" ? text.slice(5, 10) : text.slice(11, 16);
}

// Room above and below, and nought where it is near.
function heights(_plot, low, high) {
  if (low === null || high === null) return [0, 1];
  if (low === high) return low === 0 ? [0, 1] : [Math.min(0, low * 1.2), Math.max(0, low * 1.2)];
  const room = (high - low) * 0.08;
  return [low >= 0 && low < (high - low) ? 0 : low - room, high + room];
}

// Bands of the levels that are not "ok", and the lines where they begin.
function limits(plot, panel) {
  const { ctx, bbox } = plot;
  ctx.save();
  panel.thresholds.forEach((each, place) => {
    if (each.level === "ok") return;
    const next = panel.thresholds[place + 1]?.value ?? plot.scales.y.max;
    const low = Math.max(each.value ?? plot.scales.y.min, plot.scales.y.min);
    const high = Math.min(next, plot.scales.y.max);
    if (high <= low) return;
    const top = plot.valToPos(high, "y", true);
    const bottom = plot.valToPos(low, "y", true);
    ctx.fillStyle = color(each.level);
    ctx.globalAlpha = 0.09;
    ctx.fillRect(bbox.left, top, bbox.width, bottom - top);
    ctx.globalAlpha = 0.7;
    ctx.fillRect(bbox.left, each.value === null ? top : bottom, bbox.width, Math.max(1, devicePixelRatio));
  });
  ctx.restore();
}

function point(plot, drawn, panel, context, tip) {
  const { left, idx } = plot.cursor;
  const isHere = plot.root.matches(":hover, :focus-within") || plot.root.parentElement === document.activeElement;
  if (idx === null || left < 0 || !isHere) {
    tip.hidden = true;
    return;
  }
  tip.replaceChildren(...told(plot, idx, drawn, panel).map((text, place) => make(place ? "span" : "b", {}, text)),
    ...marksNear(plot, context.marks, left).map((mark) => make("span", { class: mark.kind }, `${written(mark.at)} ${mark.text}`)));
  tip.hidden = false;
  tip.classList.toggle("left", left > plot.over.clientWidth / 2);
}

function told(plot, place, drawn, panel) {
  const values = drawn.map((line, column) => [line, plot.data[column + 1][place]]).filter(([, value]) => value !== undefined && value !== null);
  values.sort((a, b) => b[1] - a[1]);
  const rest = values.length > SHOWN ? [`and ${values.length - SHOWN} more`] : [];
  return [written(plot.data[0][place] * 1e3), ...values.slice(0, SHOWN).map(([line, value]) => `${line.name}: ${number(value, panel.unit)}`), ...rest];
}

function zoom(plot, context) {
  if (plot.select.width < 6) return;
  const [from, to] = [plot.select.left, plot.select.left + plot.select.width].map((left) => plot.posToVal(left, "x") * 1e3);
  plot.setSelect({ left: 0, width: 0, top: 0, height: 0 }, false);
  context.zoom(from, to);
}

// The cursor by keys: each press goes one point, and its values are said.
function keys(holder, plot, drawn, panel, memory) {
  const show = (place) => plot.setCursor({ left: plot.valToPos(plot.data[0][place], "x"), top: plot.over.clientHeight / 2 });
  holder.addEventListener("keydown", (event) => {
    const last = plot.data[0].length - 1;
    const at = plot.cursor.idx ?? (event.key === "ArrowLeft" ? last + 1 : -1);
    const to = { ArrowLeft: Math.max(0, at - 1), ArrowRight: Math.min(last, at + 1), Home: 0, End: last }[event.key];
    if (event.key === "Escape") plot.setCursor({ left: -10, top: -10 });
    if (to === undefined) return;
    event.preventDefault();
    memory.read = plot.data[0][to];
    show(to);
    say(told(plot, to, drawn, panel).join(", "));
  });
  // Drawn anew while it is read, it goes on from the same time: once uPlot has its scales, which it sets in a microtask.
  holder.addEventListener("focus", () => {
    const place = plot.data[0].indexOf(memory.read);
    if (place >= 0) queueMicrotask(() => show(place));
  });
  holder.addEventListener("blur", () => {
    memory.read = undefined;
    plot.setCursor({ left: -10, top: -10 });
  });
}

function legendOf(lines, panel, memory, again) {
  const turn = (line) => () => {
    if (memory.shown.has(line.name)) memory.shown.delete(line.name);
    else memory.shown.add(line.name);
    again();
  };
  const row = (line) => make("tr", {},
    make("th", { scope: "row" }, make("button", { type: "button", "data-keep": `line ${line.name}`, "aria-pressed": String(memory.shown.has(line.name)), onclick: turn(line), title: line.name },
      make("span", { class: "swatch", "aria-hidden": "true", style: { borderTopColor: lineColor(line.place), borderTopStyle: lineDash(line.place).length ? "dashed" : "solid" } }), line.name)),
    make("td", {}, line.last === null ? "–" : number(line.last, panel.unit)),
    make("td", {}, line.max === -Infinity ? "–" : number(line.max, panel.unit)));
  const table = make("table", {}, make("thead", {}, make("tr", {}, ["Line", "Last", "Greatest"].map((text) => make("th", { scope: "col" }, text)))),
    make("tbody", {}, lines.slice(0, LISTED).map(row)));
  const legend = make("div", { class: "legend" }, table);
  arrows(legend, "button");
  return legend;
}

// What is not drawn, told above the legend.
function left(lines, memory) {
  const drawn = lines.filter((line) => memory.shown.has(line.name)).length;
  if (drawn === lines.length) return [];
  const more = lines.length > LISTED ? ` ${LISTED} are listed: pick fewer to see the others.` : "";
  return [make("p", { class: "left-out" }, `${drawn} of ${lines.length} lines are drawn, the greatest first: press one below.${more}`)];
}

const sizes = new ResizeObserver((entries) => {
  for (const { target, contentRect } of entries) {
    const plot = target.plot;
    if (plot && target.isConnected && Math.abs(plot.width - contentRect.width) > 1 && contentRect.width > 100) {
      plot.setSize({ width: Math.floor(contentRect.width), height: plot.height });
    }
    if (!target.isConnected) sizes.unobserve(target);
  }
});

function watch(holder, plot) {
  holder.plot = plot;
  sizes.observe(holder);
}
