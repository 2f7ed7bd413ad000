// Stat: a few numbers, each with its name; verdicts in their colours where there are any.

import { heading, level, number } from "./format.js";
import { make } from "./dom.js";
import { badge, kindOf } from "./looks.js";

export function drawStat(body, panel, answer) {
  const items = answer.meta.map(({ name }) => {
    const value = answer.data[name][0] === null ? null : Number(answer.data[name][0]);
    const kind = panel.thresholds.length ? level(value ?? 0, panel.thresholds) : value ? kindOf(name) : "";
    const shown = value === null ? "–" : number(value, panel.unit);
    return make("div", { class: `number ${kind}` },
      make("dt", {}, value && kindOf(name) && !panel.thresholds.length ? badge(name) : heading(name)),
      make("dd", { "data-column": name }, shown));
  });
  body.replaceChildren(make("dl", { class: "numbers" }, items));
}
