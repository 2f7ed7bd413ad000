// Main: from the address to the panels, and again whenever either the address or the time goes on.

import * as api from "./api.js";
import { drawControls, isOpen } from "./controls.js";
import { make, say } from "./dom.js";
import { Frame } from "./frame.js";
import { listMarks, marksOf } from "./marks.js";
import { address, asked, read } from "./state.js";
import { clock, iso, moment, refreshSeconds } from "./time.js";

const AT_ONCE = 4;
const LONGEST_WAIT_S = 20;
const at = (id) => document.getElementById(id);
const name = () => location.pathname.slice(1);

let boards = [];
let board = null;
let state = read(location.search);
let offered = null;
let frames = [];
let context = { marks: [], begin: 0, end: 1, shownAt: 0 };
let asking = new AbortController();
let timer = 0;
let waits = 0;

function change(what) {
  state = { ...state, ...what, wrong: [] };
  history.pushState(null, "", address(state, board));
  load();
}

// Where a cell of a table leads: the same time, and what the row is about.
function link(target, column, value) {
  const to = boards.find((each) => each.name === target);
  const picked = column === "deployment" ? { resolution: offered.picked.resolution || [] } : { ...offered.picked };
  return address({ ...state, picked: { ...picked, [column]: [String(value)] } }, to);
}

function drawNavigation() {
  at("boards").replaceChildren(...boards.map((each) => make("a", {
    href: address({ ...state, picked: { ...state.picked } }, each), "aria-current": each.name === board.name ? "page" : null, title: each.purpose,
  }, each.title)));
}

function drawBoard() {
  board = boards.find((each) => each.name === name());
  document.title = `${board.title} · driftline`;
  at("title").textContent = board.title;
  at("purpose").textContent = board.purpose;
  at("marks").hidden = !board.annotated;
  offered = null;
  context = { ...context, link, zoom: (from, to) => change({ from: iso(from), to: iso(to) }) };
  frames = board.panels.map((panel) => new Frame(panel, context, () => load()));
  at("grid").replaceChildren(...frames.map((frame) => frame.element));
}

// Ask everything; what was asked before is given up.
async function load(early = null) {
  asking.abort();
  asking = new AbortController();
  const { signal } = asking;
  clearTimeout(timer);
  const now = Date.now();
  drawNavigation();
  if (!isOpen(at("controls"))) drawControls(at("controls"), board, state, offered, change, () => load());
  for (const frame of frames) frame.asking();
  try {
    const mine = Object.fromEntries(board.variables.map((each) => [each.name, state.picked[each.name] || []]));
    offered = await (early || api.choices(board.name, asked(state, mine, now), signal));
    Object.assign(context, { begin: moment(state.from, now), end: moment(state.to, now) });
    if (!isOpen(at("controls"))) drawControls(at("controls"), board, state, offered, change, () => load());
    await askAll(asked(state, offered.picked, now), signal);
    if (!signal.aborted) done();
  } catch (error) {
    if (error.name === "AbortError" || signal.aborted) return;
    for (const frame of frames) frame.failed(told(error));
    failed(told(error));
  }
}

async function askAll(question, signal) {
  const queue = [...frames];
  const troubles = [];
  const marks = board.annotated ? askMarks(question, signal) : Promise.resolve();
  const work = async () => {
    for (let frame = queue.shift(); frame; frame = queue.shift()) {
      try {
        frame.shown(await api.panel(board.name, frame.panel.name, question, signal));
      } catch (error) {
        if (error.name === "AbortError") throw error;
        frame.failed(told(error));
        troubles.push(told(error));
      }
    }
  };
  await Promise.all([marks, ...Array.from({ length: AT_ONCE }, work)]);
  const passing = troubles.find((trouble) => trouble.passes);
  if (passing) throw passing;
}

async function askMarks(question, signal) {
  const picked = { deployment: question.picked.deployment || [] };
  try {
    const found = marksOf(await api.annotations(board.name, { ...question, picked }, signal));
    const changed = JSON.stringify(found) !== JSON.stringify(context.marks);
    context.marks = found;
    listMarks(at("marks"), found);
    if (changed) for (const frame of frames) if (frame.panel.kind === "series") frame.draw();
  } catch (error) {
    if (error.name === "AbortError") throw error;
    context.marks = [];
    at("marks").replaceChildren(make("p", { class: "said" }, `Changes and alerts are not marked: ${told(error).message}`));
  }
}

const told = (error) => (error instanceof api.Trouble ? error : new api.Trouble("panel", `The page failed: ${error.message}`));

function done() {
  waits = 0;
  context.shownAt = Date.now();
  document.body.dataset.ready = String(context.shownAt);
  at("as-of").textContent = `As of ${clock(context.shownAt)}`;
  // Said when it changes, not at every refresh.
  if (state.wrong.length) say(`The address holds what cannot be shown: ${state.wrong.join(", ")}.`, "warn");
  else if (document.body.dataset.trouble) say("It answers again.");
  delete document.body.dataset.trouble;
  plan(refreshSeconds(state.refresh));
}

// Ask again by itself, ever more seldom, until it answers.
function failed(trouble) {
  document.body.dataset.trouble = trouble.kind;
  say(trouble.message, "fail");
  waits += 1;
  if (trouble.passes) plan(Math.min(LONGEST_WAIT_S, (trouble.againSeconds || 2) * waits));
  else plan(refreshSeconds(state.refresh));
}

function plan(seconds) {
  clearTimeout(timer);
  if (!seconds) return;
  // A page that nobody sees asks nothing.
  timer = setTimeout(() => (document.hidden ? plan(seconds) : load()), seconds * 1000);
}

window.addEventListener("popstate", () => {
  state = read(location.search);
  if (!board || board.name !== name()) drawBoard();
  load();
});
window.addEventListener("themechange", () => {
  for (const frame of frames) if (frame.panel.kind === "series") frame.draw();
});
document.addEventListener("visibilitychange", () => {
  if (!document.hidden && Date.now() - context.shownAt > 60e3 && state.refresh && board) load();
});

async function begin() {
  // What can be picked is asked beside the list of dashboards: the server knows the variables.
  const early = api.choices(name(), asked(state, state.picked));
  early.catch(() => {});
  try {
    const listed = await api.boards();
    boards = listed.boards;
    at("logout").hidden = !listed.needs_token;
  } catch (error) {
    say(told(error).message, "fail");
    setTimeout(begin, 3000);
    return;
  }
  drawBoard();
  const known = new Set(board.variables.map((each) => each.name));
  const foreign = Object.keys(state.picked).filter((each) => !known.has(each));
  state.wrong.push(...foreign);
  load(foreign.length ? null : early);
}

begin();
