// DOM: elements made in one call. Text is always text: nothing that comes from data is read as HTML.

export function make(name, attributes = {}, ...children) {
  const element = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (value === undefined || value === null || value === false) continue;
    if (key.startsWith("on")) element.addEventListener(key.slice(2), value);
    else if (key === "style") Object.assign(element.style, value);
    else element.setAttribute(key, value === true ? "" : String(value));
  }
  element.append(...children.flat().filter((child) => child !== null && child !== undefined));
  return element;
}

let last = 0;
export const freshId = (word) => `${word}-${++last}`;

// Up and down move among the items of a list, Home and End to its ends.
export function arrows(list, selector) {
  list.addEventListener("keydown", (event) => {
    const items = [...list.querySelectorAll(selector)];
    const at = items.indexOf(document.activeElement);
    const to = { ArrowDown: at + 1, ArrowUp: at - 1, Home: 0, End: items.length - 1 }[event.key];
    if (at < 0 || to === undefined || !items[to]) return;
    event.preventDefault();
    items[to].focus();
  });
}

// Draw a place anew, and give the focus back to what now stands where it was: to the same `data-keep`.
export function keepingFocus(place, draw) {
  const kept = place.contains(document.activeElement) ? document.activeElement.dataset.keep : undefined;
  draw();
  if (kept !== undefined) place.querySelector(`[data-keep="${CSS.escape(kept)}"]`)?.focus();
}

// What is said aloud as well, and stands at the top.
export function say(text, kind = "") {
  const status = document.getElementById("status");
  status.className = kind;
  if (status.textContent !== text) status.textContent = text;
}
