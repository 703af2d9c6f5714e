// What the page shows now: the filters, the part of time, and the chosen attempt. Whoever changes it
// calls changed, and whoever shows it is called before the next frame.

const LEAST_SPAN = 200; // microseconds that fill the timeline when it is zoomed in all the way

function newState(data) {
  const lanes = lanesOf(data);
  for (const [i, place] of placed(lanes.map((l) => l.source)).entries()) lanes[i].place = place;
  const state = {
    data, lanes, shown: [], listed: [], accounts: [],
    source: "", door: "", order: "first", verdicts: new Set([0, 1, 2, 3, 4, 5]),
    from: 0, to: data.length, chosen: null, hover: null, over: null,
    watchers: [], waiting: false,
  };
  const pad = data.length * 0.02;
  state.least = -pad;
  state.most = data.length + pad;
  state.home = home(state);
  [state.from, state.to] = state.home;
  filter(state);
  return state;
}

// changed shows the state again before the next frame, once for all changes until then.
function changed(state) {
  if (state.waiting) return;
  state.waiting = true;
  requestAnimationFrame(() => {
    state.waiting = false;
    for (const watcher of state.watchers) watcher();
  });
}

// home is the part of time that a page begins with: everything, unless the last grant ends so long
// after the attempts that they would be a single point.
function home(state) {
  const all = state.data.attempts;
  const first = Math.min(...all.slice(0, 1).map((a) => a.begin)), last = all.reduce((most, a) => Math.max(most, a.end), 0);
  if (!all.length || last - first > (state.most - state.least) / 20) return [state.least, state.most];
  const span = Math.max(last - first, SECOND);
  return [Math.max(first - span * 0.04, state.least), Math.min(last + span * 0.3, state.most)];
}

// look shows a part of time, within what there is.
function look(state, from, to) {
  const span = Math.min(Math.max(to - from, LEAST_SPAN), state.most - state.least);
  const middle = (from + to) / 2;
  state.from = Math.min(Math.max(middle - span / 2, state.least), state.most - span);
  state.to = state.from + span;
  changed(state);
}

function zoom(state, factor, around = (state.from + state.to) / 2) {
  look(state, around - (around - state.from) * factor, around + (state.to - around) * factor);
}

function move(state, part) {
  const by = (state.to - state.from) * part;
  look(state, state.from + by, state.to + by);
}

// zoomTo shows an attempt with room around it.
function zoomTo(state, attempt) {
  const room = Math.max((attempt.end - attempt.begin) * 0.35, 50 * MILLISECOND);
  look(state, attempt.begin - room, attempt.end + room);
}

// glide moves the view in a few frames, so that the eye can follow, unless the reader wants no
// motion.
function glide(state, action) {
  const [from, to] = [state.from, state.to];
  action();
  if (matchMedia("(prefers-reduced-motion: reduce)").matches) return;
  const [endFrom, endTo] = [state.from, state.to], began = performance.now(), turn = (state.turn = (state.turn ?? 0) + 1);
  const step = (now) => {
    if (state.turn !== turn) return;
    const part = Math.min((now - began) / 170, 1), eased = 1 - (1 - part) ** 3;
    state.from = from + (endFrom - from) * eased;
    state.to = to + (endTo - to) * eased;
    changed(state);
    if (part < 1) requestAnimationFrame(step);
  };
  [state.from, state.to] = [from, to];
  requestAnimationFrame(step);
}

// filter chooses what is shown by the filters.
function filter(state) {
  const words = state.source.trim().toLowerCase();
  const place = (one) => (!words || one.source.toLowerCase().includes(words)) && (!state.door || one.door === state.door);
  const passes = (one) => place(one) && state.verdicts.has(one.verdict);
  state.listed = state.data.attempts.filter(passes);
  state.accounts = state.data.accounts.filter(passes);
  state.shown = [];
  for (const lane of state.lanes) {
    if (!place(lane)) continue;
    lane.visible = lane.attempts.filter((a) => state.verdicts.has(a.verdict));
    lane.given = state.verdicts.has(OPENED) ? lane.grants : [];
    const alone = lane.attempts.length === 0 && lane.account && state.verdicts.has(lane.account.verdict);
    if (lane.visible.length || lane.given.length || alone) state.shown.push(lane);
  }
  state.shown.sort(ORDERS[state.order]);
  for (const [i, lane] of state.shown.entries()) lane.row = i;
  if (state.chosen && !passes(state.chosen)) state.chosen = null;
  state.hover = state.tipped = null;
}

// placed returns numbers in the place of texts, in the order of the texts. There are few different
// ones, and comparing texts as people sort them takes long.
function placed(keys) {
  if (typeof keys[0] !== "string") return keys;
  const collator = new Intl.Collator("en", { numeric: true });
  const places = new Map([...new Set(keys)].sort(collator.compare).map((text, place) => [text, place]));
  return keys.map((text) => places.get(text));
}

const ORDERS = {
  first: (a, b) => (a.first === b.first ? a.seen - b.seen : a.first - b.first),
  furthest: (a, b) => b.rank - a.rank || a.seen - b.seen,
  source: (a, b) => a.place - b.place || a.seen - b.seen,
};

// filtered reports whether a filter leaves something out.
function filtered(state) {
  return state.source.trim() !== "" || state.door !== "" || state.verdicts.size < VERDICTS.length;
}
