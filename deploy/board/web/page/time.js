// Time: what is shown, as words (now-30d) or as moments in UTC, and how moments are written.

const UNITS = { m: 60e3, h: 3600e3, d: 86400e3, w: 7 * 86400e3, y: 365 * 86400e3 };

export const RANGES = [
  ["now-1h", "Last hour"], ["now-6h", "Last 6 hours"], ["now-24h", "Last 24 hours"], ["now-7d", "Last 7 days"],
  ["now-30d", "Last 30 days"], ["now-90d", "Last 90 days"], ["now-1y", "Last year"],
];
export const REFRESHES = [["", "Off"], ["10s", "10 s"], ["30s", "30 s"], ["1m", "1 min"], ["5m", "5 min"]];
const SECONDS = { "10s": 10, "30s": 30, "1m": 60, "5m": 300 };

export const refreshSeconds = (word) => SECONDS[word] || 0;

// Milliseconds since the epoch, or null for what is no time.
export function moment(text, now) {
  const word = /^now(?:-(\d{1,5})([mhdwy]))?$/.exec(text);
  if (word) return word[1] ? now - Number(word[1]) * UNITS[word[2]] : now;
  if (/^\d{9,14}$/.test(text)) return Number(text);
  if (!/^\d{4}-\d\d-\d\d(T\d\d:\d\d(:\d\d(\.\d{1,3})?)?Z?)?$/.test(text)) return null;
  const whole = text.length === 10 ? `${text}T00:00` : text.replace(/Z$/, "");
  const ms = Date.parse(`${whole}Z`);
  return Number.isNaN(ms) ? null : ms;
}

export const iso = (ms) => new Date(ms).toISOString().slice(0, 19) + "Z";
export const forInput = (ms) => new Date(ms).toISOString().slice(0, 16);

// What ClickHouse writes: 2026-11-03 14:00:00[.000], in UTC.
export const fromServer = (text) => (text === null ? null : Date.parse(`${text.replace(" ", "T")}Z`));

// A moment as people read it: without what is nought.
export function written(ms) {
  const text = new Date(ms).toISOString().replace("T", " ").slice(0, 19);
  if (text.endsWith(" 00:00:00")) return text.slice(0, 10);
  return text.endsWith(":00") ? text.slice(0, 16) : text;
}

export const clock = (ms) => `${new Date(ms).toISOString().slice(11, 19)} UTC`;
