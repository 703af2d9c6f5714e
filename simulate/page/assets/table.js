// Tables in pages of rows, sorted by their columns. They show what the timeline shows, so a person
// who does not see the timeline misses nothing.

const PAGE = 25, PRINTED = 2000;

// newTable returns a function that shows rows. Each column has a name, a cell for a row, and, if the
// rows can be sorted by it, a key for a row.
function newTable(place, caption, columns) {
  const view = { rows: [], page: 0, by: null, down: false, all: false, chosen: null };
  const body = element("tbody"), pages = element("div", { className: "pages" }), left = element("p", { className: "print-left" });
  const heads = columns.map((column, i) => headCell(column, () => sortBy(view, i, redraw)));
  const table = element("table", {}, element("caption", { className: "unseen" }, caption), element("thead", {}, element("tr", {}, ...heads)), body);
  place.append(element("div", { className: "scroll", role: "region", tabIndex: 0, "aria-label": caption }, table), pages, left);
  function redraw() {
    const size = view.all ? PRINTED : PAGE, last = Math.max(0, Math.ceil(view.rows.length / size) - 1);
    view.page = Math.min(view.page, last);
    const from = view.page * size, rows = sorted(view, columns).slice(from, from + size);
    body.replaceChildren(...rows.map((row) => rowOf(columns, row, row === view.chosen)));
    if (!rows.length) body.append(element("tr", {}, element("td", { colSpan: columns.length }, "Nothing to list.")));
    for (const [i, head] of heads.entries()) head.setAttribute("aria-sort", view.by === i ? (view.down ? "descending" : "ascending") : "none");
    pages.replaceChildren(...pager(view, last, size, redraw));
    left.textContent = view.rows.length > from + rows.length ? count(view.rows.length - from - rows.length, "more row") + " on the page itself." : "";
  }
  return { show: (rows, chosen) => { Object.assign(view, { rows, chosen }); redraw(); }, all: (all) => { Object.assign(view, { all, page: all ? 0 : view.page }); redraw(); },
    mark: (chosen) => { view.chosen = chosen; for (const row of body.children) row.classList.toggle("chosen", row.of === chosen && chosen !== null); } };
}

function headCell(column, sort) {
  const content = column.key ? element("button", { type: "button", onclick: sort }, column.name) : column.name;
  return element("th", { scope: "col", className: column.number ? "number" : "" }, content);
}

// nameCells names the cells of tables that the page came with. Narrow pages show the names.
function nameCells() {
  for (const table of document.querySelectorAll(".rows table")) {
    const names = [...table.tHead.rows[0].cells].map((head) => head.textContent);
    for (const row of table.tBodies[0].rows) for (const [i, cell] of [...row.cells].entries()) cell.dataset.name = names[i];
  }
}

function sortBy(view, column, redraw) {
  view.down = view.by === column && !view.down;
  view.by = column;
  view.page = 0;
  redraw();
}

function sorted(view, columns) {
  if (view.by === null) return view.rows;
  const keys = placed(view.rows.map(columns[view.by].key)), sign = view.down ? -1 : 1;
  return [...keys.keys()].sort((a, b) => sign * (keys[a] - keys[b]) || a - b).map((i) => view.rows[i]);
}

function rowOf(columns, row, chosen) {
  const made = element("tr", { className: chosen ? "chosen" : "" }, ...columns.map((column) => {
    const cell = column.cell(row);
    return element("td", { className: column.number ? "number" : column.className ?? "", "data-name": column.name }, ...(Array.isArray(cell) ? cell : [cell]));
  }));
  made.of = row;
  return made;
}

function pager(view, last, size, redraw) {
  const go = (by) => () => { view.page += by; redraw(); };
  if (last === 0) return [];
  return [
    element("button", { type: "button", disabled: view.page === 0, onclick: go(-1) }, "Previous page"),
    element("button", { type: "button", disabled: view.page === last, onclick: go(1) }, "Next page"),
    element("span", {}, "rows " + (view.page * size + 1).toLocaleString("en-US") + " to " + Math.min(view.rows.length, (view.page + 1) * size).toLocaleString("en-US") + " of " + view.rows.length.toLocaleString("en-US")),
  ];
}

// resultCell returns a verdict with its shape.
const resultCell = (one) => [swatch(one.verdict), VERDICT_NAMES[one.verdict]];

// sideColumn returns the column that tells what is compared, if something is.
const sideColumn = (data) => (data.sides.length ? [{ name: "Scripts", cell: (r) => data.sides[r.side], key: (r) => data.sides[r.side] }] : []);

// chooseRow shows an attempt of the table in the timeline.
function chooseRow(state, attempt) {
  choose(state, attempt, true);
  byId("board").scrollIntoView({ block: "nearest" });
}

function attemptsTable(state, place) {
  const data = state.data;
  const begin = (a) => element("button", { type: "button", onclick: () => chooseRow(state, a) }, day(data.begin + a.begin) + " " + clock(data.begin + a.begin, 1e5));
  return newTable(place, "Attempts", [
    { name: "Begin (UTC)", cell: begin, key: (a) => a.begin, className: "keep" },
    { name: "Source", cell: (a) => isolated(a.source), key: (a) => a.source, className: "keep" },
    { name: "Door", cell: (a) => isolated(a.door), key: (a) => a.door, className: "name" },
    ...sideColumn(data),
    { name: "Result", cell: resultCell, key: (a) => -VERDICT_RANKS[a.verdict], className: "keep" },
    { name: "Knocks", cell: (a) => a.best + " of " + a.stages, key: (a) => a.best, number: true },
    { name: "Took", cell: (a) => (a.end > a.begin ? duration(a.end - a.begin) : ""), key: (a) => a.end - a.begin, number: true },
    { name: "Why, and what the door did", cell: (a) => [a.text, ...a.gave.map(data.text)].filter(Boolean).map((t) => element("p", {}, t)), className: "wide" },
  ]);
}

function accountsTable(state, place) {
  return newTable(place, "What became of each source", [
    { name: "Source", cell: (a) => isolated(a.source), key: (a) => a.source, className: "keep" },
    { name: "Door", cell: (a) => isolated(a.door), key: (a) => a.door, className: "name" },
    ...sideColumn(state.data),
    { name: "Result", cell: resultCell, key: (a) => -VERDICT_RANKS[a.verdict], className: "keep" },
    { name: "Knocks", cell: (a) => (a.stages ? a.best + " of " + a.stages : ""), key: (a) => a.best, number: true },
    { name: "What happened", cell: (a) => a.lines.map((l) => element("p", {}, l)), className: "wide" },
  ]);
}
