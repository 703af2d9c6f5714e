// Drawing of the lanes and of the time scale. Only what is in view is drawn, and what would fall
// onto the same pixel once: the work grows with the size of the picture, not with the data.

const LANE = 46, NARROW_LANE = 62, AXIS = 30;

// palette reads the colours from the style sheet, so that there is one place for them.
function palette() {
  const style = getComputedStyle(document.documentElement), colors = {};
  for (const name of ["surface", "sunken", "line", "strong-line", "ink", "muted", "focus", "shade", "opened", "waiting", "refused", "failed", "stopped", "never", "grant", "on-grant", "lens", "words", "figures"]) {
    colors[name] = style.getPropertyValue("--" + name).trim();
  }
  return colors;
}

// fresh sizes a canvas for its place and the pixels of the screen, and returns its context.
function fresh(canvas, width, height) {
  const scale = globalThis.devicePixelRatio || 1;
  const [w, h] = [Math.round(width * scale), Math.round(height * scale)];
  if (canvas.width !== w || canvas.height !== h) {
    canvas.width = w;
    canvas.height = h;
    canvas.style.height = height + "px";
  }
  const context = canvas.getContext("2d");
  context.setTransform(scale, 0, 0, scale, 0, 0);
  context.clearRect(0, 0, width, height);
  return context;
}

// measure returns the places of things in a timeline of some width.
function measure(state, width) {
  const narrow = width < 620;
  const left = narrow ? 10 : 236, right = width - 14;
  const perPixel = (state.to - state.from) / (right - left);
  return {
    width, narrow, left, right, lane: narrow ? NARROW_LANE : LANE, perPixel,
    x: (time) => left + (time - state.from) / perPixel,
    time: (x) => state.from + (x - left) * perPixel,
  };
}

function drawAxis(state, canvas, m, colors) {
  const c = fresh(canvas, m.width, AXIS);
  const { step, all } = ticks(state.data.begin, state.from, state.to, (m.right - m.left) / (m.narrow ? 84 : 104));
  c.font = "12px " + colors.words;
  c.fillStyle = colors.muted;
  c.textBaseline = "middle";
  const edge = state.data.begin + Math.max(state.from, 0);
  if (!m.narrow) c.fillText(day(edge) + ", UTC", 2, AXIS / 2);
  let free = m.left - 8, last = day(edge);
  for (const t of all) {
    const x = m.x(t), now = day(state.data.begin + t);
    const label = step >= DAY || now !== last ? now : clock(state.data.begin + t, step);
    last = now;
    const w = c.measureText(label).width, at = Math.min(Math.max(x - w / 2, m.left - 4), m.right + 12 - w);
    c.fillStyle = colors["strong-line"];
    c.fillRect(Math.round(x), AXIS - 5, 1, 5);
    if (at < free) continue;
    c.fillStyle = colors.muted;
    c.fillText(label, at, AXIS / 2 - 1);
    free = at + w + 10;
  }
  if (state.over !== null) drawMoment(c, state, m, colors);
}

// drawMoment writes the time under the mouse.
function drawMoment(c, state, m, colors) {
  const text = clock(state.data.begin + Math.round(state.over), Math.min(m.perPixel * 10, SECOND / 2));
  const w = c.measureText(text).width + 14, x = Math.min(Math.max(m.x(state.over) - w / 2, 0), m.width - w);
  c.fillStyle = colors.ink;
  c.beginPath();
  c.roundRect(x, 4, w, AXIS - 10, 5);
  c.fill();
  c.fillStyle = colors.surface;
  c.fillText(text, x + 7, AXIS / 2 - 1);
}

function drawLanes(state, canvas, m, colors, top, height) {
  const c = fresh(canvas, m.width, height);
  const first = Math.floor(top / m.lane), last = Math.min(state.shown.length - 1, Math.floor((top + height) / m.lane));
  c.textBaseline = "middle";
  drawGrid(c, state, m, colors, height, first, last, top);
  let drawn = 0;
  for (let row = first; row <= last; row++) {
    const lane = state.shown[row], y = row * m.lane - top;
    drawLabel(c, state, lane, y, m, colors);
    c.save();
    c.beginPath();
    c.rect(m.left - 8, y, m.right - m.left + 18, m.lane);
    c.clip();
    drawn += drawGrants(c, state, lane, y, m, colors) + drawAttempts(c, state, lane, y, m, colors);
    c.restore();
  }
  return drawn;
}

function drawGrid(c, state, m, colors, height, first, last, top) {
  if (state.hoverRow !== undefined && state.hoverRow >= first && state.hoverRow <= last) {
    c.fillStyle = colors.shade;
    c.fillRect(0, state.hoverRow * m.lane - top, m.width, m.lane);
  }
  c.fillStyle = colors.line;
  for (const t of ticks(state.data.begin, state.from, state.to, (m.right - m.left) / (m.narrow ? 84 : 104)).all) c.fillRect(Math.round(m.x(t)), 0, 1, height);
  for (let row = first; row <= last; row++) c.fillRect(0, (row + 1) * m.lane - top - 1, m.width, 1);
  if (state.over !== null) {
    c.fillStyle = colors["strong-line"];
    c.fillRect(Math.round(m.x(state.over)), 0, 1, height);
  }
}

// drawLabel writes source and door: left of the lane, or above it when there is little room.
function drawLabel(c, state, lane, y, m, colors) {
  const side = state.data.sides[lane.side], door = lane.door + (side ? ", " + side : "");
  const never = lane.attempts.length === 0 && lane.account ? VERDICT_NAMES[lane.account.verdict].toLowerCase() : "";
  c.fillStyle = colors.ink;
  c.font = "13px " + colors.figures;
  if (m.narrow) {
    const w = Math.min(c.measureText(lane.source).width, m.width * 0.6);
    c.fillText(lane.source, 2, y + 13, m.width * 0.6);
    c.fillStyle = colors.muted;
    c.font = "12.5px " + colors.words;
    c.fillText(clip(c, door + (never ? ", " + never : ""), m.width - w - 16), w + 12, y + 13);
    return;
  }
  c.fillText(clip(c, lane.source, m.left - 22), 2, y + 16);
  c.fillStyle = colors.muted;
  c.font = "12.5px " + colors.words;
  c.fillText(clip(c, door + (never ? ", " + never : ""), m.left - 22), 2, y + 33);
}

// clip shortens a text to a width.
function clip(c, text, width) {
  if (c.measureText(text).width <= width) return text;
  let low = 0, high = text.length;
  while (low < high) {
    const middle = (low + high + 1) >> 1;
    if (c.measureText(text.slice(0, middle) + "…").width <= width) low = middle;
    else high = middle - 1;
  }
  return text.slice(0, low) + "…";
}

// firstInView returns the index of the first that may reach into view, in a list by begin.
function firstInView(all, longest, from) {
  let low = 0, high = all.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (all[middle].begin < from - longest) low = middle + 1;
    else high = middle;
  }
  return low;
}
