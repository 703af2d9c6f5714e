// The mouse, the pen and the finger on the timeline.

function pointAt(board, event) {
  const box = board.lanes.getBoundingClientRect();
  return { x: event.clientX - box.left, y: event.clientY - box.top + board.lanes.scrollTop };
}

// hover notes what is under the mouse.
function hover(state, board, event) {
  const m = board.measured, p = pointAt(board, event), row = Math.floor(p.y / m.lane), lane = state.shown[row];
  const inside = lane !== undefined && p.x >= m.left - 12;
  state.tipped = null;
  state.hoverRow = lane ? row : undefined;
  state.over = inside ? Math.min(Math.max(m.time(p.x), state.least), state.most) : null;
  state.hover = inside ? nearest(state, lane, p.x, m) : null;
  board.tip.show(state, inside ? lane : null, p.x, (row + 1) * m.lane - board.lanes.scrollTop + board.lanes.offsetTop);
  board.lanes.classList.toggle("over", state.hover !== null);
  changed(state);
}

function leave(state, board) {
  state.hoverRow = undefined;
  state.over = null;
  state.hover = null;
  board.tip.hide();
  changed(state);
}

// drag makes a drag move the timeline, two fingers zoom it, and a click choose.
function drag(state, board) {
  const touches = new Map();
  let start = null;
  board.lanes.addEventListener("pointerdown", (event) => {
    if (event.button !== 0) return;
    touches.set(event.pointerId, event.clientX);
    start = { x: event.clientX, y: event.clientY, from: state.from, to: state.to, top: board.lanes.scrollTop, moved: false, spread: spread(touches) };
  });
  board.lanes.addEventListener("pointermove", (event) => {
    if (!start || !touches.has(event.pointerId)) return hover(state, board, event);
    touches.set(event.pointerId, event.clientX);
    pull(state, board, start, touches, event);
  });
  const end = (event) => {
    touches.delete(event.pointerId);
    board.lanes.classList.remove("dragging");
    if (start && !start.moved && event.type === "pointerup") click(state, board, event);
    start = null;
  };
  board.lanes.addEventListener("pointerup", end);
  board.lanes.addEventListener("pointercancel", end);
  board.lanes.addEventListener("pointerleave", () => leave(state, board));
  board.lanes.addEventListener("dblclick", () => state.chosen && glide(state, () => zoomTo(state, state.chosen)));
}

const spread = (touches) => {
  const [a, b] = touches.values();
  return b === undefined ? 0 : Math.abs(a - b);
};

function pull(state, board, start, touches, event) {
  const dx = event.clientX - start.x, dy = event.clientY - start.y, m = board.measured;
  if (!start.moved && Math.hypot(dx, dy) < 4) return;
  if (!start.moved) {
    start.moved = true;
    board.lanes.setPointerCapture(event.pointerId);
    board.lanes.classList.add("dragging");
    leave(state, board);
  }
  const span = start.to - start.from;
  if (start.spread > 0 && touches.size === 2) {
    const factor = start.spread / Math.max(spread(touches), 10), middle = start.from + span / 2;
    look(state, middle - (span / 2) * factor, middle + (span / 2) * factor);
    return;
  }
  const by = -dx * (span / (m.right - m.left));
  look(state, start.from + by, start.to + by);
  if (event.pointerType === "mouse") board.lanes.scrollTop = start.top - dy;
}

function click(state, board, event) {
  hover(state, board, event);
  const p = pointAt(board, event), lane = state.shown[Math.floor(p.y / board.measured.lane)];
  choose(state, state.hover ?? (lane && p.x < board.measured.left && lane.visible.at(-1)) ?? null);
}

// wheel zooms with Ctrl, as a pinch on a touchpad does, and moves with Shift or sideways. Else the
// lanes scroll.
function wheel(state, board) {
  board.lanes.addEventListener("wheel", (event) => {
    const m = board.measured;
    if (event.ctrlKey || event.metaKey) {
      event.preventDefault();
      zoom(state, Math.exp(event.deltaY * 0.004), Math.max(m.time(pointAt(board, event).x), state.from));
    } else if (event.shiftKey || Math.abs(event.deltaX) > Math.abs(event.deltaY)) {
      event.preventDefault();
      const by = (event.deltaX || event.deltaY) * m.perPixel;
      look(state, state.from + by, state.to + by);
    }
  }, { passive: false });
}

// select makes a drag on the time scale choose the part to show, and its wheel zoom.
function select(state, board) {
  const axis = board.axis;
  let start = null;
  axis.addEventListener("pointerdown", (event) => {
    start = board.measured.time(event.offsetX);
    axis.setPointerCapture(event.pointerId);
  });
  axis.addEventListener("pointerup", (event) => {
    const end = board.measured.time(event.offsetX), [from, to] = [start, end].sort((a, b) => a - b);
    if (start !== null && to - from > 6 * board.measured.perPixel) glide(state, () => look(state, from, to));
    start = null;
  });
  axis.addEventListener("pointermove", (event) => {
    state.over = Math.min(Math.max(board.measured.time(event.offsetX), state.least), state.most);
    changed(state);
  });
  axis.addEventListener("pointerleave", () => leave(state, board));
  axis.addEventListener("wheel", (event) => {
    event.preventDefault();
    zoom(state, Math.exp(event.deltaY * 0.002), board.measured.time(event.offsetX));
  }, { passive: false });
}
