"use strict";
// The log: all rows are in memory, and only those that are seen are in the document. Text is only ever set as text.
(() => {
  const HEIGHT = 22; // of one row, as the style says
  const TALLEST = 15000000; // pixels: beyond, browsers lose their place
  const BEYOND = 15; // rows drawn above and below what is seen
  const get = (id) => document.getElementById(id);
  const data = JSON.parse(get("log-data").textContent);
  const rows = data.rows;
  const [view, all, seen, filter, kinds, count, detail] =
    ["view", "all", "seen", "filter", "kinds", "count", "detail"].map(get);
  let shown = rows.map((_, index) => index);
  let wanted = "";
  let chosen = -1;
  let lowered = null; // the texts in lower case, made when they are first searched

  const timeOf = (row) => (row[0] === null ? "" : new Date(data.begin + row[0]).toISOString().slice(11, 19));

  function apply() {
    wanted = filter.value.trim().toLowerCase();
    const off = new Set();
    for (const box of kinds.querySelectorAll("input")) if (!box.checked) off.add(data.kinds.indexOf(box.value));
    if (wanted && !lowered) lowered = rows.map((row) => row[2].toLowerCase());
    shown = [];
    for (let index = 0; index < rows.length; index++) {
      if (!off.has(rows[index][1]) && (!wanted || lowered[index].includes(wanted))) shown.push(index);
    }
    all.style.height = `${Math.min(TALLEST, shown.length * HEIGHT)}px`;
    const total = rows.length.toLocaleString("en");
    count.textContent = shown.length === rows.length ? `${total} lines` : `${shown.length.toLocaleString("en")} of ${total} lines`;
    view.scrollTop = 0;
    draw();
  }

  // Where the rows are taller together than a browser bears, scrolling takes larger steps.
  function scale() {
    const whole = shown.length * HEIGHT;
    const room = Math.min(TALLEST, whole) - view.clientHeight;
    return whole <= TALLEST || room <= 0 ? 1 : (whole - view.clientHeight) / room;
  }

  function draw() {
    const top = view.scrollTop * scale();
    const first = Math.max(0, Math.floor(top / HEIGHT) - BEYOND);
    const last = Math.min(shown.length, Math.ceil((top + view.clientHeight) / HEIGHT) + BEYOND);
    seen.replaceChildren(...shown.slice(first, last).map(element));
    seen.style.top = `${view.scrollTop + first * HEIGHT - top}px`;
  }

  function element(index) {
    const row = rows[index];
    const kind = data.kinds[row[1]];
    const line = document.createElement("div");
    line.className = `row k-${kind}` + (index === chosen ? " chosen" : "");
    line.dataset.index = index;
    const end = row[2].indexOf("\n");
    line.append(part("time", timeOf(row)), part("tag", kind), marked(end < 0 ? row[2] : row[2].slice(0, end)));
    if (end >= 0) line.append(part("more", `… ${row[2].split("\n").length} lines`));
    return line;
  }

  function part(name, text) {
    const span = document.createElement("span");
    span.className = name;
    span.textContent = text;
    return span;
  }

  function marked(text) {
    const span = part("text", "");
    const low = wanted ? text.toLowerCase() : "";
    let from = 0;
    for (let at = low.indexOf(wanted); wanted && at >= 0; at = low.indexOf(wanted, from)) {
      const hit = document.createElement("mark");
      hit.textContent = text.slice(at, at + wanted.length);
      span.append(text.slice(from, at), hit);
      from = at + wanted.length;
    }
    span.append(text.slice(from));
    return span;
  }

  function choose(index) {
    chosen = index;
    detail.hidden = index < 0;
    detail.textContent = index < 0 ? "" : rows[index][2];
    draw();
  }

  function goTo(moment) {
    let low = 0;
    let high = shown.length - 1;
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((rows[shown[middle]][0] ?? 0) + data.begin < moment) low = middle + 1;
      else high = middle;
    }
    view.scrollTop = (low * HEIGHT) / scale();
    draw();
  }

  let waiting = false;
  view.addEventListener("scroll", () => {
    if (waiting) return;
    waiting = true;
    requestAnimationFrame(() => { waiting = false; draw(); });
  });
  let typing = 0;
  filter.addEventListener("input", () => { clearTimeout(typing); typing = setTimeout(apply, 120); });
  kinds.addEventListener("change", apply);
  seen.addEventListener("click", (event) => {
    const line = event.target.closest(".row");
    if (line) choose(Number(line.dataset.index) === chosen ? -1 : Number(line.dataset.index));
  });
  const timeline = get("timeline");
  if (timeline) timeline.addEventListener("click", (event) => {
    const box = timeline.getBoundingClientRect();
    const share = ((event.clientX - box.left) / box.width - timeline.dataset.left) / (1 - timeline.dataset.left);
    const [begin, end] = [Number(timeline.dataset.begin), Number(timeline.dataset.end)];
    goTo((begin + Math.max(0, share) * (end - begin)) * 1000);
  });
  addEventListener("resize", draw);
  apply();
})();
