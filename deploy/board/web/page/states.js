// States: since when each row is in which state; worse is taller as well as of another colour, and no data is a gap.

import { make, say } from "./dom.js";
import { median } from "./lines.js";
import { badge, color, WORDS } from "./looks.js";
import { fromServer, written } from "./time.js";

export const ROWS = 25;
const HEIGHTS = [0.3, 0.55, 0.78, 1];
const COLORS = ["ok", "unsure", "warn", "fail"];
const HEIGHT_PX = 22; // as panels.css has it
const DAY_MS = 86400e3;

export function drawStates(body, panel, answer, context, memory, again) {
  const rows = rowsOf(answer);
  const step = stepOf(answer, rows);
  const here = memory.all ? rows : rows.slice(0, ROWS);
  const read = memory.read;
  const list = make("ol", { class: "timeline" }, here.map((row) => line(row, step, context, memory)));
  const key = make("p", { class: "key" }, WORDS.map((word) => badge(word)), make("span", { class: "quiet" }, "gap: no data"), make("span", { class: "read" }));
  body.replaceChildren(make("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": panel.title, "data-keep": "scroll" }, list), ticks(context), key);
  memory.read = read;
  if (rows.length > ROWS) {
    const turn = () => {
      memory.all = !memory.all;
      again();
    };
    body.append(make("button", { class: "more", type: "button", "data-keep": "more", "aria-expanded": String(Boolean(memory.all)), onclick: turn },
      memory.all ? `Show the worst ${ROWS} alone` : `Show all ${rows.length}: these are the worst ${ROWS}`));
  }
  paintAll(list);
}

function rowsOf(answer) {
  const names = answer.meta.map((column) => column.name).filter((name) => name !== "time" && name !== "value");
  const rows = new Map();
  for (let row = 0; row < answer.rows; row++) {
    const name = names.map((each) => answer.data[each][row]).join(" · ");
    if (!rows.has(name)) rows.set(name, { name, points: [] });
    rows.get(name).points.push([fromServer(answer.data.time[row]), Number(answer.data.value[row])]);
  }
  const last = (row) => row.points.at(-1)[1];
  const worst = (row) => Math.max(...row.points.map(([, value]) => value));
  return [...rows.values()].sort((a, b) => last(b) - last(a) || worst(b) - worst(a) || a.name.localeCompare(b.name, "en", { numeric: true }));
}

// How long a window is: what lies between most of them.
function stepOf(answer, rows) {
  const all = rows.slice(0, 50).flatMap((row) => row.points.slice(1).map(([at], place) => at - row.points[place][0]));
  return median(all) || DAY_MS;
}

function line(row, step, context, memory) {
  const [at, value] = row.points.at(-1);
  const since = [...row.points].reverse().findIndex(([, each]) => each !== value);
  const began = since < 0 ? row.points[0][0] : row.points[row.points.length - since][0];
  const words = `${WORDS[value]} since ${written(began)}, newest window ${written(at)}`;
  const canvas = make("canvas", { tabindex: "0", role: "img", "data-keep": `row ${row.name}`, "aria-label": `${row.name}: ${words}. Left and right arrows read windows.` });
  Object.assign(canvas, { row, step, span: [context.begin, context.end] });
  canvas.addEventListener("mousemove", (event) => {
    const share = event.offsetX / canvas.clientWidth;
    const when = context.begin + share * (context.end - context.begin);
    const found = row.points.findLast(([each]) => each <= when && when < each + step);
    tell(canvas, found ? `${written(found[0])}: ${WORDS[found[1]]}` : `${written(Math.floor(when / 60e3) * 60e3)}: no data`);
  });
  canvas.addEventListener("keydown", (event) => move(event, canvas, memory));
  // Drawn anew while it is read, it goes on from the same window.
  canvas.addEventListener("focus", () => {
    const place = row.points.findIndex(([when]) => when === memory.read);
    if (place >= 0) canvas.place = place;
    paint(canvas);
  });
  canvas.addEventListener("blur", () => {
    memory.read = undefined;
    canvas.place = undefined;
    paint(canvas);
  });
  return make("li", {}, make("span", { class: "name", title: row.name }, row.name), make("span", { class: "now" }, badge(WORDS[value])), canvas);
}

function move(event, canvas, memory) {
  const last = canvas.row.points.length - 1;
  const at = canvas.place ?? (event.key === "ArrowLeft" ? last + 1 : -1);
  const to = { ArrowLeft: Math.max(0, at - 1), ArrowRight: Math.min(last, at + 1), Home: 0, End: last }[event.key];
  if (to === undefined) return;
  event.preventDefault();
  canvas.place = to;
  const [when, value] = canvas.row.points[to];
  memory.read = when;
  const text = `${written(when)}: ${WORDS[value]}`;
  tell(canvas, text);
  say(`${canvas.row.name}, ${text}`);
  paint(canvas);
}

// Beside the key, for those who look.
function tell(canvas, text) {
  canvas.title = text;
  canvas.closest(".body").querySelector(".read").textContent = `${canvas.row.name}, ${text}`;
}

// Sizes are all read before anything is drawn, which would have the page laid out anew for each.
function paintAll(place) {
  const sized = [...place.querySelectorAll("canvas")].map((canvas) => [canvas, canvas.clientWidth]);
  for (const [canvas, width] of sized) paint(canvas, width);
}

function paint(canvas, width = canvas.clientWidth) {
  width = Math.max(1, width);
  const height = HEIGHT_PX;
  const scale = devicePixelRatio;
  canvas.width = width * scale;
  canvas.height = height * scale;
  const ctx = canvas.getContext("2d");
  ctx.scale(scale, scale);
  ctx.fillStyle = color("grid");
  ctx.fillRect(0, height - 1, width, 1);
  const [begin, end] = canvas.span;
  const x = (at) => ((at - begin) / (end - begin)) * width;
  const fills = COLORS.map((name) => color(name));
  canvas.row.points.forEach(([at, value], place) => {
    const left = Math.max(0, x(at));
    const wide = Math.max(1, Math.min(width, x(at + canvas.step)) - left - (x(canvas.step + begin) > 5 ? 1 : 0));
    const tall = (height - 1) * HEIGHTS[value];
    ctx.fillStyle = fills[value];
    ctx.fillRect(left, height - 1 - tall, wide, tall);
    if (value === 1) hatch(ctx, left, height - 1 - tall, wide, tall);
    if (canvas.place === place) {
      ctx.strokeStyle = color("text");
      ctx.lineWidth = 2;
      ctx.strokeRect(left + 1, 1, Math.max(2, wide - 2), height - 2);
    }
  });
}

// Inconclusive is hatched, for those who see no colours.
function hatch(ctx, left, top, wide, tall) {
  ctx.save();
  ctx.beginPath();
  ctx.rect(left, top, wide, tall);
  ctx.clip();
  ctx.strokeStyle = color("panel");
  ctx.lineWidth = 1.5;
  ctx.beginPath();
  for (let at = left - tall; at < left + wide; at += 5) {
    ctx.moveTo(at, top + tall);
    ctx.lineTo(at + tall, top);
  }
  ctx.stroke();
  ctx.restore();
}

function ticks(context) {
  const at = [0, 1 / 3, 2 / 3, 1].map((share) => context.begin + share * (context.end - context.begin));
  const day = context.end - context.begin > 3 * DAY_MS;
  return make("p", { class: "ticks", "aria-hidden": "true" }, at.map((ms) => make("span", {}, day ? written(ms).slice(0, 10) : new Date(ms).toISOString().slice(5, 16).replace("T", " "))));
}

const redraw = () => document.querySelectorAll(".timeline").forEach(paintAll);
window.addEventListener("themechange", redraw);
let waiting = 0;
window.addEventListener("resize", () => {
  cancelAnimationFrame(waiting);
  waiting = requestAnimationFrame(redraw);
});
