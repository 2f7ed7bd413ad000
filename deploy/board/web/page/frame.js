// Frame: one panel with its question, what it shows, and what it says when it has nothing to show.

import { freshId, keepingFocus, make } from "./dom.js";
import { drawSeries } from "./series.js";
import { drawStat } from "./stat.js";
import { drawStates } from "./states.js";
import { drawTable } from "./table.js";
import { clock } from "./time.js";

const DRAW = { series: drawSeries, states: drawStates, stat: drawStat, table: drawTable };
const TITLES = {
  away: "ClickHouse is away", board: "The board's server is away", busy: "Too many questions at once",
  timeout: "It took too long", limit: "It is too much to show", denied: "It may not be read",
  panel: "This panel is broken", asked: "This cannot be asked", unknown: "This is not there", login: "Please log in",
};
const ROW_PX = 34;

export class Frame {
  constructor(panel, context, again) {
    this.panel = panel;
    this.context = context;
    this.answer = null;
    this.memory = { asTable: false };
    const id = freshId("panel");
    this.note = make("div", { class: "note" });
    this.body = make("div", { class: "body" });
    this.again = again;
    this.asTable = make("button", { class: "quiet", type: "button", "aria-pressed": "false", onclick: () => this.#turn() }, "As table");
    const head = make("div", { class: "head" }, make("h2", { id }, panel.title));
    if (panel.runbook) head.append(make("a", { href: panel.runbook, target: "_blank", rel: "noopener", "aria-label": `Runbook: ${panel.title} (new tab)` }, "Runbook"));
    if (panel.kind === "series" || panel.kind === "states") head.append(this.asTable);
    this.element = make("section", { class: `panel ${panel.kind}`, "aria-labelledby": id, "data-name": panel.name, "data-state": "asking" },
      head, make("p", { class: "question" }, panel.question), this.note, this.body);
    this.element.style.setProperty("--width", panel.width);
    this.element.style.setProperty("--height", `${panel.height * ROW_PX}px`);
    this.body.replaceChildren(make("p", { class: "wait" }, "Asking…"));
  }

  asking() {
    this.element.setAttribute("aria-busy", "true");
  }

  shown(answer) {
    this.answer = answer;
    this.element.removeAttribute("aria-busy");
    const cut = this.panel.limit !== null && answer.rows >= this.panel.limit && this.panel.limit > 1;
    this.note.replaceChildren(...(cut ? [make("p", { class: "cut" },
      `Cut at ${this.panel.limit.toLocaleString("en")} rows: there may be more than is shown. Show less time, or pick fewer.`)] : []));
    this.draw();
  }

  draw() {
    if (!this.answer) return;
    this.body.classList.remove("stale");
    if (this.#isEmpty()) {
      this.element.dataset.state = "empty";
      this.body.replaceChildren(make("div", { class: "empty" }, make("p", { class: "what" }, "No data"), make("p", {}, this.panel.empty)));
      return;
    }
    this.element.dataset.state = "shown";
    const draw = this.memory.asTable ? drawTable : DRAW[this.panel.kind];
    try {
      keepingFocus(this.body, () => draw(this.body, this.panel, this.answer, this.context, this.memory, () => this.draw()));
    } catch (error) {
      console.error(error);
      this.failed({ kind: "panel", message: "The page could not draw it: its answer has another form than it should.", passes: false });
    }
  }

  failed(trouble) {
    this.element.removeAttribute("aria-busy");
    const button = make("button", { type: "button", onclick: this.again }, "Try again");
    if (this.answer && trouble.passes && !this.#isEmpty()) {
      this.element.dataset.state = "stale";
      this.body.classList.add("stale");
      this.note.replaceChildren(make("p", { class: "old" },
        `${TITLES[trouble.kind] || "Something is wrong"}: shown is what was known at ${clock(this.context.shownAt)}.`));
      return;
    }
    this.element.dataset.state = "broken";
    this.element.dataset.trouble = trouble.kind;
    this.note.replaceChildren();
    this.body.classList.remove("stale");
    this.body.replaceChildren(make("div", { class: "broken" },
      make("p", { class: "what" }, TITLES[trouble.kind] || "Something is wrong"), make("p", {}, trouble.message),
      trouble.passes ? make("p", { class: "quiet" }, "It is asked again by itself.") : null, button));
  }

  #isEmpty() {
    if (this.answer.rows === 0) return true;
    // A count of nothing is a row of nulls.
    return this.panel.kind === "stat" && Object.values(this.answer.data).every((column) => column[0] === null);
  }

  #turn() {
    this.memory.asTable = !this.memory.asTable;
    this.asTable.setAttribute("aria-pressed", String(this.memory.asTable));
    this.draw();
  }
}
