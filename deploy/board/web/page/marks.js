// Marks: changes and alerts over time, as lines in charts and as a list that can be read.

import { make } from "./dom.js";
import { color } from "./looks.js";
import { fromServer, written } from "./time.js";

const KINDS = { Changes: "change", Alerts: "alert" };
const NEAR_PX = 6;

export function marksOf(answer) {
  const found = Object.entries(answer).flatMap(([name, columns]) => columns.time.map((time, row) => (
    { kind: KINDS[name] || "change", name, at: fromServer(time), text: columns.text[row] })));
  return found.sort((a, b) => a.at - b.at);
}

export function drawMarks(plot, marks) {
  const { ctx, bbox } = plot;
  const scale = devicePixelRatio;
  ctx.save();
  for (const mark of marks) {
    const x = Math.round(plot.valToPos(mark.at / 1e3, "x", true));
    if (x < bbox.left || x > bbox.left + bbox.width) continue;
    ctx.strokeStyle = ctx.fillStyle = color(mark.kind);
    ctx.lineWidth = scale;
    ctx.setLineDash(mark.kind === "alert" ? [] : [4 * scale, 3 * scale]);
    ctx.globalAlpha = 0.55;
    ctx.beginPath();
    ctx.moveTo(x, bbox.top);
    ctx.lineTo(x, bbox.top + bbox.height);
    ctx.stroke();
    ctx.globalAlpha = 1;
    ctx.beginPath();
    // Alerts hang as triangles, changes as squares.
    const size = 4 * scale;
    if (mark.kind === "alert") {
      ctx.moveTo(x - size, bbox.top);
      ctx.lineTo(x + size, bbox.top);
      ctx.lineTo(x, bbox.top + 1.6 * size);
    } else ctx.rect(x - size * 0.75, bbox.top, size * 1.5, size * 1.5);
    ctx.fill();
  }
  ctx.restore();
}

export function marksNear(plot, marks, left) {
  return marks.filter((mark) => Math.abs(plot.valToPos(mark.at / 1e3, "x") - left) <= NEAR_PX).slice(0, 5);
}

// The list above the panels: closed at the start, for charts show the same.
export function listMarks(place, marks) {
  if (!marks.length) {
    place.replaceChildren(make("p", { class: "quiet" }, "No change took effect and no alert began in this time."));
    return;
  }
  const open = place.querySelector("details")?.open;
  const count = (kind) => {
    const found = marks.filter((mark) => mark.kind === kind).length;
    return `${found} ${kind}${found === 1 ? "" : "s"}`;
  };
  const list = make("ul", {}, [...marks].reverse().map((mark) => make("li", {},
    make("span", { class: `sign ${mark.kind}`, "aria-hidden": "true" }), make("time", { datetime: new Date(mark.at).toISOString() }, written(mark.at)), ` ${mark.text}`)));
  place.replaceChildren(make("details", { open }, make("summary", {}, `${count("change")} and ${count("alert")} in this time, marked in the charts`), list));
}
