// The keyboard on the timeline. Keys count while the timeline has the focus, and nowhere else.

const ACTIONS = {
  in: (state) => glide(state, () => zoom(state, 0.5, focus(state))),
  out: (state) => glide(state, () => zoom(state, 2, focus(state))),
  left: (state) => glide(state, () => move(state, -0.4)),
  right: (state) => glide(state, () => move(state, 0.4)),
  fit: (state) => glide(state, () => look(state, ...state.home)),
  all: (state) => glide(state, () => look(state, state.least, state.most)),
};

// focus is the time around which buttons and keys zoom: that of the chosen attempt, if it is in
// view.
function focus(state) {
  const a = state.chosen;
  return a && a.end >= state.from && a.begin <= state.to ? (a.begin + a.end) / 2 : undefined;
}

const KEYS = {
  "+": ACTIONS.in, "=": ACTIONS.in, w: ACTIONS.in, "-": ACTIONS.out, s: ACTIONS.out,
  a: ACTIONS.left, d: ACTIONS.right, 0: ACTIONS.fit, 9: ACTIONS.all,
  ArrowRight: (state) => along(state, 1), ArrowLeft: (state) => along(state, -1),
  ArrowDown: (state) => across(state, 1), ArrowUp: (state) => across(state, -1),
  Home: (state) => along(state, -Infinity), End: (state) => along(state, Infinity),
  PageDown: (state) => across(state, 8), PageUp: (state) => across(state, -8),
  Enter: (state) => state.chosen && glide(state, () => zoomTo(state, state.chosen)),
  Escape: (state) => {
    choose(state, null);
    byId("tip").hidden = true;
  },
};

function keyboard(state, board) {
  board.lanes.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    let action = KEYS[event.key];
    if (event.shiftKey && event.key === "ArrowLeft") action = ACTIONS.left;
    if (event.shiftKey && event.key === "ArrowRight") action = ACTIONS.right;
    if (!action) return;
    event.preventDefault();
    action(state);
  });
}

// along goes to another attempt of the same lane.
function along(state, by) {
  const all = state.chosen ? state.chosen.lane.visible : [];
  if (!all.length) return across(state, 1);
  const at = all.indexOf(state.chosen) + by;
  choose(state, all[Math.min(Math.max(at, 0), all.length - 1)], true);
}

// across goes to the attempt of another lane that is nearest in time. Without a chosen one it is
// the first of all.
function across(state, by) {
  const lanes = state.shown.filter((l) => l.visible.length);
  if (!lanes.length) return;
  if (!state.chosen) return choose(state, lanes[0].visible[0], true);
  const at = lanes.indexOf(state.chosen.lane) + by;
  const lane = lanes[Math.min(Math.max(at, 0), lanes.length - 1)];
  choose(state, lane.visible.reduce((best, a) => (Math.abs(a.begin - state.chosen.begin) < Math.abs(best.begin - state.chosen.begin) ? a : best)), true);
}

// choose shows an attempt in detail. When the keyboard chose it, it comes into view.
function choose(state, attempt, intoView = false) {
  state.chosen = attempt || null;
  state.intoView = attempt ? intoView : false;
  if (attempt && intoView) {
    const span = state.to - state.from;
    if (attempt.end < state.from || attempt.begin > state.to) {
      const middle = (attempt.begin + attempt.end) / 2;
      glide(state, () => look(state, middle - span / 2, middle + span / 2));
    }
  }
  state.said = false;
  state.tipped = intoView && attempt ? attempt : null;
  changed(state);
}
