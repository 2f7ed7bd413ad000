// Looks: how verdicts are told apart, by sign and word as well as by colour, and colours as the theme has them.

import { make } from "./dom.js";

export const WORDS = ["ok", "inconclusive", "warn", "fail"];
const SIGNS = { ok: "✓", inconclusive: "?", warn: "▲", fail: "✕", "no verdict": "–" };
const KINDS = {
  ok: "ok", inconclusive: "unsure", warn: "warn", fail: "fail", "no verdict": "none", firing: "fail", resolved: "ok",
  refused: "warn", failed: "fail", silent: "warn", critical: "fail", retrain: "fail", investigate: "warn",
};

export const kindOf = (word) => KINDS[word] || "";

// A word in its colour, with its sign.
export function badge(word) {
  const kind = kindOf(word);
  if (!kind) return document.createTextNode(word);
  return make("span", { class: `badge ${kind}` }, make("span", { "aria-hidden": "true" }, SIGNS[word] || "●"), ` ${word}`);
}

// Read once a theme: a chart asks for them some hundred times.
const colors = new Map();
window.addEventListener("themechange", () => colors.clear());

export function color(name) {
  if (!colors.has(name)) colors.set(name, getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim());
  return colors.get(name);
}

export const LINES = 10;
export const lineColor = (place) => color(`line-${place % LINES}`);
// Past ten lines colours come again, dashed.
export const lineDash = (place) => [[], [6, 3], [2, 3]][Math.floor(place / LINES) % 3];
