
"use strict";

const data = JSON.parse(document.getElementById("data").textContent);
const VERDICTS = {
  h: ["held", "\u25cf"], v: ["violated", "\u00d7"], a: ["admitted", "(\u00d7)"],
  i: ["inconclusive", "?"], f: ["faulted", "!"], n: ["not-applicable", "\u2013"],
};
const OUTCOMES = { caught: "\u25cf", survived: "\u00d7", undecided: "?", "not-applicable": "\u2013" };
const CONCLUSIONS = {
  conformant: "h", "conformant-with-admissions": "a", nonconformant: "v", incomplete: "i",
};
const MANY = 6; // columns of which the names fit side by side; those of more stand upright
const at = (id) => document.getElementById(id);
const worded = (name) => name.replaceAll("-", " ");

// Text is only ever added as text: nothing that a store answered is read as HTML.
function make(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  element.append(...children.filter((child) => child !== null && child !== ""));
  return element;
}

function signed(kind, sign, words = worded(kind)) {
  return make("span", { class: "verdict" }, make("span", { class: `sign ${kind}`, "aria-hidden": "true" }, sign), words);
}

// Of the kit's own sentences: what stands in backquotes is code.
function prose(tag, text, attributes = {}) {
  return make(tag, attributes, ...text.split(/`([^`]+)`/).map((part, place) => place % 2 ? make("code", {}, part) : part));
}

function verdictOf(backend, number) {
  return VERDICTS[backend.cells[number]];
}

// the table of backends -------------------------------------------------------------------------

function summary() {
  const counted = Object.values(VERDICTS).map(([name]) => name).filter((name) =>
    ["held", "violated"].includes(name) || data.backends.some((backend) => backend.counts[name]));
  const head = make("tr", {}, ...["backend", "verdict"].map((name) => make("th", { scope: "col" }, name)),
    ...counted.map((name) => make("th", { scope: "col", class: "number" }, worded(name))),
    ...["server", "python", "profile"].map((name) => make("th", { scope: "col" }, name)));
  const rows = data.backends.map((backend) => {
    const [kind, sign] = VERDICTS[CONCLUSIONS[backend.verdict]];
    const numbers = counted.map((name) => {
      const number = backend.counts[name];
      return make("td", { class: number ? "number" : "number zero" }, String(number));
    });
    return make("tr", {}, make("th", { scope: "row" }, backend.name),
      make("td", {}, signed(kind, sign, worded(backend.verdict))), ...numbers,
      make("td", {}, backend.server || "\u2013"), make("td", {}, backend.python), make("td", {}, backend.profile));
  });
  return make("table", { class: "summary" }, make("thead", {}, head), make("tbody", {}, ...rows));
}

// the matrix ------------------------------------------------------------------------------------

let rows = []; // of the matrix: the row, its number, and what a search looks into

function matrix(columns) {
  rows = [];
  const names = columns.map((column) => data.backends[column].name);
  const head = make("tr", {}, make("th", { scope: "col" }, "clause"), ...columns.map((column, place) =>
    make("th", { scope: "col" }, button(`/${column}`, names[place], { title: names[place] }))));
  const table = make("table", { "aria-describedby": "keys" },
    make("caption", { class: "hidden" }, "The verdict on each clause, by backend"),
    make("colgroup", {}, make("col", { class: "first" }), make("col", { span: columns.length })), make("thead", {}, head));
  table.style.setProperty("--columns", columns.length);
  let body = null, area = null;
  data.clauses.forEach((clause, number) => {
    if (clause.area !== area) {
      area = clause.area;
      body = make("tbody", { "data-area": area }, areaRow(area, columns));
      table.append(body);
    }
    const row = make("tr", {}, clauseHead(clause, number));
    columns.forEach((column, place) => row.append(cell(clause, number, column, names[place])));
    body.append(row);
    rows.push({ row, number, words: searched(clause, number, columns) });
  });
  return table;
}

function areaRow(area, columns) {
  const numbers = data.clauses.map((clause, number) => number).filter((number) => data.clauses[number].area === area);
  const broken = numbers.filter((number) => columns.some((column) => data.backends[column].cells[number] === "v"));
  const told = `${numbers.length} clause${numbers.length === 1 ? "" : "s"}${broken.length ? `, ${broken.length} violated` : ""}`;
  return make("tr", { class: "area" }, make("th", { scope: "rowgroup", colspan: columns.length + 1 },
    make("span", {}, area, make("span", { class: "soft" }, told))));
}

function clauseHead(clause, number) {
  const level = clause.level === "must" ? null : make("span", { class: "level" }, clause.level.toUpperCase());
  const [area, ...rest] = clause.id.split(".");
  const id = make("span", { class: "id" }, `${area}.`, make("wbr"), rest.join("."));
  const open = button(String(number), rest.length ? id : clause.id, {});
  if (level) open.append(level);
  return make("th", { scope: "row" }, open);
}

function cell(clause, number, column, name) {
  const verdict = verdictOf(data.backends[column], number);
  if (!verdict) return make("td", {}, make("span", { class: "hidden" }, "not in its contract"));
  const label = `${name}, ${clause.id}: ${worded(verdict[0])}`;
  return make("td", {}, button(`${number}/${column}`, verdict[1], { "aria-label": label, class: `sign ${verdict[0]}` }));
}

function button(value, content, attributes) {
  return make("button", { type: "button", value, tabindex: "-1", ...attributes }, content);
}

function searched(clause, number, columns) {
  const told = columns.map((column) => (data.backends[column].told[number] || {}).headline || "");
  return [clause.id, clause.sentence, ...told].join("\n").toLowerCase();
}

// filters ---------------------------------------------------------------------------------------

let columns = data.backends.map((_, number) => number);

function showColumns() {
  const wanted = at("column").value.trim().toLowerCase();
  columns = data.backends.map((_, number) => number)
    .filter((number) => data.backends[number].name.toLowerCase().includes(wanted));
  at("matrix").classList.toggle("many", columns.length > MANY);
  at("matrix").classList.toggle("several", columns.length > 2);
  at("matrix").replaceChildren(columns.length ? matrix(columns) : make("p", { class: "empty" }, "No backend is called so."));
  showRows();
}

function showRows() {
  const words = at("search").value.trim().toLowerCase().split(/\s+/);
  const [verdict, level, area] = ["verdict", "level", "area"].map((id) => at(id).value);
  let shown = 0;
  for (const { row, number, words: text } of rows) {
    const clause = data.clauses[number];
    const isShown = (!level || clause.level === level) && (!area || clause.area === area)
      && (!verdict || columns.some((column) => data.backends[column].cells[number] === verdict))
      && words.every((word) => text.includes(word));
    row.hidden = !isShown;
    shown += isShown;
  }
  for (const body of document.querySelectorAll("#matrix tbody"))
    body.hidden = !body.querySelector("tr:not(.area):not([hidden])");
  at("shown").textContent = `${shown} of ${data.clauses.length} clauses`
    + (columns.length < data.backends.length ? `, ${columns.length} of ${data.backends.length} backends` : "");
  makeReachable(document.querySelector("#matrix button[tabindex='0']"));
}

function fill(select, choices) {
  select.append(make("option", { value: "" }, "all"), ...choices.map(([value, words]) => make("option", { value }, words)));
}

// keys: the matrix is one stop of the tab key, and the arrows go about in it -----------------------

function makeReachable(wanted) {
  const isVisible = (one) => one && one.isConnected && !one.closest("[hidden]");
  const next = isVisible(wanted) ? wanted
    : document.querySelector("#matrix tbody:not([hidden]) tr:not([hidden]) td button") || document.querySelector("#matrix button");
  for (const one of document.querySelectorAll("#matrix button[tabindex='0']")) one.tabIndex = -1;
  if (next) next.tabIndex = 0;
  return next;
}

const STEPS = {
  ArrowRight: [0, 1], ArrowLeft: [0, -1], ArrowDown: [1, 0], ArrowUp: [-1, 0],
  PageDown: [10, 0], PageUp: [-10, 0], Home: [0, -Infinity], End: [0, Infinity],
};

function go(event) {
  const from = event.target.closest("button");
  const step = STEPS[event.key];
  if (!step || !from || event.altKey || event.metaKey) return;
  event.preventDefault();
  const lines = [...document.querySelectorAll("#matrix tr:not(.area):not([hidden])")]
    .filter((line) => !line.closest("[hidden]"));
  const within = (number, end) => Math.min(Math.max(number, 0), end - 1);
  const down = event.ctrlKey && step[0] === 0 ? step[1] * Infinity : step[0];
  let line = within(lines.indexOf(from.closest("tr")) + down, lines.length);
  const place = within(from.closest("td, th").cellIndex + step[1], columns.length + 1);
  // Above the names of the clauses, and where a contract has no such clause, is no button.
  const found = (number) => lines[number]?.cells[place].querySelector("button");
  // From an end of the table it is looked for inwards, else onwards.
  const way = Number.isFinite(down) ? Math.sign(down) || 1 : -Math.sign(down);
  while (line in lines && !found(line)) line += way;
  const next = found(line);
  if (!next) return;
  makeReachable(next).focus();
}

// what opens ------------------------------------------------------------------------------------

function section(title, ...content) {
  return [make("h3", {}, title), ...content];
}

function values(pairs) {
  return make("dl", { class: "values" }, ...pairs.flatMap(([name, value]) => [make("dt", {}, name), make("dd", {}, value)]));
}

function open(value) {
  const [number, column] = value.split("/");
  const clause = number === "" ? null : data.clauses[number];
  const backend = column === undefined ? null : data.backends[column];
  const content = clause && backend ? cellDetail(clause, backend, backend.told[number] || {}, verdictOf(backend, number))
    : clause ? clauseDetail(clause, number) : backendDetail(backend);
  at("detail-body").replaceChildren(...content);
  at("detail").showModal();
  at("detail").scrollTop = 0;
  const place = [clause ? clause.id : "", ...(backend ? [backend.name] : [])].map(encodeURIComponent).join("/");
  history.replaceState(null, "", `#${place}`);
}

function title(...words) {
  return make("h2", { id: "detail-title" }, ...words);
}

function cellDetail(clause, backend, told, [verdict, sign]) {
  return [
    title(make("span", { class: "id" }, clause.id)),
    make("p", {}, signed(verdict, sign), ` \u00b7 ${backend.name}${backend.server ? `, ${backend.server}` : ""} \u00b7 ${clause.level.toUpperCase()}`),
    told.headline ? make("p", { class: "headline" }, told.headline) : "",
    prose("p", clause.sentence, { class: "sentence" }),
    ...(told.reason ? section(verdict === "admitted" ? "admitted" : "remark", make("p", {}, told.reason)) : []),
    ...(told.witness ? section("what happened", told.drawn ? drawing(told.witness) : timeline(told.witness)) : []),
    ...(told.demanded !== undefined ? section("the answer", values([["demanded", make("code", {}, told.demanded)], ["answered", make("code", {}, told.answered || "")]])) : []),
    ...(told.program ? section("to play it again", make("pre", { tabindex: "0" }, told.program.join("\n"))) : []),
    ...lasting(clause),
  ].filter((one) => one !== "");
}

function lasting(clause) {
  return [
    ...(clause.because ? section("because", prose("p", clause.because)) : []),
    ...(clause.remedy ? section("to hold it", prose("p", clause.remedy)) : []),
    ...(clause.needs.length ? section("applies where this is claimed", make("p", {}, clause.needs.join(", "))) : []),
    ...(clause.evidence.length ? section("seen in", make("p", {}, clause.evidence.join(", "))) : []),
  ];
}

function clauseDetail(clause, number) {
  const verdicts = data.backends.filter((backend) => verdictOf(backend, number)).map((backend) => {
    const told = backend.told[number] || {};
    const more = told.headline || told.reason;
    return [backend.name, make("span", {}, signed(...verdictOf(backend, number)), more ? `: ${more}` : "")];
  });
  return [title(make("span", { class: "id" }, clause.id)), make("p", { class: "soft" }, clause.level.toUpperCase()),
    prose("p", clause.sentence, { class: "sentence" }), ...lasting(clause), ...section("verdicts", values(verdicts))];
}

function backendDetail(backend) {
  const [kind, sign] = VERDICTS[CONCLUSIONS[backend.verdict]];
  return [title(backend.name), make("p", {}, signed(kind, sign, worded(backend.verdict))), values(backend.facts)];
}

function drawing(lines) {
  return make("pre", { tabindex: "0", class: "drawing" }, lines.join("\n"));
}

function timeline(lines) {
  return make("ol", { class: "timeline" }, ...lines.map((line) => {
    if (line.startsWith("... ") && line.endsWith(" ...")) return make("li", { class: "gap" }, line);
    const [, by, call, answer] = /^(\[\d+\] )?(.*?)(?:  ->  (.*))?$/.exec(line);
    return make("li", {}, by ? make("span", { class: "by", title: "instance" }, by) : "", make("code", {}, call),
      answer === undefined ? "" : make("code", { class: "answer" }, `\u2192 ${answer}`));
  }));
}

function openFromAddress() {
  const [id, name] = location.hash.slice(1).split("/").map((part) => {
    try { return decodeURIComponent(part); } catch { return part; }
  });
  const number = data.clauses.findIndex((clause) => clause.id === id);
  const column = data.backends.findIndex((backend) => backend.name === name);
  if (number < 0 && column < 0) return;
  if (number >= 0 && column >= 0 && !verdictOf(data.backends[column], number)) return;
  open(`${number < 0 ? "" : number}${column < 0 ? "" : `/${column}`}`);
}

// proofs ----------------------------------------------------------------------------------------

function proof(one, number) {
  const id = `proof-${number}`;
  const body = make("tbody", {}, ...one.defects.map(defect));
  const search = make("input", { type: "search", autocomplete: "off", placeholder: "defect or clause" });
  const outcome = make("select", {});
  fill(outcome, Object.keys(OUTCOMES).filter((name) => one.defects.some((defect) => defect.outcome === name)).map((name) => [name, worded(name)]));
  const shown = make("output", { "aria-live": "polite" });
  const show = () => {
    const words = search.value.trim().toLowerCase().split(/\s+/);
    let count = 0;
    for (const row of body.rows) {
      const text = row.textContent.toLowerCase();
      row.hidden = !(words.every((word) => text.includes(word)) && (!outcome.value || row.dataset.outcome === outcome.value));
      count += !row.hidden;
    }
    shown.textContent = `${count} of ${one.defects.length} defects`;
  };
  search.addEventListener("input", show);
  outcome.addEventListener("change", show);
  show();
  const head = ["outcome", "defect", "caught by"].map((name) => make("th", { scope: "col" }, name));
  return make("section", { "aria-labelledby": id }, make("h2", { id }, `Defects wrapped around ${one.name}`),
    ...one.notes.map((note) => make("p", { class: "soft" }, note)),
    make("form", { class: "filters", role: "search", "aria-label": "Filter the defects" },
      make("label", { class: "wide" }, "Search the defects ", search), make("label", {}, "Outcome ", outcome)),
    make("p", { class: "status" }, shown),
    make("div", { class: "scroll" }, make("table", { class: "defects" }, make("thead", {}, make("tr", {}, ...head)), body)));
}

function defect(one) {
  const catches = one.by.map(([clause, headline]) => [make("span", { class: "id" }, clause), headline ? `: ${headline}` : ""]);
  const [first, ...others] = catches;
  const told = first ? [make("p", {}, ...first)] : [make("p", {}, one.reason || "")];
  if (others.length) told.push(make("details", {}, make("summary", {}, `and ${others.length} more`),
    make("ul", { class: "plain" }, ...others.map((other) => make("li", {}, ...other)))));
  return make("tr", { "data-outcome": one.outcome }, make("td", {}, signed(one.outcome, OUTCOMES[one.outcome])),
    make("th", { scope: "row" }, make("span", { class: "id" }, one.name), prose("p", one.sentence, { class: "soft" })),
    make("td", {}, ...told));
}

// the page --------------------------------------------------------------------------------------

at("subtitle").textContent = data.subtitle.join(" \u00b7 ");
if (data.backends.length) {
  at("backends").hidden = at("clauses").hidden = false;
  at("backends").querySelector(".scroll").append(summary());
  const found = new Set(data.backends.flatMap((backend) => [...backend.cells]));
  const kinds = Object.entries(VERDICTS).filter(([code]) => found.has(code));
  fill(at("verdict"), kinds.map(([code, [name]]) => [code, worded(name)]));
  fill(at("level"), [...new Set(data.clauses.map((clause) => clause.level))].map((level) => [level, level.toUpperCase()]));
  fill(at("area"), [...new Set(data.clauses.map((clause) => clause.area))].map((area) => [area, area]));
  document.querySelector(".legend").append(...kinds.map(([, [name, sign]]) => make("li", {}, signed(name, sign))));
  at("column-filter").hidden = data.backends.length <= MANY;
  showColumns();
  at("column").addEventListener("input", showColumns);
  for (const id of ["search", "verdict", "level", "area"]) at(id).addEventListener("input", showRows);
  at("matrix").addEventListener("keydown", go);
  at("matrix").addEventListener("focusin", (event) => event.target.closest("button") && makeReachable(event.target));
  at("matrix").addEventListener("click", (event) => {
    const chosen = event.target.closest("button");
    if (chosen) open(chosen.value);
  });
  addEventListener("hashchange", openFromAddress);
  openFromAddress();
}
at("proofs").append(...data.proofs.map(proof));
at("detail").addEventListener("close", () => history.replaceState(null, "", location.pathname + location.search));
at("detail").addEventListener("click", (event) => event.target === at("detail") && at("detail").close());
for (const form of document.querySelectorAll(".filters")) form.addEventListener("submit", (event) => event.preventDefault());
