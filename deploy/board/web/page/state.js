// State: what is shown, as it stands in the address, so that an address is all that needs to be shared.

import { moment } from "./time.js";

export const START = { from: "now-30d", to: "now", refresh: "1m" };
const KEPT = ["from", "to", "refresh"];

// What the address says; times that are none are those of the start, and are told in `wrong`.
export function read(search, now = Date.now()) {
  const query = new URLSearchParams(search);
  const state = { ...START, picked: {}, wrong: [] };
  for (const [name, value] of query) {
    if (!KEPT.includes(name)) (state.picked[name] ||= []).push(value);
    else state[name] = value;
  }
  for (const name of ["from", "to"]) {
    if (moment(state[name], now) === null) {
      state.wrong.push(`${name}=${state[name]}`);
      state[name] = START[name];
    }
  }
  if (moment(state.from, now) >= moment(state.to, now)) {
    state.wrong.push("from is not before to");
    Object.assign(state, { from: START.from, to: START.to });
  }
  return state;
}

// The query of an address: what differs from the start, and the variables that the dashboard has.
export function query(state, board) {
  const result = new URLSearchParams();
  for (const name of KEPT) if (state[name] !== START[name]) result.append(name, state[name]);
  const has = new Set(board.variables.map((variable) => variable.name));
  for (const [name, values] of Object.entries(state.picked)) {
    if (has.has(name)) for (const value of values) result.append(name, value);
  }
  const text = result.toString();
  return text ? `?${text}` : "";
}

export const address = (state, board) => `/${board.name}${query(state, board)}`;

// The question to the server: moments, and what is picked.
export function asked(state, picked, now = Date.now()) {
  return { from: Math.round(moment(state.from, now)), to: Math.round(moment(state.to, now)), picked };
}
