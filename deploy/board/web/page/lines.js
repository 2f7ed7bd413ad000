// Lines: rows of a series (time, names, value) as columns over one axis of time, with gaps where windows lack.

import { fromServer } from "./time.js";

// How much longer than usual two points of a line may be apart and still be joined.
const GAP = 2.5;

export function linesOf(answer) {
  const names = answer.meta.map((column) => column.name).filter((name) => name !== "time" && name !== "value");
  const lines = new Map();
  const parsed = new Map();
  const { time, value } = answer.data;
  for (let row = 0; row < answer.rows; row++) {
    let at = parsed.get(time[row]);
    if (at === undefined) parsed.set(time[row], at = fromServer(time[row]) / 1000);
    const name = names.length === 1 ? answer.data[names[0]][row] : names.map((each) => answer.data[each][row]).join(" · ");
    let line = lines.get(name);
    if (!line) lines.set(name, line = { name: name || "all", points: new Map(), max: -Infinity, last: null });
    const number = value[row] === null ? null : Number(value[row]);
    line.points.set(at, number);
    if (number !== null) {
      line.last = number;
      line.max = Math.max(line.max, number);
    }
  }
  return [...lines.values()].sort((a, b) => b.max - a.max || a.name.localeCompare(b.name, "en", { numeric: true }));
}

// Columns for uPlot: the axis, then a column for each line; undefined is joined over, null is a gap.
export function columns(lines) {
  const axis = new Set();
  for (const line of lines) {
    const times = [...line.points.keys()];
    for (const time of times) axis.add(time);
    line.gaps = gaps(times);
    for (const time of line.gaps) axis.add(time);
  }
  const times = [...axis].sort((a, b) => a - b);
  return [times, ...lines.map((line) => times.map((time) => {
    if (line.points.has(time)) return line.points.get(time);
    return line.gaps.has(time) ? null : undefined;
  }))];
}

// A moment within each stretch where points lack.
function gaps(times) {
  const steps = times.slice(1).map((time, place) => time - times[place]);
  const usual = median(steps);
  return new Set(steps.flatMap((step, place) => (step > GAP * usual ? [times[place] + usual] : [])));
}

export function median(values) {
  if (!values.length) return 0;
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)];
}
