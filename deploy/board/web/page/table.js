// Table: columns that sort, eighty rows a page.

import { make } from "./dom.js";
import { cell, heading, isNumber } from "./format.js";
import { badge } from "./looks.js";

export const PAGE = 80;

export function drawTable(body, panel, answer, context, memory, again) {
  const order = ordered(answer, memory);
  const pages = Math.max(1, Math.ceil(order.length / PAGE));
  memory.page = Math.min(memory.page || 0, pages - 1);
  const here = order.slice(memory.page * PAGE, (memory.page + 1) * PAGE);
  const table = make("table", {},
    make("caption", { class: "hidden" }, panel.title),
    make("thead", {}, make("tr", {}, answer.meta.map((column) => head(column, memory, again)))),
    make("tbody", {}, here.map((row) => make("tr", {}, answer.meta.map((column, place) => data(panel, answer, context, column, row, place))))));
  const scroll = make("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": panel.title, "data-keep": "scroll" }, table);
  const before = body.querySelector(".scroll");
  const [left, top] = before ? [before.scrollLeft, before.scrollTop] : [0, 0];
  body.replaceChildren(scroll);
  if (pages > 1) body.append(pager(memory, pages, order.length, again));
  if (left || top) scroll.scrollTo(left, top);
}

function head({ name, type }, memory, again) {
  const mine = memory.sort === name;
  const way = mine ? (memory.down ? "descending" : "ascending") : "none";
  const turn = () => {
    // First the other way than it lies; numbers begin with the greatest.
    if (memory.sort === name) memory.down = !memory.down;
    else Object.assign(memory, { sort: name, down: isNumber(type) });
    memory.page = 0;
    again();
  };
  return make("th", { scope: "col", "aria-sort": way, class: isNumber(type) ? "right" : null },
    make("button", { type: "button", "data-keep": `sort ${name}`, onclick: turn }, heading(name),
      make("span", { "aria-hidden": "true", class: "arrow" }, mine ? (memory.down ? " ▼" : " ▲") : "")));
}

function data(panel, answer, context, { name, type }, row, place) {
  const value = answer.data[name][row];
  const text = cell(value, type, name);
  const target = panel.links[name];
  const right = isNumber(type) ? "right" : text.length > 60 ? "long" : null;
  let inside = text === "" ? make("span", { class: "nothing", title: "no value" }, "–") : badge(text);
  if (target && text !== "") inside = make("a", { href: context.link(target, name, value, answer, row) }, text);
  else if (/^https?:\/\//.test(text)) inside = make("a", { href: text, rel: "noreferrer noopener", target: "_blank" }, "open");
  return make(place === 0 ? "th" : "td", { scope: place === 0 ? "row" : null, class: right }, inside);
}

function pager(memory, pages, rows, again) {
  const go = (step) => () => {
    memory.page += step;
    again();
  };
  return make("nav", { class: "pager", "aria-label": "Pages" },
    make("button", { type: "button", "data-keep": "previous", disabled: memory.page === 0, onclick: go(-1) }, "Previous"),
    make("span", {}, `Page ${memory.page + 1} of ${pages}, ${rows.toLocaleString("en")} rows`),
    make("button", { type: "button", "data-keep": "next", disabled: memory.page === pages - 1, onclick: go(1) }, "Next"));
}

function ordered(answer, memory) {
  const order = Array.from({ length: answer.rows }, (_, row) => row);
  const column = memory.sort && answer.data[memory.sort];
  if (!column) return order;
  const numeric = isNumber(answer.meta.find(({ name }) => name === memory.sort).type);
  const side = memory.down ? -1 : 1;
  const isNothing = (value) => value === null || value === "";
  return order.sort((left, right) => {
    const [a, b] = [column[left], column[right]];
    // What has no value stands last, whichever way.
    if (isNothing(a) || isNothing(b)) return isNothing(a) - isNothing(b) || left - right;
    const difference = numeric ? Number(a) - Number(b) : String(a).localeCompare(String(b), "en", { numeric: true });
    return side * difference || left - right;
  });
}
