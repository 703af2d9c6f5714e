// Drawing of attempts and grants in a lane, and finding the one at a point.

const attemptY = (m, y) => y + (m.narrow ? 32 : 15);
const grantY = (m, y) => y + (m.narrow ? 44 : 28);
const GRANT = 12;

function drawGrants(c, state, lane, y, m, colors) {
  let drawn = 0;
  const top = grantY(m, y), margin = 12 * m.perPixel, rows = Math.min(lane.ports.length, 3);
  const height = GRANT / rows - (rows > 1 ? 1 : 0), covered = lane.ports.map(() => -Infinity);
  for (let i = firstInView(lane.given, lane.longestGrant, state.from - margin); i < lane.given.length; i++) {
    const g = lane.given[i];
    if (g.begin > state.to + margin) break;
    const x = Math.max(m.x(g.begin), m.left - 20), end = Math.min(m.x(g.end), m.right + 30), w = Math.max(end - x, 3);
    const port = lane.ports.indexOf(g.what), row = Math.min(port, 2);
    if (x + w <= covered[port] + 0.5) continue;
    covered[port] = x + w;
    drawGrant(c, g, x, top + row * (height + 1), w, height, m, colors);
    drawn++;
  }
  return drawn;
}

// drawGrant draws the time for which a port was open. One that was only observed is an outline.
function drawGrant(c, g, x, y, w, height, m, colors) {
  c.beginPath();
  c.roundRect(x, y, w, height, Math.min(height / 3, w / 2));
  if (g.observed) {
    c.strokeStyle = colors.opened;
    c.lineWidth = 1;
    c.setLineDash([4, 3]);
    c.stroke();
    c.setLineDash([]);
  } else {
    c.fillStyle = colors.grant;
    c.fill();
  }
  const from = Math.max(x, m.left) + 6, room = Math.min(x + w, m.right) - from - 4;
  if (room < 40 || height < GRANT) return;
  c.font = "10.5px " + colors.figures;
  c.fillStyle = g.observed ? colors.ink : colors["on-grant"];
  c.fillText(clip(c, g.what, room), from, y + GRANT / 2 + 0.5);
}

function drawAttempts(c, state, lane, y, m, colors) {
  let drawn = 0;
  const middle = attemptY(m, y), margin = 12 * m.perPixel, last = {};
  let chosen = null;
  for (let i = firstInView(lane.visible, lane.longest, state.from - margin); i < lane.visible.length; i++) {
    const a = lane.visible[i];
    if (a.begin > state.to + margin) break;
    if (a === state.chosen) chosen = a;
    const end = m.x(a.end);
    if (end < m.left - 12 || end - (last[a.verdict] ?? -Infinity) < 1.5 && end - m.x(a.begin) < 4) continue;
    last[a.verdict] = end;
    drawAttempt(c, state, a, middle, m, colors);
    drawn++;
  }
  if (chosen) drawAttempt(c, state, chosen, middle, m, colors);
  if (state.hover && state.hover !== chosen && state.hover.lane === lane) drawAttempt(c, state, state.hover, middle, m, colors);
  return drawn;
}

// drawAttempt draws a bar from the first knock to the end, with its marks, and the shape of the
// result at its end.
function drawAttempt(c, state, a, y, m, colors) {
  const begin = m.x(a.begin), end = m.x(a.end), color = colors[VERDICTS[a.verdict]];
  if (a === state.chosen || a === state.hover) ring(c, a === state.chosen ? colors.focus : colors["strong-line"], begin, end, y);
  if (end - begin > 5) {
    c.globalAlpha = 0.26;
    c.fillStyle = color;
    c.beginPath();
    c.roundRect(begin, y - 6, end - begin, 12, 4);
    c.fill();
    c.globalAlpha = 1;
  }
  if (end - begin > 12) drawMarks(c, state, a, y, m, color, colors);
  glyph(c, a.verdict, end, y, 5, colors);
}

function ring(c, color, begin, end, y) {
  c.strokeStyle = color;
  c.lineWidth = 2;
  c.beginPath();
  c.roundRect(begin - 10, y - 10, end - begin + 20, 20, 10);
  c.stroke();
}

function drawMarks(c, state, a, y, m, color, colors) {
  let before = -Infinity;
  const end = m.x(a.end), n = a.marks.length / 5;
  c.font = "10.5px " + colors.figures;
  for (let i = 0; i < n; i++) {
    const kind = a.marks[5 * i], x = m.x(a.marks[5 * i + 1]);
    if (x - before < 3) continue;
    before = x;
    c.fillStyle = color;
    if (kind === KNOCK) {
      c.fillRect(x - 1, y - 6, 2.5, 12);
      const next = i + 1 < n ? m.x(a.marks[5 * i + 6]) : end;
      const text = state.data.text(a.marks[5 * i + 4]), room = Math.min(next, end - 8) - x - 9;
      if (room > 20 && c.measureText(text).width <= room) {
        c.fillStyle = colors.ink;
        c.fillText(text, x + 5, y + 0.5);
      }
    } else {
      c.beginPath();
      c.arc(x, y, 2, 0, 2 * Math.PI);
      c.fill();
    }
  }
}

// nearest returns the attempt of a lane that is nearest to a place, if it is near enough.
function nearest(state, lane, x, m, most = 9) {
  let best = null, distance = most;
  const margin = 24 * m.perPixel;
  for (let i = firstInView(lane.visible, lane.longest, m.time(x) - margin); i < lane.visible.length; i++) {
    const a = lane.visible[i], begin = m.x(a.begin), end = m.x(a.end);
    if (begin > x + most) break;
    const d = x < begin ? begin - x : x > end ? x - end : Math.min(Math.abs(end - x) / 100, 0.5);
    if (d < distance || d === distance && best) [best, distance] = [a, d];
  }
  return best;
}

// grantsAt returns the grants of a lane at a time.
function grantsAt(lane, time) {
  const live = [];
  for (let i = firstInView(lane.given, lane.longestGrant, time); i < lane.given.length && lane.given[i].begin <= time; i++) {
    if (lane.given[i].end >= time) live.push(lane.given[i]);
  }
  return live;
}
