// What is said of one attempt: beside the mouse, in the panel, and to screen readers.

// sentence says in one line what became of an attempt.
function sentence(a) {
  const name = VERDICT_NAMES[a.verdict].toLowerCase();
  if (a.verdict === OPENED) return name + (a.stages > 1 ? " after " + a.stages + " knocks" : "");
  return name + " at " + a.best + " of " + a.stages + (a.text ? ": " + a.text : "");
}

function when(data, a) {
  const took = a.end > a.begin ? ", " + duration(a.end - a.begin) : "";
  return day(data.begin + a.begin) + ", " + clock(data.begin + a.begin, 1e5) + took;
}

// newTip returns the box beside the mouse.
function newTip(box) {
  const hide = () => (box.hidden = true);
  const show = (state, lane, x, y) => {
    const a = state.hover, live = lane && !a ? grantsAt(lane, state.over) : [];
    if (!a && !live.length) return hide();
    box.replaceChildren(...(a ? attemptLines(state.data, a) : live.slice(0, 4).flatMap((g) => grantLines(state.data, g))));
    box.hidden = false;
    const wide = box.parentElement.clientWidth;
    box.style.left = Math.max(0, Math.min(x + 12, wide - box.offsetWidth)) + "px";
    box.style.top = y + 4 + "px";
  };
  return { show, hide };
}

function attemptLines(data, a) {
  return [
    element("strong", {}, swatch(a.verdict), VERDICT_NAMES[a.verdict] + " at " + a.best + " of " + a.stages),
    element("p", {}, a.text || firstGiven(data, a)), element("p", { className: "when" }, when(data, a)),
  ];
}

function grantLines(data, g) {
  const span = (g.observed ? "would have been open for " : "open for ") + duration(g.end - g.begin);
  return [
    element("strong", {}, g.what), element("p", {}, span + (g.reason ? ": " + g.reason : "")),
    element("p", { className: "when" }, clock(data.begin + g.begin, 1e5) + " to " + clock(data.begin + g.end, 1e5)),
  ];
}

const firstGiven = (data, a) => (a.gave.length ? data.text(a.gave[0]) : "");

// showDetail fills the panel.
function showDetail(state, panel) {
  const a = state.chosen;
  if (!a) {
    panel.replaceChildren(element("p", { className: "hint" }, "Choose an attempt in the timeline or in the table: its knocks, why it ended, and what would have helped are shown here."));
    return;
  }
  const account = a.lane.account, side = state.data.sides[a.side];
  panel.replaceChildren(
    element("p", { className: "badge" }, swatch(a.verdict), VERDICT_NAMES[a.verdict]),
    element("p", { className: "who" }, isolated(a.source), " at ", isolated(a.door), side ? ", " + side : null),
    element("p", { className: "when" }, when(state.data, a)),
    a.text ? element("p", { className: "why" }, a.text) : "",
    element("h3", {}, a.best + " of " + count(a.stages, "knock")),
    element("ol", {}, ...marksOf(state.data, a).map((mark) => markItem(a, mark))),
    ...listed("What the door did", a.gave.map(state.data.text)),
    ...listed("This source at this door", account ? account.lines.filter((l) => l !== account.suggestion) : []),
    ...(account?.suggestion ? [element("h3", {}, "What would have opened it"), element("p", { className: "help" }, account.suggestion.replace(/: opens$/, ""))] : []),
    element("div", { className: "steps" },
      element("button", { type: "button", onclick: () => along(state, -1) }, "Previous"),
      element("button", { type: "button", onclick: () => along(state, 1) }, "Next"),
      element("button", { type: "button", onclick: () => glide(state, () => zoomTo(state, a)) }, "Zoom to it")),
  );
}

function markItem(a, mark) {
  const packet = packetOf(mark);
  return element("li", {},
    element("span", { className: "offset" }, mark.time === a.begin ? "0" : "+" + duration(mark.time - a.begin)),
    element("span", {}, mark.text, packet && !mark.text.includes(packet) ? element("small", {}, "  " + packet) : ""));
}

function listed(title, lines) {
  if (!lines.length) return [];
  return [element("h3", {}, title), element("ul", {}, ...lines.map((l) => element("li", {}, l)))];
}

// say tells screen readers of the chosen attempt, once.
function say(state, status) {
  if (state.said !== false) return;
  state.said = true;
  const a = state.chosen;
  status.textContent = a ? a.source + " at " + a.door + ", " + clock(state.data.begin + a.begin, SECOND / 10) + ": " + sentence(a) + ". Attempt " + (a.lane.visible.indexOf(a) + 1) + " of " + a.lane.visible.length + " in this lane." : "";
}
