// The parts of the page, put together.

function main() {
  const data = readData(), state = newState(data), lanes = byId("lanes");
  state.version = 0;
  const board = { lanes, axis: byId("axis"), canvas: byId("canvas"), tall: byId("tall"), tip: newTip(byId("tip")), measured: null };
  const shown = { attempts: attemptsTable(state, byId("attempts-table")), accounts: accountsTable(state, byId("accounts-table")), overview: newOverview(state, byId("overview")) };
  nameCells();
  theme(state);
  filters(state);
  byId("app").hidden = false;
  byId("accounts").hidden = data.accounts.length === 0;
  document.querySelector(".filters").hidden = state.lanes.length === 0;
  byId("board").hidden = byId("attempts").hidden = data.attempts.length + data.grants.length === 0;
  state.watchers.push(() => show(state, board, shown));
  drag(state, board);
  wheel(state, board);
  select(state, board);
  keyboard(state, board);
  dragOverview(state, byId("overview"));
  for (const button of document.querySelectorAll("[data-do]")) button.addEventListener("click", () => ACTIONS[button.dataset.do](state));
  lanes.addEventListener("scroll", () => {
    if (!state.scrolled) untip(state, board);
    state.scrolled = false;
    changed(state);
  });
  lanes.addEventListener("blur", () => untip(state, board));
  new ResizeObserver(() => changed(state)).observe(byId("frame"));
  printing(state, board, shown);
  byId("all").hidden = state.home[0] === state.least && state.home[1] === state.most;
  legend(byId("legend"), data);
  show(state, board, shown);
}

const PRINTED_LANES = 60; // that fit on two sheets

// show draws what changed. The canvas tells how much work that was, for those who measure it.
function show(state, board, shown) {
  const colors = (state.colors ??= palette()), width = board.lanes.clientWidth;
  const m = (board.measured = measure(state, width));
  const height = state.shown.length * m.lane;
  board.tall.style.height = height + "px";
  if (state.intoView && state.chosen) {
    state.intoView = false;
    const top = state.chosen.lane.row * m.lane, was = board.lanes.scrollTop, room = board.lanes.clientHeight;
    if (top < was) board.lanes.scrollTop = top;
    else if (top + m.lane > was + room) board.lanes.scrollTop = top + m.lane - room;
    state.scrolled = board.lanes.scrollTop !== was;
  }
  byId("nothing").hidden = state.shown.length > 0;
  byId("more").textContent = state.shown.length > PRINTED_LANES ? count(state.shown.length - PRINTED_LANES, "more lane") + " on the page itself." : "";
  shown.overview(colors, m);
  drawAxis(state, board.axis, m, colors);
  const most = Math.min(state.printing ? PRINTED_LANES * m.lane : board.lanes.clientHeight, height);
  const drawn = drawLanes(state, board.canvas, m, colors, state.printing ? 0 : board.lanes.scrollTop, most);
  if (state.tipped) tipChosen(state, board, m);
  board.canvas.dataset.drawn = drawn;
  board.canvas.dataset.view = Math.round(state.from) + " " + Math.round(state.to);
  board.canvas.dataset.frames = Number(board.canvas.dataset.frames ?? 0) + 1;
  showRows(state, shown);
}

// tipChosen shows the box of the attempt that the keyboard chose, as the mouse would.
function tipChosen(state, board, m) {
  const a = state.tipped, y = (a.lane.row + 1) * m.lane - board.lanes.scrollTop + board.lanes.offsetTop;
  board.tip.show({ data: state.data, hover: a }, a.lane, Math.min(Math.max(m.x(a.end), m.left), m.right), y);
}

function untip(state, board) {
  state.tipped = null;
  board.tip.hide();
}

// showRows shows what is not drawn, when it changed.
function showRows(state, shown) {
  if (state.listedVersion !== state.version) {
    state.listedVersion = state.version;
    shown.attempts.show(state.listed, state.chosen);
    shown.accounts.show(state.accounts, null);
    const all = state.data.attempts.length, some = state.listed.length;
    byId("count").textContent = some === all ? count(all, "attempt") : some.toLocaleString("en-US") + " of " + count(all, "attempt");
    byId("reset").hidden = !filtered(state);
  }
  if (state.detailed !== state.chosen || state.detailed === undefined) {
    state.detailed = state.chosen;
    showDetail(state, byId("detail"));
    shown.attempts.mark(state.chosen);
  }
  say(state, byId("status"));
}

// filters connects the controls that choose what is shown.
function filters(state) {
  const refilter = () => {
    filter(state);
    state.version++;
    changed(state);
  };
  const source = byId("source"), door = byId("door"), order = byId("order");
  for (const name of new Set(state.lanes.map((l) => l.door))) door.append(element("option", { value: name }, name));
  source.addEventListener("input", () => { state.source = source.value; refilter(); });
  door.addEventListener("change", () => { state.door = door.value; refilter(); });
  order.addEventListener("change", () => { state.order = order.value; refilter(); });
  const buttons = verdictButtons(state, refilter);
  byId("verdicts").append(...buttons);
  byId("reset").addEventListener("click", () => {
    source.value = state.source = door.value = state.door = "";
    state.verdicts = new Set(VERDICTS.keys());
    for (const button of buttons) button.setAttribute("aria-pressed", "true");
    refilter();
    source.focus();
  });
}

// verdictButtons returns a button for each verdict that there is.
function verdictButtons(state, refilter) {
  const counts = VERDICTS.map((_, v) => state.data.attempts.filter((a) => a.verdict === v).length);
  counts[VERDICTS.indexOf("never")] = state.lanes.filter((l) => !l.attempts.length && l.account).length;
  return VERDICT_ORDER.filter((v) => counts[v]).map((v) => {
    const button = element("button", { type: "button", "aria-pressed": "true" }, swatch(v), VERDICT_NAMES[v], " ", element("span", { className: "number" }, counts[v].toLocaleString("en-US")));
    button.addEventListener("click", () => {
      const on = !state.verdicts.delete(v);
      if (on) state.verdicts.add(v);
      button.setAttribute("aria-pressed", String(on));
      refilter();
    });
    return button;
  });
}

// theme follows the system until the reader chooses.
function theme(state) {
  const root = document.documentElement, dark = matchMedia("(prefers-color-scheme: dark)"), button = byId("theme");
  const apply = (name) => {
    root.dataset.theme = name;
    button.textContent = name === "dark" ? "Light" : "Dark";
    button.setAttribute("aria-label", button.textContent + " colours");
    state.colors = null;
    changed(state);
  };
  const system = () => apply(dark.matches ? "dark" : "light");
  dark.addEventListener("change", system);
  button.addEventListener("click", () => apply(root.dataset.theme === "dark" ? "light" : "dark"));
  button.hidden = false;
  system();
}

// printing shows all rows and lanes on paper, in light colours.
function printing(state, board, shown) {
  let before = "";
  const again = (on) => {
    state.printing = on;
    state.colors = null;
    shown.attempts.all(on);
    shown.accounts.all(on);
    show(state, board, shown);
  };
  addEventListener("beforeprint", () => {
    before = document.documentElement.dataset.theme;
    document.documentElement.dataset.theme = "light";
    again(true);
  });
  addEventListener("afterprint", () => {
    document.documentElement.dataset.theme = before;
    again(false);
  });
}

// legend says what the lines and bars mean.
function legend(place, data) {
  if (data.grants.length) place.append(element("span", {}, element("i", { className: "key-grant" }), "port open"));
  place.append(element("span", {}, element("i", { className: "key-attempt" }), "attempt, with its knocks; the shape at its end is the result"));
}

main();
