// Enhances the page, which is complete without it: themes, tooltips, sorting and filters of the board,
// the sample browser, deep links. Texts of models and data become text nodes and nothing else.
"use strict";
(() => {
  const $ = (selector, from = document) => from.querySelector(selector);
  const all = (selector, from = document) => [...from.querySelectorAll(selector)];
  const el = (tag, attributes = {}, ...children) => {
    const node = document.createElement(tag);
    for (const [name, value] of Object.entries(attributes)) {
      if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
      else if (value === true) node.setAttribute(name, "");
      else if (value !== false && value != null) node.setAttribute(name, value);
    }
    node.append(...children);
    return node;
  };
  const read = (id) => JSON.parse($("#" + id).textContent);
  // Characters that cannot be seen or that turn the direction of their neighbours, as marks.
  const hidden = /[\x00-\x08\x0b-\x1f\x7f-\x9f\xad\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb]|[\u{e0000}-\u{e0fff}]/gu;
  const visible = (text) => text.replace(hidden, (c) => "\u27e8U+" + c.codePointAt(0).toString(16).toUpperCase().padStart(4, "0") + "\u27e9");
  const bdi = (text) => el("bdi", {}, visible(text));
  const remember = (key, value) => { try { if (value === undefined) return localStorage.getItem(key); localStorage.setItem(key, value); } catch { return null; } };

  // State: everything that a link should bring back.
  const state = {};
  const readHash = () => {
    for (const key of Object.keys(state)) delete state[key];
    if (location.hash.includes("=")) Object.assign(state, Object.fromEntries(new URLSearchParams(location.hash.slice(1))));
  };
  const writeHash = (changes) => {
    for (const [key, value] of Object.entries(changes)) { if (value) state[key] = value; else delete state[key]; }
    const text = new URLSearchParams(state).toString();
    history.replaceState(null, "", text ? "#" + text : location.pathname + location.search);
  };
  readHash();

  // Themes.
  const themes = $("#theme");
  const setTheme = (name) => {
    if (name === "auto") document.documentElement.removeAttribute("data-theme");
    else document.documentElement.setAttribute("data-theme", name);
    for (const button of themes.children) button.setAttribute("aria-pressed", String(button.value === name));
  };
  for (const name of ["auto", "light", "dark"]) {
    themes.append(el("button", { type: "button", value: name, onclick: () => { setTheme(name); remember("assay-theme", name); } }, name[0].toUpperCase() + name.slice(1)));
  }
  themes.setAttribute("role", "group");
  themes.setAttribute("aria-label", "Theme");
  themes.hidden = false;
  const stored = remember("assay-theme");
  setTheme(stored === "light" || stored === "dark" ? stored : "auto");

  // Tooltips: what a mark or cell says in full.
  const tip = el("div", { class: "tip", role: "tooltip", id: "tip", hidden: true });
  document.body.append(tip);
  const tipOf = (target) => {
    const owner = target.closest ? target.closest("[data-tip], svg g") : null;
    if (!owner) return "";
    return owner.dataset.tip || ($(":scope > title", owner) || {}).textContent || "";
  };
  document.addEventListener("pointermove", (event) => {
    const text = tipOf(event.target);
    tip.hidden = !text;
    if (!text) return;
    if (tip.textContent !== text) tip.textContent = text;
    const box = tip.getBoundingClientRect();
    tip.style.left = Math.max(4, Math.min(event.clientX + 14, innerWidth - box.width - 8)) + "px";
    tip.style.top = (event.clientY + box.height + 24 > innerHeight ? event.clientY - box.height - 10 : event.clientY + 16) + "px";
  });
  document.addEventListener("keydown", (event) => { if (event.key === "Escape") tip.hidden = true; });

  // Folded parts open when a link leads into them, and all of them for printing.
  const reveal = () => {
    const id = location.hash.slice(1);
    const target = id && !id.includes("=") ? document.getElementById(id) : null;
    for (let node = target; node; node = node.parentElement) if (node.tagName === "DETAILS") node.open = true;
    if (target) target.scrollIntoView();
  };
  addEventListener("hashchange", () => { if (location.hash.includes("=")) { readHash(); applyState(); } else reveal(); });
  let closed = [];
  addEventListener("beforeprint", () => { closed = all("details:not([open])"); for (const node of closed) node.open = true; });
  addEventListener("afterprint", () => { for (const node of closed) node.open = false; closed = []; });

  // The board: sort, filter, choose columns.
  const appliers = [];
  const applyState = () => { for (const apply of appliers) apply(); };
  const board = $(".board");
  if (board) {
    const heads = all("thead th", board);
    const body = board.tBodies[0];
    const original = [...body.rows];
    const value = (row, index) => {
      const cell = row.cells[index];
      if (index === 0) return cell.textContent;
      return cell.dataset.v === undefined ? null : Number(cell.dataset.v);
    };
    const sortBy = (index, direction) => {
      const sign = direction === "descending" ? -1 : 1;
      const order = index < 0 ? original : [...original].sort((a, b) => {
        const x = value(a, index), y = value(b, index);
        if (x === null || y === null) return (x === null) - (y === null);
        return sign * (x < y ? -1 : x > y ? 1 : original.indexOf(a) - original.indexOf(b));
      });
      body.append(...order);
      heads.forEach((head, i) => { if (i === index) head.setAttribute("aria-sort", direction); else head.removeAttribute("aria-sort"); });
    };
    heads.forEach((head, index) => {
      const button = el("button", { type: "button" }, ...head.childNodes);
      head.append(button);
      // The better end comes first; then the other; then the order of the suite.
      const first = index === 0 || head.hasAttribute("data-lower") ? "ascending" : "descending";
      const second = first === "ascending" ? "descending" : "ascending";
      button.addEventListener("click", () => {
        const now = head.getAttribute("aria-sort");
        const next = !now ? first : now === first ? second : "";
        writeHash({ s: next ? index + "." + next : "" });
        applyState();
      });
    });
    const search = el("input", { type: "search", placeholder: "Model or setting", "aria-label": "Filter runs by model or setting", oninput: () => { writeHash({ r: search.value }); applyState(); } });
    const sound = el("input", { type: "checkbox", onchange: () => { writeHash({ ok: sound.checked ? "1" : "" }); applyState(); } });
    const picks = heads.map((head, index) => index === 0 ? null : el("input", { type: "checkbox", onchange: () => {
      writeHash({ hide: picks.flatMap((pick, i) => (pick && !pick.checked ? [i] : [])).join(".") });
      applyState();
    } }));
    const columns = el("details", { class: "picker" }, el("summary", {}, "Columns"), el("div", {}, ...heads.flatMap((head, index) => index === 0 ? [] : [el("label", {}, picks[index], head.textContent.trim())])));
    const count = el("span", { class: "muted", role: "status" });
    const tools = $("#board-tools");
    tools.append(search, el("label", {}, sound, "without an established loss"), columns, count);
    tools.hidden = false;
    appliers.push(() => {
      search.value = state.r || "";
      sound.checked = state.ok === "1";
      const words = search.value.toLowerCase().split(/\s+/);
      let shown = 0;
      for (const row of original) {
        const name = row.cells[0].textContent.toLowerCase();
        row.hidden = !words.every((word) => name.includes(word)) || (sound.checked && !!$(".delta.worse", row));
        shown += row.hidden ? 0 : 1;
      }
      count.textContent = shown + " of " + original.length + " rows";
      const hide = new Set((state.hide || "").split("."));
      picks.forEach((pick, index) => { if (pick) pick.checked = !hide.has(String(index)); });
      for (const row of board.rows) [...row.cells].forEach((cell, index) => { cell.hidden = index > 0 && hide.has(String(index)); });
      const [index, direction] = (state.s || "-1.").split(".");
      sortBy(Number(index) < heads.length ? Number(index) : -1, direction === "ascending" ? "ascending" : "descending");
    });
  }

  // The sample browser.
  const words = (text) => text.match(/\s*(?:[\p{L}\p{N}_]+|[^\s\p{L}\p{N}_])|\s+/gu) || [];
  // Which words of a and b are not in their longest common subsequence; both ends are cut off first.
  const difference = (a, b) => {
    let start = 0, end = 0;
    while (start < a.length && start < b.length && a[start] === b[start]) ++start;
    while (end < a.length - start && end < b.length - start && a[a.length - 1 - end] === b[b.length - 1 - end]) ++end;
    const x = a.slice(start, a.length - end), y = b.slice(start, b.length - end);
    const inA = new Set(), inB = new Set();
    if (x.length * y.length > 4e6) {
      x.forEach((_, i) => inA.add(start + i));
      y.forEach((_, i) => inB.add(start + i));
      return { start, inA, inB };
    }
    const width = y.length + 1, table = new Uint16Array((x.length + 1) * width);
    for (let i = x.length - 1; i >= 0; --i) {
      for (let k = y.length - 1; k >= 0; --k) {
        table[i * width + k] = x[i] === y[k] ? table[(i + 1) * width + k + 1] + 1 : Math.max(table[(i + 1) * width + k], table[i * width + k + 1]);
      }
    }
    let i = 0, k = 0;
    while (i < x.length || k < y.length) {
      if (i < x.length && k < y.length && x[i] === y[k]) { ++i; ++k; } else if (k >= y.length || (i < x.length && table[(i + 1) * width + k] >= table[i * width + k + 1])) inA.add(start + i++);
      else inB.add(start + k++);
    }
    return { start, inA, inB };
  };
  const marked = (parts, changed, first) => {
    const pre = el("pre", { tabindex: "0" });
    let plain = "";
    parts.forEach((part, index) => {
      if (!changed.has(index) && index !== first) { plain += part; return; }
      pre.append(visible(plain), el("mark", { class: index === first ? "first" : null, title: index === first ? "first difference" : null }, visible(part)));
      plain = "";
    });
    pre.append(visible(plain));
    if (first >= parts.length) pre.append(el("mark", { class: "first", title: "first difference" }, "\u27e8end\u27e9"));
    return pre;
  };
  const startBrowser = () => {
    const frame = $("#browser");
    if (!frame) return;
    const { runs, reference } = read("assay-data");
    const { texts, items } = read("assay-items");
    if (!items.length) return;
    const text = (number) => texts[number];
    const response = (item, run) => item.responses.find((entry) => entry.run === run);
    const option = (value, label) => el("option", { value }, visible(label));
    const select = (key, label, options) => {
      const box = el("select", { "aria-label": label, onchange: () => { writeHash({ [key]: box.value, i: "" }); applyState(); } }, ...options);
      return box;
    };
    const search = el("input", { type: "search", placeholder: "Search texts", "aria-label": "Search in items, prompts and responses", oninput: () => { writeHash({ q: search.value, i: "" }); applyState(); } });
    const task = select("t", "Task", [option("", "All tasks"), ...[...new Set(items.map((item) => item.task))].map((name) => option(name, name))]);
    const change = select("f", "Verdicts", [["", "Any verdict"], ["flip", "Verdict changed"], ["rw", "Right to wrong"], ["wr", "Wrong to right"], ["ww", "Both wrong"], ["rr", "Both right"], ["diff", "Texts differ"], ["un", "Not scored"]].map(([value, label]) => option(value, label)));
    const runOptions = () => runs.map((run, index) => option(String(index), run.name + (index === reference ? " (reference)" : "")));
    const a = select("a", "First run", runOptions());
    const b = select("b", "Second run", runOptions());
    const count = el("span", { class: "muted", role: "status" });
    const tools = el("div", { class: "tools" }, search, task, change, el("label", {}, "A", a), el("label", {}, "B", b), count);
    const list = el("div", { class: "list", role: "group", "aria-label": "Items" });
    const detail = el("div", { class: "detail", "aria-live": "polite" });
    frame.append(tools, el("div", { class: "browser" }, list, detail));
    frame.hidden = false;
    const page = 60;
    let found = [], current = null, runA = 0, runB = 0;
    const verdicts = (item) => [response(item, runA), response(item, runB)].map((entry) => (entry ? entry.verdict : ""));
    const filters = {
      flip: (x, y) => x !== y && x !== "unscored" && y !== "unscored", rw: (x, y) => x === "correct" && y === "incorrect", wr: (x, y) => x === "incorrect" && y === "correct",
      ww: (x, y) => x === "incorrect" && y === "incorrect", rr: (x, y) => x === "correct" && y === "correct", un: (x, y) => x === "unscored" || y === "unscored",
    };
    const matches = (item) => {
      const x = response(item, runA), y = response(item, runB);
      if ((state.t && item.task !== state.t) || !(x || y)) return false;
      if (state.f && !(x && y)) return false;
      if (state.f === "diff" ? x.text === y.text : state.f && filters[state.f] && !filters[state.f](x.verdict, y.verdict)) return false;
      const q = (state.q || "").toLowerCase();
      return !q || [item.key, item.group, text(item.prompt), text(item.target), ...[x, y].flatMap((entry) => (entry ? [text(entry.text), text(entry.answer)] : []))].some((part) => part.toLowerCase().includes(q));
    };
    const id = (item) => item.task + "/" + item.key + (item.repeat ? "#" + item.repeat : "");
    const label = (item) => {
      const [x, y] = verdicts(item);
      if (x === "correct" && y === "incorrect") return ["right to wrong", "worse"];
      if (x === "incorrect" && y === "correct") return ["wrong to right", "better"];
      return [x === y || !x || !y ? x || y : x + ", then " + y, ""];
    };
    const entry = (item) => {
      const [words, css] = label(item);
      const button = el("button", { type: "button", onclick: () => { writeHash({ i: id(item) }); show(item); } }, bdi(item.key), el("span", { class: "sub " + css }, words, item.group ? " \u00b7 " : "", item.group ? bdi(item.group) : ""));
      button.item = item;
      return button;
    };
    const grow = (from) => {
      list.append(...found.slice(from, from + page).map(entry));
      if (found.length > from + page) {
        const more = el("button", { type: "button", class: "more", onclick: () => { more.remove(); grow(from + page); } }, "Show " + Math.min(page, found.length - from - page) + " more");
        list.append(more);
      }
    };
    const side = (item, run, parts, changed, first) => {
      const r = response(item, run);
      const head = el("h4", {}, bdi(runs[run].name));
      if (!r) return el("div", {}, head, el("p", { class: "muted" }, "This run has no response to the item."));
      const css = r.verdict === "correct" ? "better" : r.verdict === "incorrect" ? "worse" : "apart";
      const icon = { correct: "\u2713 ", incorrect: "\u2717 " }[r.verdict] || "? ";
      const facts = el("dl", {}, el("dt", {}, "Answer found"), el("dd", {}, text(r.answer) ? bdi(text(r.answer)) : "none"), el("dt", {}, "Why"), el("dd", {}, text(r.reason) ? bdi(text(r.reason)) : "\u2013"), el("dt", {}, "Ended by"), el("dd", {}, visible(r.finish) + ", " + r.tokens + " tokens"));
      return el("div", {}, head, el("p", {}, el("span", { class: "chip " + css }, icon + r.verdict)), facts, marked(parts, changed, first));
    };
    const show = (item) => {
      current = item;
      for (const button of list.children) button.setAttribute("aria-current", String(button.item === item));
      if (!item) { detail.replaceChildren(el("p", { class: "muted" }, "No item fits these filters.")); return; }
      const x = response(item, runA), y = response(item, runB);
      const partsA = x ? words(text(x.text)) : [], partsB = y ? words(text(y.text)) : [];
      const equal = !x || !y || x.text === y.text;
      const d = equal ? { start: -1, inA: new Set(), inB: new Set() } : difference(partsA, partsB);
      const tokens = [x, y].flatMap((r) => (r && r.first >= 0 ? [r.first] : []));
      const oneIsReference = runA === reference || runB === reference;
      const where = equal ? (x && y ? "The responses are identical." : "") : "The first difference is framed" + (oneIsReference && tokens.length ? ": token " + (Math.min(...tokens) + 1) + "." : ".");
      const place = found.indexOf(item);
      const step = (by, name) => el("button", { type: "button", class: "plain", disabled: !found[place + by], onclick: () => { writeHash({ i: id(found[place + by]) }); show(found[place + by]); } }, name);
      detail.replaceChildren(
        el("div", { class: "tools" }, step(-1, "Previous"), step(1, "Next"), el("span", { class: "muted" }, place + 1 + " of " + found.length)),
        el("h3", {}, bdi(item.key), el("span", { class: "sub" }, bdi(item.task), item.group ? " \u00b7 " : "", item.group ? bdi(item.group) : "", item.repeat ? " \u00b7 repeat " + item.repeat : "")),
        el("dl", {}, el("dt", {}, "Expected"), el("dd", {}, bdi(text(item.target)))), el("p", { class: "muted" }, where),
        el("div", { class: "pair" }, side(item, runA, partsA, d.inA, d.start), ...(runA === runB ? [] : [side(item, runB, partsB, d.inB, d.start)])),
        el("details", { open: !!state.p, ontoggle: (event) => writeHash({ p: event.target.open ? "1" : "" }) }, el("summary", {}, "Prompt as sent"), el("pre", { tabindex: "0" }, visible(text(item.prompt)))));
    };
    list.addEventListener("keydown", (event) => {
      const step = { ArrowDown: 1, ArrowUp: -1, j: 1, k: -1 }[event.key];
      const next = step && document.activeElement.parentElement === list ? (step > 0 ? document.activeElement.nextElementSibling : document.activeElement.previousElementSibling) : null;
      if (!next) return;
      event.preventDefault();
      next.focus();
      if (next.item) { writeHash({ i: id(next.item) }); show(next.item); }
    });
    const other = runs.length < 2 ? 0 : Math.max(0, runs.findIndex((_, run) => run !== reference && items.some((item) => item.flip && response(item, run) && response(item, reference) && response(item, run).verdict !== response(item, reference).verdict)));
    appliers.push(() => {
      search.value = state.q || "";
      task.value = state.t || "";
      change.value = state.f || "";
      runA = runs[state.a] ? Number(state.a) : reference;
      runB = runs[state.b] ? Number(state.b) : other === reference && runs.length > 1 ? (reference === 0 ? 1 : 0) : other;
      a.value = String(runA);
      b.value = String(runB);
      found = items.filter(matches);
      count.textContent = found.length + " of " + items.length + " items";
      list.replaceChildren();
      grow(0);
      show(found.find((item) => id(item) === state.i) || found[0] || null);
    });
    applyState();
    if (state.i || state.q || state.t || state.f) $("#samples").scrollIntoView();
  };

  // What is in the page, as a file.
  const methods = $("#methods");
  if (methods) {
    methods.append(el("p", {}, el("button", { type: "button", class: "plain", onclick: () => {
      const data = JSON.stringify({ ...read("assay-data"), ...read("assay-items") });
      const link = el("a", { href: URL.createObjectURL(new Blob([data], { type: "application/json" })), download: "report.json" });
      link.click();
      setTimeout(() => URL.revokeObjectURL(link.href), 1000);
    } }, "Download the data as JSON")));
  }
  applyState();
  reveal();
  // The texts are the large part: read after the first picture is on the screen.
  requestAnimationFrame(() => setTimeout(startBrowser, 0));
})();
