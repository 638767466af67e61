// The inspector's page side: one ES module, no build, nothing fetched.
//
// The kernel sends rows in three segments (`base`, `middle`, `tail`), each a synchronised trait: later segments win, row
// by row. Whoever joins late (a second view, a reloaded page, a module that was still loading) reads the three and has
// everything. From there on the page is on its own: scrolling, sorting, filtering and opening a row never ask the kernel;
// only the details of an opened row do, and the panel opens before they come.
//
// Every text that came from the kernel enters the page as text. The one exception is `preview_html`, of which a short
// list of tags without attributes is kept (see `safeHtml`).

export const STATES = [
  // name, label, group (0 failures, 1 goes on, 2 done), always shown as a chip
  ["running", "running", 1, true],
  ["retrying", "retrying", 1, false],
  ["waiting", "waiting", 1, false],
  ["queued", "queued", 1, false],
  ["interrupted", "interrupted", 1, false],
  ["rejected", "rejected", 0, true],
  ["rejected_timedout", "timed out", 0, false],
  ["rejected_canceled", "canceled", 2, false],
  ["resolved", "resolved", 2, true],
];
const LABEL = Object.fromEntries(STATES.map(([name, label]) => [name, label]));
const GROUP = Object.fromEntries(STATES.map(([name, , group]) => [name, group]));

// Numbers as people read them (the same rules as view/_format.py; a test compares the two)

const pad = (number) => String(number).padStart(2, "0");

export function duration(ms) {
  if (ms === null || ms === undefined) return "";
  ms = Math.max(0, ms);
  if (ms < 999.5) return `${Math.floor(ms + 0.5)} ms`;
  if (ms < 9950) return `${(Math.floor(ms / 100 + 0.5) / 10).toFixed(1)} s`;
  let seconds = Math.floor(ms / 1000 + 0.5);
  if (seconds < 60) return `${seconds} s`;
  let minutes = Math.floor(seconds / 60);
  seconds %= 60;
  if (minutes < 60) return `${minutes} m ${pad(seconds)} s`;
  let hours = Math.floor(minutes / 60);
  minutes %= 60;
  if (hours < 24) return `${hours} h ${pad(minutes)} m`;
  const days = Math.floor(hours / 24);
  return `${days} d ${pad(hours % 24)} h`;
}

export function age(ms) {
  const seconds = Math.floor(ms / 1000);
  if (seconds < 2) return "now";
  if (seconds < 60) return `${seconds} s`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)} m`;
  if (seconds < 48 * 3600) return `${Math.floor(seconds / 3600)} h`;
  return `${Math.floor(seconds / 86400)} d`;
}

export function size(bytes) {
  if (bytes === null || bytes === undefined) return "";
  if (bytes < 1000) return `${bytes} B`;
  let amount = bytes;
  for (const unit of ["B", "kB", "MB", "GB", "TB"]) {
    if (amount < 999.5) {
      return amount < 9.95 ? `${(Math.floor(amount * 10 + 0.5) / 10).toFixed(1)} ${unit}` : `${Math.floor(amount + 0.5)} ${unit}`;
    }
    amount /= 1000;
  }
  return `${Math.floor(amount + 0.5)} PB`;
}

export const count = (number) => String(number).replace(/\B(?=(\d{3})+$)/g, ",");

function instant(ms) {
  if (ms === null || ms === undefined) return "";
  const date = new Date(ms);
  const day = `${date.getFullYear()}-${pad(date.getMonth() + 1)}-${pad(date.getDate())}`;
  return `${day} ${pad(date.getHours())}:${pad(date.getMinutes())}:${pad(date.getSeconds())}`;
}

// Rows on their way in

async function unpack(buffer) {
  const view = buffer instanceof DataView ? new Uint8Array(buffer.buffer, buffer.byteOffset, buffer.byteLength) : new Uint8Array(buffer);
  if (!view.byteLength) return null;
  const stream = new Blob([view]).stream().pipeThrough(new DecompressionStream("deflate"));
  return JSON.parse(await new Response(stream).text());
}

export function rowsOf(segment) {
  const word = (column, index) => segment.words[segment[column][index]];
  return segment.id.map((id, index) => ({
    id,
    name: word("name", index),
    version: word("version", index),
    state: word("shown", index),
    created: segment.created[index],
    started: segment.started[index],
    settled: segment.settled[index],
    elapsed: segment.elapsed[index],
    how: word("how", index),
    owner: word("owner", index),
    attempts: segment.attempts[index],
    size: segment.size[index],
    error: word("error", index),
    marks: word("marks", index),
    replays: segment.replays[index],
    saved: segment.saved[index],
    old: segment.old[index] === 1,
    arguments: word("arguments", index),
    isAutomatic: segment.automatic[index] === 1,
    chip: word("chip", index),
    retry: segment.retry[index],
    timeout: segment.timeout[index],
    tags: word("tags", index),
    waits: word("waits", index).split("\n").filter(Boolean),
    awaited: segment.awaited[index] === 1,
    ours: segment.ours[index] === 1,
    tries: segment.tries[index] ?? [],
  }));
}

// All rows of one model, shared by its views. Segments are applied one after another in the order of their arrival:
// unpacking is asynchronous, and a later one must not overtake.
export class Rows {
  constructor(model) {
    this.model = model;
    this.byId = new Map();
    this.listeners = new Set();
    this.seq = { base: 0, middle: 0, tail: 0 };
    this.skew = 0; // the page's clock minus the kernel's, in ms
    this.queue = Promise.resolve();
    this.arrived = new Set();
    this.goneAt = null; // the last instant of a kernel that is gone; null while it lives
    this.ready = false;
    this.answers = new Map();
    this.details = new Map(); // id -> the last answer; shown at once when a row is opened again
    this.asked = 0;
    this.lag = Infinity;
    this.saved = 0; // ms of computing that all replays saved together
    this.isSaved = false; // the rows come from a saved notebook: nobody is there to send more
    this.handlers = {
      "change:base": () => this.take("base"),
      "change:middle": () => this.take("middle"),
      "change:tail": () => this.take("tail"),
      "change:problem": () => this.tell([], false),
      "change:closed": () => this.tell([], false),
      "change:note": () => this.tell([], false),
      "msg:custom": (message) => this.answered(message),
      // ipywidgets fires this when a model loses its kernel. (It would mark the view's element too, but anywidget takes
      // that listener away.) Whatever still comes afterwards is a sign of life.
      comm_live_update: () => this.lose(),
    };
    for (const [event, handler] of Object.entries(this.handlers)) model.on(event, handler);
    for (const level of ["base", "middle", "tail"]) this.take(level);
  }

  close() {
    for (const [event, handler] of Object.entries(this.handlers)) this.model.off(event, handler);
    this.listeners.clear();
  }

  lose() {
    this.goneAt ??= this.now();
    this.tell([], false);
  }

  // Traits that changed in one message arrive as several events in no promised order: collect them, then take them
  // from the widest to the latest.
  take(level) {
    if (!this.model.get(level)) return;
    this.arrived.add(level);
    if (this.arrived.size > 1) return;
    const at = Date.now();
    this.queue = this.queue.then(() => this.takeAll(at)).catch((error) => console.error("[resonate_nb] the inspector's rows could not be read", error));
  }

  async takeAll(at) {
    const levels = ["base", "middle", "tail"].filter((level) => this.arrived.has(level));
    this.arrived.clear();
    if (this.ready) this.goneAt = null;
    const buffers = levels.map((level) => this.model.get(level)); // now: a later message must not mix in
    for (const [index, level] of levels.entries()) {
      const segment = await unpack(buffers[index]);
      if (segment) this.apply(level, segment, at);
    }
  }

  apply(level, segment, arrived) {
    if (segment.seq <= this.seq[level]) return;
    this.seq[level] = segment.seq;
    // The clock: the least delayed segment is the best witness. A segment of a page that was opened late is old, and
    // says nothing; the kernel's clock is not assumed to be behind ours by more than we have seen.
    const skew = arrived - segment.now;
    if (skew < this.lag) this.lag = skew;
    this.skew = Math.abs(this.lag) < 30_000 ? 0 : this.lag;
    this.savedAt = segment.now;
    this.saved = segment.saved_in_all;
    this.isSaved = skew > 300_000 && !this.ready;
    const gap = level !== "base" && segment.after !== this.seq[level === "tail" ? "middle" : "base"];
    if (level === "base") {
      const kept = new Set(segment.id);
      let dropped = false;
      for (const id of this.byId.keys()) {
        if (!kept.has(id)) {
          this.byId.delete(id);
          dropped = true;
        }
      }
      this.merge(rowsOf(segment), segment.gone, dropped);
    } else {
      this.merge(rowsOf(segment), segment.gone, false);
    }
    if (gap && this.ready) this.send({ type: "snapshot" });
    if (level === "base") this.ready = true;
  }

  merge(rows, gone, dropped) {
    const changed = [];
    for (const row of rows) {
      const old = this.byId.get(row.id);
      if (old) Object.assign(old, row); // the same object: views hold it
      else this.byId.set(row.id, row);
      changed.push(old ?? row);
    }
    for (const id of gone) dropped = this.byId.delete(id) || dropped;
    this.tell(changed, dropped);
  }

  tell(changed, dropped) {
    for (const listener of this.listeners) listener(changed, dropped);
  }

  now() {
    return Date.now() - this.skew;
  }

  send(message) {
    try {
      this.model.send(message);
      return true;
    } catch (error) {
      return false; // an exported page, or a kernel that is gone: what the columns hold is all there is
    }
  }

  // Calls back once with the details, or never: the kernel may be busy for an hour, or dead.
  ask(id, then) {
    const ask = ++this.asked;
    this.answers.set(ask, { id, then });
    if (this.answers.size > 50) this.answers.delete(this.answers.keys().next().value);
    return this.send({ type: "details", ask, id });
  }

  answered(message) {
    if (!message || message.type !== "details") return;
    const waiting = this.answers.get(message.ask);
    this.answers.delete(message.ask);
    if (!waiting) return;
    this.details.delete(waiting.id);
    this.details.set(waiting.id, message);
    if (this.details.size > 100) this.details.delete(this.details.keys().next().value);
    waiting.then(message);
  }
}

const shared = new Map(); // token of a model -> its rows
function rowsFor(model) {
  const token = model.get("token");
  let rows = shared.get(token);
  if (!rows) shared.set(token, (rows = new Rows(model)));
  return rows;
}

// What a pending promise waits for, what is to come of it, and when (the words of view/_rows.py)

const waitsOf = (row, nameOf) => {
  const more = row.waits.length - 1;
  return more < 0 ? "" : `waiting for ${nameOf(row.waits[0])}${more ? ` and ${count(more)} more` : ""}`;
};
const until = (moment, now) => duration(Math.max(0, moment - now));
const retryOf = (row, now) => (row.retry === null ? "" : now < row.retry ? `retrying in ${until(row.retry, now)}` : "retrying now");
const timeoutOf = (row, now) => (row.timeout === null ? "" : `times out in ${until(row.timeout, now)}`);
const AWAITED = "this kernel waits for it";
export const comingOf = (row, now, nameOf = (id) => id) =>
  [waitsOf(row, nameOf), row.awaited ? AWAITED : "", retryOf(row, now), timeoutOf(row, now)].filter(Boolean).join(", ");

// Order

const elapsedOf = (row, now) => (row.started === null ? row.elapsed : Math.max(0, now - row.started)); // set while it runs
const groupOf = (row) => (row.old ? 2 : GROUP[row.state]);
const byText = (a, b) => (a < b ? -1 : a > b ? 1 : 0);
const byNumber = (a, b) => (a ?? -1) - (b ?? -1);
const named = new Intl.Collator("en", { numeric: true }); // day=9 before day=10
const nameOf = (row) => (row.isAutomatic ? `${row.name} ${row.arguments}` : row.id);
const newest = (a, b) => b.created - a.created || byText(a.id, b.id);

// Column -> comparison upwards. Ties fall back to newest first, so that every order is total and stable.
const ORDERS = {
  reading: (a, b) => groupOf(a) - groupOf(b),
  state: (a, b) => groupOf(a) - groupOf(b) || byText(LABEL[a.state], LABEL[b.state]),
  id: (a, b) => named.compare(nameOf(a), nameOf(b)) || byText(a.id, b.id),
  duration: (a, b, now) => byNumber(elapsedOf(a, now), elapsedOf(b, now)),
  how: (a, b) => byText(a.how, b.how) || byNumber(a.saved, b.saved),
  owner: (a, b) => byText(a.owner, b.owner),
  attempts: (a, b) => a.attempts - b.attempts,
  size: (a, b) => byNumber(a.size, b.size),
  age: (a, b) => b.created - a.created,
};

export function comparison(column, isDescending, now) {
  const compare = ORDERS[column];
  const sign = isDescending ? -1 : 1;
  return (a, b) => sign * compare(a, b, now) || newest(a, b);
}

// Small DOM tools

function make(tag, properties = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (value === null || value === undefined || value === false) continue;
    if (name === "class") node.className = value;
    else if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else node.setAttribute(name, value === true ? "" : value);
  }
  node.append(...children.filter((child) => child !== null && child !== undefined));
  return node;
}

function setText(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

const SVG = "http://www.w3.org/2000/svg";
// 16 x 16, drawn with the text's colour; each shape is its own, so that no two states differ by colour alone.
const ICONS = {
  running: "M5.5 3.6v8.8L12.4 8z",
  retrying: "M3.4 9.8A5 5 0 0 0 12.7 9.4M12.6 6.2A5 5 0 0 0 3.3 6.6M13.2 2.8v3.6H9.6M2.8 13.2V9.6h3.6",
  waiting: "M8 2.5a5.5 5.5 0 1 0 0 11a5.5 5.5 0 1 0 0-11zM8 4.8V8l2.3 1.5",
  queued: "M8 3a5 5 0 1 0 0 10a5 5 0 1 0 0-10z",
  interrupted: "M9 2L4 9h3.4L6.6 14L12 6.6H8.4z",
  rejected: "M4.2 4.2l7.6 7.6M11.8 4.2l-7.6 7.6",
  rejected_timedout: "M4.5 2.5h7M4.5 13.5h7M5.2 2.5c0 3.6 5.6 3.6 5.6 5.5s-5.6 1.9-5.6 5.5M10.8 2.5c0 3.6-5.6 3.6-5.6 5.5s5.6 1.9 5.6 5.5",
  rejected_canceled: "M8 2.8a5.2 5.2 0 1 0 0 10.4a5.2 5.2 0 1 0 0-10.4zM4.4 11.6l7.2-7.2",
  resolved: "M3 8.4l3.4 3.4L13 4.8",
  replayed: "M12.6 6.2A5 5 0 1 0 13 8.6M13.2 2.8v3.6H9.6",
  search: "M7 2.5a4.5 4.5 0 1 0 0 9a4.5 4.5 0 1 0 0-9zM10.4 10.4l3.4 3.4",
  copy: "M5.5 5.5h7v8h-7zM3.5 10.5v-8h7",
  close: "M4 4l8 8M12 4l-8 8",
};
const FILLED = new Set(["running", "interrupted"]);

function icon(name) {
  const svg = document.createElementNS(SVG, "svg");
  svg.setAttribute("viewBox", "0 0 16 16");
  svg.setAttribute("aria-hidden", "true");
  svg.setAttribute("class", FILLED.has(name) ? "rnb-icon rnb-filled" : "rnb-icon");
  const path = document.createElementNS(SVG, "path");
  path.setAttribute("d", ICONS[name]);
  svg.append(path);
  return svg;
}

function setIcon(node, name) {
  if (node.dataset.icon === name) return;
  node.dataset.icon = name;
  node.replaceChildren(icon(name));
}

const KEPT = new Set("TABLE THEAD TBODY TFOOT TR TH TD CAPTION P DIV SPAN B I EM STRONG CODE PRE SMALL BR UL OL LI".split(" "));

// HTML of a value's preview, rebuilt from a list of harmless tags without attributes (spans of cells aside): whatever
// made it, no script, style, link or image of it reaches the page. The parsed document is inert: nothing in it runs.
export function safeHtml(html) {
  const copy = (from, to) => {
    for (const child of from.childNodes) {
      if (child.nodeType === 3) to.append(child.data);
      else if (child.nodeType === 1 && KEPT.has(child.tagName)) {
        const node = document.createElement(child.tagName);
        for (const name of ["colspan", "rowspan"]) {
          if (/^\d{1,3}$/.test(child.getAttribute(name) ?? "")) node.setAttribute(name, child.getAttribute(name));
        }
        copy(child, node);
        to.append(node);
      }
    }
    return to;
  };
  return copy(new DOMParser().parseFromString(html, "text/html").body, document.createDocumentFragment());
}

// Theme: what lies behind the widget decides, whatever front end or system says

function isDark(element) {
  for (let node = element; node; node = node.parentElement) {
    const match = getComputedStyle(node).backgroundColor.match(/[\d.]+/g);
    if (match && (match.length < 4 || Number(match[3]) > 0.5)) {
      const [red, green, blue] = match.map(Number);
      return 0.2126 * red + 0.7152 * green + 0.0722 * blue < 128;
    }
  }
  return matchMedia("(prefers-color-scheme: dark)").matches;
}

function followTheme(element, root) {
  const look = () => {
    const theme = isDark(element) ? "dark" : "light";
    if (root.dataset.theme !== theme) root.dataset.theme = theme;
  };
  // Front ends change a theme by attributes of html or body and by a stylesheet that loads later: look again then.
  let timer = 0;
  const soon = () => {
    look();
    clearTimeout(timer);
    timer = setTimeout(look, 400);
  };
  const observer = new MutationObserver(soon);
  for (const node of [document.documentElement, document.body]) {
    observer.observe(node, { attributes: true, attributeFilter: ["class", "style", "theme", "data-jp-theme-light", "data-jp-theme-name", "data-theme"] });
  }
  const media = matchMedia("(prefers-color-scheme: dark)");
  media.addEventListener("change", soon);
  requestAnimationFrame(soon);
  look();
  return () => {
    observer.disconnect();
    media.removeEventListener("change", soon);
    clearTimeout(timer);
  };
}

// The view

const COLUMNS = [
  // key, heading, class, is a number (first click sorts downwards)
  ["state", "State", "rnb-c-state", false],
  ["id", "Promise", "rnb-c-id", false],
  ["duration", "Duration", "rnb-c-duration", true],
  ["how", "Result", "rnb-c-how", false],
  ["owner", "Owner", "rnb-c-owner", false],
  ["attempts", "Attempts", "rnb-c-attempts", true],
  ["size", "Size", "rnb-c-size", true],
  ["age", "Age", "rnb-c-age", false],
];
// Rows of one line, or where the page is narrow of two: what is said of a promise stands beneath its name.
const ROW_PX = 30;
const TALL_ROW_PX = 46;
const SEEN_PX = 330; // of rows at most; less while there are fewer, and never shrinking, so that the page below moves little
const SPARE = 6; // rows drawn above and below what is seen
const READING_MS = 3000; // the order stays put this long after the pointer last moved over the rows
const TALLEST_PX = 15_000_000; // browsers refuse taller boxes; beyond it the scale of the scroll bar is compressed

let views = 0;

class View {
  constructor(model, el) {
    this.model = model;
    this.rows = rowsFor(model);
    this.name = `rnb-${++views}`;
    this.filter = new Set();
    this.words = [];
    this.sort = { column: "reading", isDescending: false };
    this.order = [];
    this.counts = {};
    this.longest = 1;
    this.replays = 0;
    this.held = 0; // rows that came or moved while the order was held
    this.active = null; // row under the keyboard
    this.open = null; // row in the details panel
    this.pool = [];
    this.tall = 4;
    this.rowPx = ROW_PX;
    this.pointerAt = -Infinity;
    this.saidAt = -Infinity;
    this.ends = [];
    this.build(el);
    this.listener = (changed, dropped) => this.changed(changed, dropped);
    this.rows.listeners.add(this.listener);
    this.ends.push(() => this.rows.listeners.delete(this.listener));
    this.resort();
    this.timer = setInterval(() => this.tick(), 250);
    this.ends.push(() => clearInterval(this.timer));
  }

  dispose() {
    for (const end of this.ends) end();
    this.root.remove();
    this.hiding.remove();
  }

  // The static table beside the widget is hidden by a rule that lives in the widget's own element: it goes when the
  // widget goes, and it holds for an output that the notebook draws again later.
  hideStatic(el) {
    const mark = `.rnb-static-${CSS.escape(this.model.get("token"))}`;
    const holders = [".jp-OutputArea-child", ".output_area", ".cell-output", ".output"];
    this.hiding = make("style");
    this.hiding.textContent =
      `${mark}{display:none!important}` + holders.map((holder) => `${holder}:has(>* ${mark}),${holder}:has(>${mark}){display:none!important}`).join("");
    el.append(this.hiding);
  }

  build(el) {
    this.hideStatic(el);
    this.root = make("div", { class: "rnb", "data-rnb-token": this.model.get("token") });
    // JupyterLab's shortcuts (d d deletes the cell!) look at the focused element itself, before any of its parents.
    this.root.addEventListener("focusin", (event) => event.target.setAttribute("data-lm-suppress-shortcuts", "true"));
    this.buildToolbar();
    this.buildGrid();
    this.panel = make("section", { class: "rnb-panel", "aria-label": "details", hidden: true });
    this.panel.addEventListener("keydown", (event) => {
      if (event.key === "Escape") this.closePanel();
    });
    this.body = make("div", { class: "rnb-body" }, this.grid, this.panel);
    this.footText = make("span", { class: "rnb-foot-text" });
    this.live = make("span", { class: "rnb-live" });
    this.said = make("div", { class: "rnb-said", "aria-live": "polite", role: "status" });
    this.problem = make("div", { class: "rnb-problem", role: "alert", hidden: true });
    this.root.append(this.toolbar, this.problem, this.body, make("div", { class: "rnb-foot" }, this.footText, this.live), this.said);
    el.append(this.root);
    this.ends.push(followTheme(el, this.root));
    const resize = new ResizeObserver(() => requestAnimationFrame(() => this.fit())); // it changes the size that is observed
    resize.observe(this.root);
    this.ends.push(() => resize.disconnect());
  }

  buildToolbar() {
    this.chips = new Map();
    const chips = make("div", { class: "rnb-chips", role: "group", "aria-label": "filter by state" });
    for (const [state, label] of STATES) {
      const number = make("span", { class: "rnb-chip-count" });
      const chip = make(
        "button",
        { type: "button", class: "rnb-chip", "data-state": state, "aria-pressed": "false", title: `show only ${label}`, onclick: () => this.toggle(state) },
        icon(state),
        make("span", {}, label),
        number,
      );
      this.chips.set(state, { chip, number });
      chips.append(chip);
    }
    this.search = make("input", {
      type: "search",
      class: "rnb-search",
      placeholder: "Search ids, arguments, …",
      "aria-label": "search",
      spellcheck: "false",
    });
    this.search.addEventListener("input", () => {
      this.words = this.search.value.toLowerCase().split(/\s+/).filter(Boolean);
      this.filtered();
    });
    this.search.addEventListener("keydown", (event) => {
      if (event.key === "ArrowDown" || event.key === "Enter") {
        event.preventDefault();
        this.scroller.focus();
      }
    });
    this.title = make("div", { class: "rnb-title" }, this.model.get("title") ?? "");
    this.scope = make("span", { class: "rnb-scope" }, this.model.get("scope") ?? "");
    this.title.append(this.scope);
    this.toolbar = make(
      "div",
      { class: "rnb-toolbar" },
      this.title,
      chips,
      make("label", { class: "rnb-search-box" }, icon("search"), this.search),
    );
  }

  buildGrid() {
    this.heads = new Map();
    const head = make("div", { class: "rnb-row rnb-head", role: "row", "aria-rowindex": "1" });
    for (const [column, heading, style, isNumber] of COLUMNS) {
      const button = make("button", { type: "button", onclick: () => this.sortBy(column, isNumber) }, heading);
      const cell = make("div", { class: style, role: "columnheader" }, button);
      this.heads.set(column, cell);
      head.append(cell);
    }
    this.space = make("div", { class: "rnb-space", role: "rowgroup" });
    this.scroller = make("div", { class: "rnb-scroller", tabindex: "0", role: "presentation" }, this.space);
    this.empty = make("div", { class: "rnb-empty", hidden: true });
    this.pill = make("button", { type: "button", class: "rnb-pill", hidden: true, onclick: () => this.release() });
    this.grid = make(
      "div",
      { class: "rnb-grid", role: "grid", "aria-label": "promises", "aria-colcount": COLUMNS.length, "aria-readonly": "true" },
      make("div", { role: "rowgroup", class: "rnb-head-box" }, head),
      this.scroller,
      this.empty,
      this.pill,
    );
    this.scroller.addEventListener("scroll", () => this.drawSoon());
    this.scroller.addEventListener("keydown", (event) => this.key(event));
    this.scroller.addEventListener("focus", () => {
      if (!this.active && this.order.length) this.activate(this.firstSeen(), false);
    });
    this.space.addEventListener("pointermove", () => (this.pointerAt = performance.now()));
    this.grid.addEventListener("pointerleave", () => {
      this.pointerAt = -Infinity;
      if (!this.isReading() && this.held) this.release();
    });
    this.space.addEventListener("click", (event) => {
      const row = event.target.closest(".rnb-row")?.row;
      if (!row) return;
      this.activate(this.order.indexOf(row), false);
      if (this.open === row) this.closePanel();
      else this.openPanel(row);
    });
  }

  // Filter, sort, order

  matches(row) {
    if (this.filter.size && !this.filter.has(row.state)) return false;
    if (!this.words.length) return true;
    const text = `${row.id} ${row.arguments} ${row.tags} ${LABEL[row.state]} ${row.how} ${row.owner} ${row.error} ${row.marks}`.toLowerCase();
    return this.words.every((word) => text.includes(word));
  }

  compare() {
    return comparison(this.sort.column, this.sort.isDescending, this.rows.now());
  }

  resort() {
    this.order = [...this.rows.byId.values()].filter((row) => this.matches(row)).sort(this.compare());
    this.held = 0;
    this.measure();
    this.draw();
  }

  filtered() {
    this.scroller.scrollTop = 0;
    this.resort();
    this.say(true);
  }

  toggle(state) {
    if (!this.filter.delete(state)) this.filter.add(state);
    this.filtered();
  }

  clearFilter() {
    this.filter.clear();
    this.search.value = "";
    this.words = [];
    this.filtered();
  }

  sortBy(column, isNumber) {
    const { sort } = this;
    if (sort.column !== column) this.sort = { column, isDescending: isNumber };
    else if (sort.isDescending === isNumber) this.sort = { column, isDescending: !isNumber };
    else this.sort = { column: "reading", isDescending: false };
    this.scroller.scrollTop = 0;
    this.resort();
  }

  isReading() {
    return this.scroller.scrollTop > 4 || performance.now() - this.pointerAt < READING_MS;
  }

  changed(changed, dropped) {
    if (dropped) {
      this.order = this.order.filter((row) => this.rows.byId.get(row.id) === row);
      if (this.open && this.rows.byId.get(this.open.id) !== this.open) this.closePanel();
    }
    if (changed.length) {
      if (this.isReading()) this.held += this.misplaced(changed);
      else this.place(changed);
    }
    this.measure();
    if (this.open && changed.includes(this.open)) this.refreshPanel();
    this.drawSoon();
    this.say(false);
  }

  // How many of these rows would be elsewhere, or are new: while someone reads they are counted, not moved.
  misplaced(changed) {
    const compare = this.compare();
    const at = new Map(this.order.map((row, index) => [row, index]));
    let number = 0;
    for (const row of changed) {
      const index = at.get(row);
      if (index === undefined) number += this.matches(row) ? 1 : 0;
      else if (!this.matches(row)) number += 1;
      else {
        const above = this.order[index - 1];
        const below = this.order[index + 1];
        if ((above && compare(above, row) > 0) || (below && compare(row, below) > 0)) number += 1;
      }
    }
    return number;
  }

  // Few rows into a long order: take them out, put each where it belongs.
  place(changed) {
    if (this.held || changed.length > 200) {
      this.order = [...this.rows.byId.values()].filter((row) => this.matches(row)).sort(this.compare());
      this.held = 0;
      return;
    }
    const moved = new Set(changed);
    const order = this.order.filter((row) => !moved.has(row));
    const compare = this.compare();
    for (const row of moved) {
      if (!this.matches(row)) continue;
      let low = 0;
      let high = order.length;
      while (low < high) {
        const middle = (low + high) >> 1;
        if (compare(order[middle], row) < 0) low = middle + 1;
        else high = middle;
      }
      order.splice(low, 0, row);
    }
    this.order = order;
  }

  release() {
    this.scroller.scrollTop = 0;
    this.pointerAt = -Infinity;
    this.resort();
  }

  measure() {
    const counts = {};
    let replays = 0;
    for (const row of this.rows.byId.values()) {
      counts[row.state] = (counts[row.state] ?? 0) + 1;
      replays += row.replays;
    }
    Object.assign(this, { counts, replays });
    this.scale();
  }

  // The bars' common scale: the longest of the rows that pass the filter. What nobody computed (a deadline that passed,
  // a cancellation) would dwarf the rest; such bars are cut at the edge.
  scale() {
    const now = this.rows.now();
    let longest = 1;
    for (const row of this.order) {
      const elapsed = row.state === "rejected_timedout" || row.state === "rejected_canceled" ? 0 : elapsedOf(row, now);
      if (elapsed > longest) longest = elapsed;
    }
    this.longest = longest;
    this.heads.get("duration").title = `a full bar is ${duration(longest)}`;
  }

  // Drawing

  // The kernel's now; of a kernel that is gone or was never here, the last that is known.
  now() {
    return this.rows.goneAt ?? (this.rows.isSaved ? this.rows.savedAt : this.rows.now());
  }

  get isGone() {
    return this.rows.goneAt !== null;
  }

  tick() {
    if (!this.root.isConnected || document.hidden) return;
    if (this.held && !this.isReading()) this.release();
    const running = this.counts.running || this.counts.waiting;
    this.ticks = (this.ticks ?? 0) + 1;
    if (!this.isGone && (running || this.counts.retrying || this.ticks % 8 === 0)) {
      if (running) this.measureRunning();
      if (this.open) this.refreshFacts();
      this.draw();
    }
  }

  measureRunning() {
    const now = this.rows.now();
    for (const { row } of this.pool) {
      if (row && row.started !== null) this.longest = Math.max(this.longest, elapsedOf(row, now));
    }
  }

  drawSoon() {
    if (this.frame) return;
    this.frame = requestAnimationFrame(() => {
      this.frame = 0;
      this.draw();
    });
  }

  fit() {
    const isWide = this.root.clientWidth >= 820;
    this.root.classList.toggle("rnb-wide", isWide);
    this.root.classList.toggle("rnb-two-lines", !isWide);
    const rowPx = isWide ? ROW_PX : TALL_ROW_PX;
    if (rowPx !== this.rowPx) {
      const top = this.topRow();
      this.rowPx = rowPx;
      this.draw();
      this.scrollToRow(top);
    }
    this.drawSoon();
  }

  firstSeen() {
    return Math.max(0, Math.min(this.order.length - 1, Math.ceil(this.topRow())));
  }

  // Rows above the upper edge. The space is as tall as all rows, or as browsers allow; then its scale is compressed.
  topRow() {
    const height = this.order.length * this.rowPx;
    const { scrollTop, clientHeight } = this.scroller;
    if (height <= TALLEST_PX) return scrollTop / this.rowPx;
    return (scrollTop / (TALLEST_PX - clientHeight)) * (this.order.length - clientHeight / this.rowPx);
  }

  draw() {
    const { order } = this;
    const { rowPx } = this;
    const height = Math.min(order.length * rowPx, TALLEST_PX);
    if (this.space.style.height !== `${height}px`) this.space.style.height = `${height}px`;
    const most = Math.floor(SEEN_PX / rowPx);
    this.tall = Math.min(SEEN_PX / ROW_PX, Math.max(this.tall, order.length));
    const seenPx = `${Math.min(most, this.tall) * rowPx}px`;
    if (this.scroller.style.height !== seenPx) this.scroller.style.height = seenPx;
    const top = this.topRow();
    const seen = Math.max(most, Math.ceil(this.scroller.clientHeight / rowPx)) + 1; // not less while a page is hidden
    const first = Math.max(0, Math.floor(top) - SPARE);
    const last = Math.min(order.length, Math.floor(top) + seen + SPARE);
    const shift = this.scroller.scrollTop - top * rowPx; // 0 unless compressed
    const now = this.now();
    // A row keeps its element while it stays in sight, so that hover, focus and transitions follow the row.
    const free = [];
    const kept = new Map();
    const wanted = new Set(order.slice(first, last));
    for (const element of this.pool) {
      if (element.row && wanted.has(element.row)) kept.set(element.row, element);
      else free.push(element);
    }
    for (let index = first; index < last; index++) {
      const row = order[index];
      let element = kept.get(row);
      if (!element) {
        element = free.pop() ?? this.newRow();
        element.row = row;
        element.node.row = row;
      }
      this.drawRow(element, index, shift, now);
    }
    for (const element of free) {
      element.row = null;
      element.node.row = null;
      element.node.hidden = true;
    }
    this.drawFrame();
  }

  newRow() {
    const parts = { node: make("div", { class: "rnb-row", role: "row" }), row: null };
    const cell = (style, ...children) => {
      const node = make("div", { class: style, role: "gridcell" }, ...children);
      parts.node.append(node);
      return node;
    };
    parts.icon = make("span", { class: "rnb-state-icon" });
    parts.label = make("span");
    parts.state = cell("rnb-c-state", parts.icon, parts.label);
    parts.name = make("span", { class: "rnb-name" });
    parts.rest = make("span", { class: "rnb-rest" });
    parts.args = make("span", { class: "rnb-args" });
    parts.chip = make("span", { class: "rnb-mark-chip" });
    parts.note = make("span", { class: "rnb-note" });
    const line = (...spans) => make("span", { class: "rnb-line-of" }, ...spans);
    parts.id = cell("rnb-c-id", line(parts.name, parts.args, parts.rest), line(parts.chip, parts.note));
    parts.time = make("span", { class: "rnb-time" });
    parts.bar = make("span", { class: "rnb-bar" });
    cell("rnb-c-duration", make("span", { class: "rnb-track", "aria-hidden": "true" }, parts.bar), parts.time);
    parts.howIcon = make("span", { class: "rnb-how-icon" }, icon("replayed"));
    parts.how = make("span");
    parts.howCell = cell("rnb-c-how", parts.howIcon, parts.how);
    parts.owner = cell("rnb-c-owner");
    parts.attempts = cell("rnb-c-attempts");
    parts.size = cell("rnb-c-size");
    parts.age = cell("rnb-c-age");
    this.pool.push(parts);
    this.space.append(parts.node);
    return parts;
  }

  drawRow(parts, index, shift, now) {
    const { node, row } = parts;
    node.hidden = false;
    const y = `translateY(${index * this.rowPx + shift}px)`;
    if (node.style.transform !== y) node.style.transform = y;
    node.setAttribute("aria-rowindex", index + 2);
    node.id = `${this.name}-row-${index}`;
    node.classList.toggle("rnb-active", row === this.active);
    node.classList.toggle("rnb-open", row === this.open);
    node.classList.toggle("rnb-old", row.old);
    node.setAttribute("aria-selected", row === this.open ? "true" : "false");
    if (node.dataset.state !== row.state) {
      node.dataset.state = row.state;
      setIcon(parts.icon, row.state);
      setText(parts.label, LABEL[row.state]);
    }
    // What an id without a template says beyond the name is a fingerprint: the arguments stand in its place, and the
    // whole id in the title, the label and the details.
    const said = `${row.isAutomatic ? `${row.name} ${row.arguments}, ` : ""}${row.id}`;
    if (parts.said !== said) {
      parts.said = said;
      node.dataset.id = row.id;
      const at = row.id.lastIndexOf(row.name + "/");
      const isPlain = at < 0;
      const rest = isPlain ? "" : row.id.slice(at + row.name.length);
      setText(parts.name, isPlain ? row.id : row.name);
      setText(parts.args, row.isAutomatic ? row.arguments : "");
      setText(parts.rest, row.isAutomatic ? rest.replace(/^\/[0-9a-f]+/, "") : rest);
      parts.id.classList.toggle("rnb-automatic", row.isAutomatic);
      parts.id.title = [row.id, row.arguments, row.tags].filter(Boolean).join("\n");
    }
    setText(parts.chip, row.chip);
    parts.chip.title = row.marks;
    // The countdown changes each second: it is drawn, and not part of the label, which a screen reader would repeat.
    const note = [comingOf(row, now, (id) => this.nameOf(id)), row.error].filter(Boolean).join(" · ");
    setText(parts.note, note);
    parts.note.title = note;
    parts.id.classList.toggle("rnb-has-note", Boolean(note));
    parts.note.classList.toggle("rnb-note-error", Boolean(row.error) && !row.old && row.retry === null);
    const label = [said, row.chip, row.error].filter(Boolean).join(", ");
    if (parts.id.getAttribute("aria-label") !== label) parts.id.setAttribute("aria-label", label);
    const elapsed = elapsedOf(row, now);
    setText(parts.time, duration(elapsed));
    const width = elapsed === null ? 0 : Math.max(1.5, Math.min(100, (100 * elapsed) / this.longest));
    const share = `${width.toFixed(1)}%`;
    if (parts.bar.style.width !== share) parts.bar.style.width = share;
    parts.bar.hidden = elapsed === null;
    parts.howCell.dataset.how = row.how;
    parts.howIcon.hidden = row.how !== "replayed";
    setText(parts.how, row.how === "replayed" && row.replays > 1 ? `replayed ×${count(row.replays)}` : row.how);
    parts.howCell.title = row.saved ? `${duration(row.saved)} saved` : "";
    setText(parts.owner, this.ownerOf(row));
    parts.owner.title = row.owner;
    parts.owner.classList.toggle("rnb-astray", / (dead|stopped)$/.test(row.owner));
    setText(parts.attempts, row.attempts ? String(row.attempts) : "");
    parts.attempts.classList.toggle("rnb-many", row.attempts > 1);
    setText(parts.size, size(row.size));
    setText(parts.age, age(now - row.created));
    parts.age.title = instant(row.created);
  }

  // The name and arguments of a promise that the table has; else its id.
  nameOf(id) {
    const row = this.rows.byId.get(id);
    return row ? nameOf(row) : id;
  }

  // Of a kernel that lives it can be said which one it is.
  ownerOf(row) {
    if (row.ours && !this.isGone && !this.rows.isSaved) return "this kernel";
    return row.owner.replace(/^(pid \d+) on .*?(?:, (dead|stopped))?$/, (whole, pid, how) => (how ? `${how}, ${pid.slice(4)}` : pid));
  }

  drawFrame() {
    const total = this.rows.byId.size;
    for (const [state, , , isFixed] of STATES) {
      const { chip, number } = this.chips.get(state);
      const isPressed = this.filter.has(state);
      const amount = this.counts[state] ?? 0;
      chip.hidden = !amount && !isFixed && !isPressed;
      chip.classList.toggle("rnb-zero", !amount);
      chip.setAttribute("aria-pressed", String(isPressed));
      setText(number, count(amount));
    }
    for (const [column, cell] of this.heads) {
      const isSorted = this.sort.column === column;
      cell.setAttribute("aria-sort", isSorted ? (this.sort.isDescending ? "descending" : "ascending") : "none");
    }
    this.grid.setAttribute("aria-rowcount", this.order.length + 1);
    this.drawEmpty(total);
    this.pill.hidden = !this.held;
    if (this.held) setText(this.pill, `${count(this.held)} new or moved · show`);
    const shown = this.order.length === total ? "" : `${count(this.order.length)} of `;
    const parts = [`${shown}${count(total)} ${total === 1 ? "promise" : "promises"}`];
    if (this.replays) parts.push(`${count(this.replays)} ${this.replays === 1 ? "replay" : "replays"} saved ${duration(this.rows.saved)}`);
    const note = this.model.get("note");
    if (note) parts.push(note);
    setText(this.footText, parts.join(" · "));
    const isClosed = this.model.get("closed");
    const live = this.isGone ? "gone" : isClosed ? "closed" : this.rows.isSaved ? "saved" : "live";
    this.live.dataset.live = live;
    this.root.classList.toggle("rnb-gone", live === "gone" || live === "saved");
    setText(this.live, { gone: `kernel gone · as of ${instant(this.rows.goneAt).slice(11)}`, saved: `saved ${instant(this.rows.savedAt)}` }[live] ?? live);
    const problem = this.model.get("problem") ?? "";
    this.problem.hidden = !problem;
    setText(this.problem, problem);
  }

  drawEmpty(total) {
    const isEmpty = !this.order.length;
    this.empty.hidden = !isEmpty;
    if (!isEmpty) {
      this.why = "";
      return;
    }
    const why = !this.rows.ready ? "loading" : total ? "filter" : "none";
    if (why === this.why) return;
    this.why = why;
    if (why === "loading") this.empty.replaceChildren("Waiting for the kernel to send the promises …");
    else if (why === "none") {
      const scope = this.model.get("scope");
      this.empty.replaceChildren(
        make("div", { class: "rnb-empty-title" }, scope ? `No promise matches ${scope}` : "No promises yet"),
        "Each call of a ",
        make("code", {}, "@durable"),
        " function and each ",
        make("code", {}, "%%durable"),
        " cell appears here as it starts.",
      );
    } else {
      this.empty.replaceChildren(
        make("div", { class: "rnb-empty-title" }, "Nothing matches the filter"),
        make("button", { type: "button", class: "rnb-link", onclick: () => this.clearFilter() }, "show all promises"),
      );
    }
  }

  // For screen readers: what has changed in sum, at most every few seconds.
  say(isForced) {
    const now = performance.now();
    if (!isForced && now - this.saidAt < 4000) {
      this.sayLater ??= setTimeout(() => {
        this.sayLater = undefined;
        this.say(true);
      }, 4000);
      return;
    }
    this.saidAt = now;
    const parts = STATES.filter(([state]) => this.counts[state]).map(([state, label]) => `${count(this.counts[state])} ${label}`);
    const shown = this.filter.size || this.words.length ? `${count(this.order.length)} shown; ` : "";
    setText(this.said, shown + (parts.join(", ") || "no promises"));
  }

  // Keyboard

  key(event) {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const page = Math.max(1, Math.floor(this.scroller.clientHeight / this.rowPx) - 1);
    const at = this.active ? this.order.indexOf(this.active) : -1;
    const steps = { ArrowDown: at + 1, ArrowUp: at - 1, PageDown: at + page, PageUp: at - page, Home: 0, End: this.order.length - 1 };
    if (event.key in steps) this.activate(steps[event.key], true);
    else if ((event.key === "Enter" || event.key === " ") && this.active) this.openPanel(this.active, event.key === "Enter");
    else if (event.key === "Escape" && this.open) this.closePanel();
    else if (event.key === "/") this.search.focus();
    else return;
    event.preventDefault();
    event.stopPropagation();
  }

  activate(index, isScrolling) {
    if (!this.order.length) return;
    index = Math.max(0, Math.min(this.order.length - 1, index));
    this.active = this.order[index];
    if (isScrolling) {
      const rows = this.scroller.clientHeight / this.rowPx;
      const top = this.topRow();
      if (index < top) this.scrollToRow(index);
      else if (index + 1 > top + rows) this.scrollToRow(index + 1 - rows);
    }
    this.draw();
    this.scroller.setAttribute("aria-activedescendant", `${this.name}-row-${index}`);
    if (this.open && isScrolling && this.open !== this.active) this.openPanel(this.active);
  }

  scrollToRow(index) {
    const { rowPx } = this;
    const height = this.order.length * rowPx;
    const { clientHeight } = this.scroller;
    this.scroller.scrollTop = height <= TALLEST_PX ? index * rowPx : (index / (this.order.length - clientHeight / rowPx)) * (TALLEST_PX - clientHeight);
  }

  // Details

  openPanel(row, isFocused = false) {
    this.open = row;
    this.active = row;
    this.answer = this.rows.details.get(row.id) ?? null;
    this.panel.hidden = false;
    this.root.classList.add("rnb-has-panel");
    this.request();
    this.buildPanel();
    this.draw();
    if (isFocused) this.panel.querySelector("button")?.focus({ preventScroll: true });
  }

  closePanel() {
    const hadFocus = this.panel.contains(this.panel.ownerDocument.activeElement);
    this.open = null;
    this.answer = null;
    this.panel.hidden = true;
    this.panel.replaceChildren();
    this.root.classList.remove("rnb-has-panel");
    if (hadFocus) this.scroller.focus({ preventScroll: true });
    this.draw();
  }

  request() {
    const row = this.open;
    this.asked = `${row.state} ${row.attempts} ${row.settled}`;
    const sent = !this.isGone && !this.model.get("closed") && this.rows.ask(row.id, (message) => {
      if (this.open !== row) return;
      this.answer = message;
      this.buildPanel();
    });
    this.isWaiting = sent;
  }

  // The opened row has changed: facts at once, the rest when the kernel answers again.
  refreshPanel() {
    const { state, attempts, settled } = this.open;
    if (`${state} ${attempts} ${settled}` !== this.asked) this.request();
    this.buildPanel();
  }

  refreshFacts() {
    const now = this.now();
    if (this.took) setText(this.took, duration(elapsedOf(this.open, now)));
    if (this.coming) setText(this.coming, comingOf(this.bare(this.open), now));
  }

  buildPanel() {
    const row = this.open;
    const message = this.answer;
    const scrolled = this.panelBody?.scrollTop ?? 0;
    const isSame = this.panelBody?.dataset.id === row.id;
    const copy = make("button", { type: "button", class: "rnb-tool", title: "copy the id", "aria-label": "copy the id" }, icon("copy"));
    copy.addEventListener("click", () => this.copy(row.id, copy));
    const close = make("button", { type: "button", class: "rnb-tool", title: "close (Escape)", "aria-label": "close details", onclick: () => this.closePanel() }, icon("close"));
    const head = make(
      "div",
      { class: "rnb-panel-head", "data-state": row.state },
      make("div", { class: "rnb-panel-state" }, make("span", { class: "rnb-state-icon" }, icon(row.state)), LABEL[row.state], row.old ? " · superseded" : ""),
      make("div", { class: "rnb-panel-tools" }, copy, close),
      make("div", { class: "rnb-panel-id" }, row.id),
    );
    const body = make("div", { class: "rnb-panel-body", tabindex: "0", "data-id": row.id });
    const section = (name, ...children) => body.append(make("div", { class: "rnb-section" }, make("div", { class: "rnb-section-name" }, name), ...children));
    const pre = (text, kind = "") => make("pre", { class: `rnb-pre ${kind}` }, text);
    const detail = message?.found ? message.detail : null;

    const attempts = detail?.attempts ?? row.tries;
    const isTold = attempts.length && row.settled === null; // each attempt says its error, and the panel is small
    if (row.error && !detail?.traceback && !isTold) body.append(make("div", { class: "rnb-error-line" }, row.error));
    for (const mark of row.marks.split("\n").filter(Boolean)) body.append(make("div", { class: "rnb-mark" }, mark));
    body.append(this.facts(row, detail));
    if (!detail && row.tries.length) section("Attempts", attemptsTable(row.tries));
    if (detail) {
      if (detail.traceback) section("Error", pre(detail.traceback, "rnb-pre-error"));
      else if (detail.error && !row.error) section("Error", pre(detail.error, "rnb-pre-error"));
      if (detail.changes.length) section("What changed", ...detail.changes.flatMap(changeOf));
      const isTried = detail.attempts.length > 1 || row.settled === null; // then they say more than the rest
      if (isTried && detail.attempts.length) section("Attempts", attemptsTable(detail.attempts));
      if (detail.arguments.length) section("Arguments", pairs(detail.arguments));
      if (detail.preview_html) section("Value", make("div", { class: "rnb-preview" }, safeHtml(detail.preview_html)));
      else if (detail.preview !== null && !row.marks.split("\n").includes(detail.preview)) section("Value", pre(detail.preview));
      if (detail.output.length) {
        section("Recorded output", ...detail.output.map((output) => (output.kind === "image" ? picture(output.source) : pre(output.text, `rnb-pre-${output.kind}`))));
      }
      if (!isTried && detail.attempts.length) section("Attempts", attemptsTable(detail.attempts));
      if (detail.tags.length) section("Tags", pairs(detail.tags));
      if (detail.unsure.length) section("Its key does not see", ...detail.unsure.map(lineOf));
      if (detail.services.length) section("Services", ...detail.services.map(lineOf));
      if (detail.packages.length) section("Packages passed over", ...detail.packages.map(lineOf));
      if (detail.slow.length) section("Slow to fingerprint", ...detail.slow.map(lineOf));
    }
    const wait = this.waitText(message);
    if (wait) body.append(make("div", { class: "rnb-wait", role: "status" }, wait));
    this.panel.replaceChildren(head, body);
    this.panelBody = body;
    if (isSame) body.scrollTop = scrolled;
  }

  waitText(message) {
    if (message) return message.found ? "" : message.problem || "This promise is no longer in the store.";
    if (this.isGone) return "The kernel is gone: this is what the table holds.";
    if (this.model.get("closed")) return "This inspector is closed: this is what the table holds.";
    if (!this.isWaiting) return "No kernel here: this is what the table holds.";
    return "Waiting for the kernel: arguments, value and output follow when the running cell ends.";
  }

  facts(row, detail) {
    const list = make("tbody");
    const fact = (name, value) => {
      const shown = make("td", {}, value);
      list.append(make("tr", {}, make("th", { scope: "row" }, name), shown));
      return shown;
    };
    if (detail?.why) fact(detail.why.startsWith("accepted ") ? "why" : "why it ran", detail.why);
    const elapsed = elapsedOf(row, this.now());
    const took = row.started !== null ? "running for" : row.settled === null ? "last attempt" : "took";
    this.took = elapsed === null ? null : fact(took, duration(elapsed));
    for (const id of row.waits) fact("waiting for", this.link(id));
    if (row.awaited) fact("awaited by", "this kernel");
    const coming = comingOf(this.bare(row), this.now());
    this.coming = coming ? fact("to come", coming) : null;
    if (row.state === "interrupted") fact("next", "its next call takes it up again");
    if (row.replays) fact("replayed", `${count(row.replays)} ×${row.saved ? `, ${duration(row.saved)} saved` : ""}`);
    if (row.size !== null) fact("size", size(row.size));
    if (row.arguments && !detail) fact("arguments", row.arguments);
    if (row.version) fact("version", row.version);
    const role = row.settled !== null ? "ran on" : row.state === "interrupted" ? "last owner" : "owner";
    if (row.owner) fact(role, row.ours && !this.isGone ? `this kernel, ${row.owner}` : row.owner);
    fact("created", instant(row.created));
    if (row.settled !== null) fact("settled", instant(row.settled));
    if (row.timeout !== null) fact("deadline", instant(row.timeout));
    if (row.tags && !detail) fact("tags", row.tags);
    return make("table", { class: "rnb-facts" }, list);
  }

  // Without what has a line of its own in the panel.
  bare(row) {
    return { ...row, waits: [], awaited: false };
  }

  // Another promise, by name; a click opens it where the table has it.
  link(id) {
    const row = this.rows.byId.get(id);
    if (!row) return id;
    const go = () => {
      const index = this.order.indexOf(row);
      if (index >= 0) this.activate(index, true);
      this.openPanel(row, true);
    };
    return make("button", { type: "button", class: "rnb-link", title: id, onclick: go }, nameOf(row));
  }

  async copy(text, button) {
    try {
      await navigator.clipboard.writeText(text);
    } catch (error) {
      // no permission, or a page without https: the old way
      const field = make("textarea", { style: "position:fixed;opacity:0" });
      field.value = text;
      this.root.append(field);
      field.select();
      document.execCommand("copy");
      field.remove();
    }
    button.classList.add("rnb-done");
    button.replaceChildren(icon("resolved"));
    setTimeout(() => {
      button.classList.remove("rnb-done");
      button.replaceChildren(icon("copy"));
    }, 1200);
  }
}

function pairs(entries) {
  const body = make("tbody");
  for (const [name, text] of entries) body.append(make("tr", {}, make("th", { scope: "row" }, name), make("td", {}, text)));
  return make("table", { class: "rnb-pairs" }, body);
}

function lineOf(text) {
  return make("div", { class: "rnb-line" }, text);
}

// One piece that changed; of code with its diff, in which the signs say what the colours say.
function changeOf({ text, diff }) {
  if (!diff) return [lineOf(text)];
  const lines = diff.split("\n").filter((line) => !/^(---|\+\+\+) /.test(line));
  const kind = { "+": "rnb-added", "-": "rnb-gone", "@": "rnb-place" };
  return [lineOf(text), make("pre", { class: "rnb-pre rnb-diff" }, ...lines.map((line) => make("span", { class: kind[line[0]] ?? null }, line || " ")))];
}

function picture(source) {
  // the kernel sends only these, and an image element runs nothing
  if (!/^data:image\/(png|jpeg);base64,[A-Za-z0-9+/=]+$/.test(source)) return make("pre", { class: "rnb-pre" }, "[image]");
  return make("img", { class: "rnb-image", alt: "recorded image", src: source });
}

const TRIES = [
  // heading, is a number, text of a cell
  ["#", true, (attempt) => String(attempt.number)],
  ["outcome", false, (attempt) => attempt.outcome],
  ["took", true, (attempt) => duration(attempt.elapsed)],
  ["CPU", true, (attempt) => duration(attempt.cpu)],
  ["size", true, (attempt) => size(attempt.size)],
  ["began", false, (attempt) => instant(attempt.started).slice(11)],
  ["owner", false, (attempt) => attempt.owner.replace(/^(pid \d+) on .*$/, "$1")],
];

// An error takes a line of its own: the panel is narrow.
function attemptsTable(attempts) {
  const style = (isNumber) => (isNumber ? { class: "rnb-right" } : {});
  const head = make("tr", {}, ...TRIES.map(([name, isNumber]) => make("th", { scope: "col", ...style(isNumber) }, name)));
  const body = make("tbody");
  for (const attempt of attempts) {
    const cells = TRIES.map(([, isNumber, text]) => make("td", style(isNumber), text(attempt)));
    cells.at(-1).title = attempt.owner;
    body.append(make("tr", { class: attempt.error ? "rnb-failed" : null }, ...cells));
    if (attempt.error) body.append(make("tr", {}, make("td"), make("td", { class: "rnb-attempt-error", colspan: TRIES.length - 1 }, attempt.error)));
  }
  return make("table", { class: "rnb-attempts" }, make("thead", {}, head), body);
}

export default {
  initialize({ model }) {
    const rows = rowsFor(model);
    return () => {
      rows.close();
      shared.delete(model.get("token"));
    };
  },
  render({ model, el }) {
    const view = new View(model, el);
    return () => view.dispose();
  },
};
