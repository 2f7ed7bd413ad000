// Picker: one variable: a select where one can be picked, a button with a list of boxes and a search where several can.

import { arrows, freshId, make } from "./dom.js";

const LISTED = 200;

// `variable` as listed, `choices` offered now or null, `picked` now, `chosen` whether by a person; `pick` takes the new ones.
export function picker(variable, choices, picked, chosen, pick) {
  if (choices === null) return unknown(variable, picked);
  return variable.many ? several(variable, choices, picked, chosen, pick) : one(variable, choices, picked, pick);
}

function unknown(variable, picked) {
  const id = freshId("label");
  return make("div", { class: "field" }, make("span", { id, class: "label" }, variable.label),
    make("button", { type: "button", disabled: true, "aria-describedby": id, "data-variable": variable.name }, picked.join(", ") || "…"));
}

function one(variable, choices, picked, pick) {
  const id = freshId("pick");
  // What an address picks may not be offered in this time: it stays visible.
  const values = picked[0] && !choices.includes(picked[0]) ? [picked[0], ...choices] : choices;
  const select = make("select", { id, "data-variable": variable.name, disabled: values.length === 0, onchange: () => pick([select.value]) },
    values.length ? values.map((value) => make("option", { value, selected: value === picked[0] }, choices.includes(value) ? value : `${value} (not in this time)`))
      : make("option", { value: "" }, "none in this time"));
  return make("div", { class: "field" }, make("label", { for: id }, variable.label), select);
}

function several(variable, choices, picked, chosen, pick) {
  const [id, listId, labelId] = [freshId("pick"), freshId("list"), freshId("label")];
  const button = make("button", { id, type: "button", class: "opens", "aria-expanded": "false", "aria-controls": listId,
    "aria-describedby": labelId, "data-variable": variable.name }, told(choices, picked, chosen));
  const sheet = make("div", { id: listId, class: "sheet", hidden: true, role: "group", "aria-label": variable.label });
  const field = make("div", { class: "field" }, make("span", { id: labelId, class: "label" }, variable.label), button, sheet);
  const open = () => {
    button.setAttribute("aria-expanded", "true");
    sheet.hidden = false;
    fill(sheet, variable, choices, new Set(chosen ? picked : []), close);
    sheet.querySelector("input").focus();
    document.addEventListener("pointerdown", outside);
  };
  const close = (values) => {
    document.removeEventListener("pointerdown", outside);
    button.setAttribute("aria-expanded", "false");
    const wanted = values ?? null;
    sheet.hidden = true;
    if (!wanted) return button.focus();
    const before = chosen ? picked : [];
    if (wanted.length !== before.length || wanted.some((value) => !before.includes(value))) pick(wanted);
    else button.focus();
  };
  const outside = (event) => {
    if (!field.contains(event.target)) close();
  };
  button.addEventListener("click", () => (sheet.hidden ? open() : close()));
  sheet.addEventListener("keydown", (event) => {
    if (event.key === "Escape") close();
  });
  return field;
}

function told(choices, picked, chosen) {
  if (!picked.length) return "none in this time";
  if (picked.length === 1) return picked[0];
  const isAll = !chosen || picked.length === choices.length;
  return isAll ? `all ${picked.length}` : `${picked.length} of ${choices.length}`;
}

function fill(sheet, variable, choices, ticked, close) {
  const id = freshId("search");
  const search = make("input", { id, type: "search", autocomplete: "off", spellcheck: "false" });
  const list = make("ul", {});
  const count = make("p", { class: "quiet", role: "status" });
  const offered = [...new Set([...ticked, ...choices])];
  const found = () => offered.filter((value) => value.toLowerCase().includes(search.value.trim().toLowerCase()));
  const show = () => {
    const matching = found();
    list.replaceChildren(...matching.slice(0, LISTED).map((value) => row(value, ticked)));
    count.textContent = matching.length > LISTED ? `${LISTED} of ${matching.length} are listed: type to find others` : `${matching.length} listed`;
  };
  search.addEventListener("input", show);
  search.addEventListener("keydown", (event) => {
    if (event.key === "ArrowDown") {
      event.preventDefault();
      list.querySelector("input")?.focus();
    }
    // Enter takes what is found alone, so that a name is typed and shown.
    if (event.key === "Enter") {
      const matching = found();
      if (search.value && matching.length) close([matching[0]]);
      else close([...ticked]);
    }
  });
  list.addEventListener("keydown", (event) => {
    if (event.key === "Enter") close([...ticked]);
  });
  arrows(list, "input");
  show();
  sheet.replaceChildren(make("label", { for: id }, `Find ${variable.label.toLowerCase()}`), search, count, list,
    make("div", { class: "row" }, make("button", { type: "button", class: "main", onclick: () => close([...ticked]) }, "Show"),
      make("button", { type: "button", onclick: () => close([]) }, "Reset"),
      make("button", { type: "button", onclick: () => close() }, "Cancel")));
}

function row(value, ticked) {
  const box = make("input", { type: "checkbox", value, checked: ticked.has(value), onchange: () => (box.checked ? ticked.add(value) : ticked.delete(value)) });
  return make("li", {}, make("label", {}, box, make("span", {}, value)));
}
