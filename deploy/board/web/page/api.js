// API: questions to the board's server; what fails is a Trouble with a sentence.

export class Trouble extends Error {
  constructor(kind, sentence, againSeconds = null) {
    super(sentence);
    this.kind = kind;
    this.againSeconds = againSeconds;
  }

  // Whether it may be over by itself.
  get passes() {
    return ["away", "busy", "board"].includes(this.kind);
  }
}

async function answered(request) {
  let response;
  try {
    response = await request;
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Trouble("board", "The board's server does not answer: is 'driftline up' or 'driftline board' running?", 2);
  }
  if (response.ok) return response.json();
  let said = null;
  try {
    said = (await response.json()).error;
  } catch { /* an answer of something between us and the board */ }
  if (said && said.trouble === "login") location.assign(`/login?next=${encodeURIComponent(location.pathname + location.search)}`);
  if (said) throw new Trouble(said.trouble, capital(said.sentence), said.again_s);
  throw new Trouble("board", `The board's server answered ${response.status} without a word.`, 5);
}

const capital = (text) => text.charAt(0).toUpperCase() + text.slice(1) + (/[.?!]$/.test(text) ? "" : ".");

export const boards = () => answered(fetch("/api/boards"));

function post(path, asked, signal) {
  return answered(fetch(path, {
    method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify(asked), signal,
  }));
}

export const choices = (board, asked, signal) => post(`/api/choices/${board}`, asked, signal);
export const panel = (board, name, asked, signal) => post(`/api/panels/${board}/${name}`, asked, signal);
export const annotations = (board, asked, signal) => post(`/api/annotations/${board}`, asked, signal);
