// Format: numbers with their units, and cells of tables.

import { fromServer, written } from "./time.js";

const plain = new Intl.NumberFormat("en", { maximumSignificantDigits: 4, useGrouping: true });
const whole = new Intl.NumberFormat("en", { maximumFractionDigits: 0 });
const short = new Intl.NumberFormat("en", { notation: "compact", maximumSignificantDigits: 3 });
const percent = new Intl.NumberFormat("en", { style: "percent", maximumFractionDigits: 1 });

const tidy = (value) => (Number.isInteger(value) ? whole : plain).format(value);

function seconds(value) {
  const size = Math.abs(value);
  if (size < 1e-3 && size > 0) return `${plain.format(value * 1e6)} µs`;
  if (size < 1 && size > 0) return `${plain.format(value * 1e3)} ms`;
  if (size < 120) return `${plain.format(value)} s`;
  if (size < 7200) return `${plain.format(value / 60)} min`;
  if (size < 172800) return `${plain.format(value / 3600)} h`;
  return `${plain.format(value / 86400)} d`;
}

const BYTES = ["B", "KiB", "MiB", "GiB", "TiB"];
function bytes(value) {
  let step = 0;
  for (; Math.abs(value) >= 1024 && step < BYTES.length - 1; step++) value /= 1024;
  return `${plain.format(Math.round(value * 10) / 10)} ${BYTES[step]}`;
}

const UNITS = {
  "": tidy,
  short: (value) => (Math.abs(value) < 10000 ? tidy(value) : short.format(value)),
  percentunit: (value) => percent.format(value),
  s: seconds,
  ms: (value) => seconds(value / 1e3),
  cps: (value) => `${plain.format(value)}/s`,
  bytes,
};

export const number = (value, unit = "") => (UNITS[unit] || tidy)(value);

// Columns of tables whose numbers are known by their name.
const NAMED = { coverage: "percentunit", bytes: "bytes" };

export const isNumber = (type) => /^(Nullable\()?(U?Int|Float|Decimal)/.test(type);
export const isTime = (type) => /DateTime/.test(type);

// The text of a cell; "" where there is nothing.
export function cell(value, type, name) {
  if (value === null || value === "") return "";
  if (isTime(type)) return written(fromServer(value));
  if (isNumber(type)) return number(Number(value), NAMED[name]);
  if (typeof value === "boolean") return value ? "yes" : "no";
  return Array.isArray(value) ? value.join(", ") : String(value);
}

export const heading = (name) => name.replaceAll("_", " ");

// The level of a value by thresholds in rising order, "" without any.
export function level(value, thresholds) {
  let found = "";
  for (const each of thresholds) if (each.value === null || value >= each.value) found = each.level;
  return found;
}
