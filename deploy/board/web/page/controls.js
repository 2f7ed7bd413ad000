// Controls: time, refresh and what is picked, above the panels.

import { freshId, make } from "./dom.js";
import { picker } from "./picker.js";
import { forInput, iso, moment, RANGES, REFRESHES, written } from "./time.js";

const CUSTOM = "custom";

// `state` as in the address, `offered` choices and picks of the server or null, `change` takes what is to change.
export function drawControls(place, board, state, offered, change, refresh) {
  const focused = place.contains(document.activeElement) ? document.activeElement.dataset.variable || document.activeElement.dataset.control : null;
  place.replaceChildren(time(state, change), ...board.variables.map((variable) => field(variable, state, offered, change)), live(state, change, refresh));
  if (focused) place.querySelector(`[data-variable="${focused}"], [data-control="${focused}"]`)?.focus();
}

// A list that is open is not drawn anew below its reader's hands.
export const isOpen = (place) => Boolean(place.querySelector(".sheet:not([hidden])"));

function field(variable, state, offered, change) {
  const chosen = (state.picked[variable.name] || []).length > 0;
  // Before the server has answered, or while it does not, nothing is known of what could be picked.
  const choices = offered?.choices[variable.name] ?? null;
  const picked = offered?.picked[variable.name] || state.picked[variable.name] || [];
  return picker(variable, choices, picked, chosen, (values) => change({ picked: { ...state.picked, [variable.name]: values } }));
}

function time(state, change) {
  const id = freshId("time");
  const known = state.to === "now" && RANGES.some(([from]) => from === state.from);
  const now = Date.now();
  const [from, to] = [moment(state.from, now), moment(state.to, now)];
  const words = `${written(Math.floor(from / 60e3) * 60e3)} to ${written(Math.floor(to / 60e3) * 60e3)}`;
  const sheet = custom(from, to, change);
  const select = make("select", { id, "data-control": "time" },
    RANGES.map(([value, text]) => make("option", { value, selected: known && value === state.from }, text)),
    make("option", { value: CUSTOM, selected: !known }, known ? "From … to …" : words));
  const edit = make("button", { type: "button", class: "quiet", "data-control": "custom", "aria-expanded": "false", onclick: () => show(sheet.hidden) }, "Change");
  const show = (open) => {
    sheet.hidden = !open;
    edit.setAttribute("aria-expanded", String(open));
    if (open) sheet.querySelector("input").focus();
  };
  select.addEventListener("change", () => (select.value === CUSTOM ? show(true) : change({ from: select.value, to: "now" })));
  sheet.addEventListener("keydown", (event) => {
    if (event.key !== "Escape") return;
    show(false);
    select.focus();
  });
  return make("div", { class: "field" }, make("label", { for: id }, "Time (UTC)"), make("div", { class: "row" }, select, known ? null : edit), sheet);
}

function custom(from, to, change) {
  const [first, last] = [freshId("from"), freshId("to")];
  const begin = make("input", { id: first, type: "datetime-local", required: true, value: forInput(from) });
  const end = make("input", { id: last, type: "datetime-local", required: true, value: forInput(to) });
  const said = make("p", { class: "said", role: "alert" });
  const form = make("form", { class: "sheet", hidden: true, "aria-label": "From and to" },
    make("label", { for: first }, "From (UTC)"), begin, make("label", { for: last }, "To (UTC)"), end, said,
    make("button", { class: "main" }, "Show"));
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    const [a, b] = [moment(begin.value, 0), moment(end.value, 0)];
    if (a === null || b === null || a >= b) {
      said.textContent = "It has to begin before it ends.";
      return;
    }
    change({ from: iso(a), to: iso(b) });
  });
  return form;
}

function live(state, change, refresh) {
  const id = freshId("refresh");
  const select = make("select", { id, "data-control": "refresh", onchange: () => change({ refresh: select.value }) },
    REFRESHES.map(([value, text]) => make("option", { value, selected: value === state.refresh }, text)));
  return make("div", { class: "field" }, make("label", { for: id }, "Refresh"),
    make("div", { class: "row" }, select, make("button", { type: "button", "data-control": "now", onclick: refresh }, "Now")));
}
