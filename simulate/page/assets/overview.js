// The overview: how much happened when, and which part the timeline shows.

const OVERVIEW = 46, BIN = 3;

// scope is the part of time that the overview shows: that of the attempts while the timeline shows
// no more, since grants may last far longer.
function scope(state) {
  const [from, to] = state.home;
  return state.from >= from - 1 && state.to <= to + 1 ? state.home : [state.least, state.most];
}

// bins counts what is listed by place and verdict, for a width.
function bins(state, width, [from, to]) {
  const n = Math.max(1, Math.floor(width / BIN)), counts = new Uint32Array(n * VERDICTS.length);
  const scale = n / (to - from);
  for (const a of state.listed) {
    const bin = Math.min(n - 1, Math.floor((a.end - from) * scale));
    counts[bin * VERDICTS.length + a.verdict]++;
  }
  return { n, counts };
}

// coverage returns for each bin whether a grant was live.
function coverage(state, n, [from, to]) {
  const changes = new Int32Array(n + 1), scale = n / (to - from);
  for (const lane of state.shown) {
    for (const g of lane.given) {
      if (g.begin > to || g.end < from) continue;
      changes[Math.max(0, Math.floor((g.begin - from) * scale))]++;
      changes[Math.min(n, Math.floor((g.end - from) * scale) + 1)]--;
    }
  }
  let live = 0;
  return changes.subarray(0, n).map((c) => (live += c));
}

function newOverview(state, canvas) {
  let made = null, key = "";
  return (colors, m) => {
    canvas.style.marginLeft = m.left + "px"; // above the lanes that it is of
    canvas.style.width = m.right - m.left + "px";
    const width = m.right - m.left, part = scope(state), now = [width, state.version, ...part].join();
    if (now !== key) {
      const { n, counts } = bins(state, width, part);
      made = { n, counts, live: coverage(state, n, part) };
      key = now;
    }
    drawOverview(state, canvas, width, made, colors);
  };
}

function drawOverview(state, canvas, width, { n, counts, live }, colors) {
  const c = fresh(canvas, width, OVERVIEW), kinds = VERDICTS.length, most = peak(counts, n);
  c.fillStyle = colors.sunken;
  c.fillRect(0, 0, width, OVERVIEW);
  for (let bin = 0; bin < n; bin++) {
    if (live[bin] > 0) {
      c.fillStyle = colors.grant;
      c.fillRect(bin * BIN, OVERVIEW - 4, BIN, 3);
    }
    let y = OVERVIEW - 6;
    for (const verdict of VERDICT_ORDER) {
      const count = counts[bin * kinds + verdict];
      if (!count) continue;
      // Few are seen beside many: the root of a count is its height.
      const h = Math.max(3, (Math.sqrt(count) / most) * (OVERVIEW - 14));
      c.fillStyle = colors[VERDICTS[verdict]];
      c.fillRect(bin * BIN, y - h, BIN - 0.5, h);
      y -= h;
    }
  }
  drawLens(c, state, width, scope(state), colors);
}

function peak(counts, n) {
  let most = 1;
  for (let bin = 0; bin < n; bin++) {
    let sum = 0;
    for (let v = 0; v < VERDICTS.length; v++) sum += Math.sqrt(counts[bin * VERDICTS.length + v]);
    most = Math.max(most, sum);
  }
  return most;
}

// drawLens shades what the timeline does not show.
function drawLens(c, state, width, [begin, end], colors) {
  const scale = width / (end - begin);
  const from = (state.from - begin) * scale, to = Math.max((state.to - begin) * scale, from + 3);
  if (from < 1 && to > width - 1) return;
  c.fillStyle = colors.lens;
  c.fillRect(0, 0, from, OVERVIEW);
  c.fillRect(to, 0, width - to, OVERVIEW);
  c.strokeStyle = colors.focus;
  c.lineWidth = 1.5;
  c.beginPath();
  c.roundRect(from, 0.75, to - from, OVERVIEW - 1.5, 4);
  c.stroke();
}

// dragOverview moves the lens, or chooses a part where there is none. What the overview shows stays
// as it is during a drag.
function dragOverview(state, canvas) {
  let grip = null, part = null;
  const time = (event) => {
    const [from, to] = part ?? scope(state);
    return from + Math.min(Math.max(event.offsetX / canvas.clientWidth, 0), 1) * (to - from);
  };
  const far = (t) => Math.abs(t - grip.start) * canvas.clientWidth > 4 * (part[1] - part[0]);
  canvas.addEventListener("pointerdown", (event) => {
    part = scope(state);
    const t = time(event), span = state.to - state.from, inside = span < (part[1] - part[0]) * 0.98 && t >= state.from && t <= state.to;
    grip = inside ? { offset: t - state.from, span } : { start: t };
    canvas.setPointerCapture(event.pointerId);
  });
  canvas.addEventListener("pointermove", (event) => {
    if (!grip) return;
    const t = time(event);
    if (!grip.span) return far(t) && look(state, Math.min(t, grip.start), Math.max(t, grip.start));
    const from = Math.min(Math.max(t - grip.offset, part[0]), part[1] - grip.span);
    look(state, from, from + grip.span);
  });
  canvas.addEventListener("pointerup", (event) => {
    const half = (state.to - state.from) / 2;
    if (grip && !grip.span && !far(time(event)) && half * 2 < (part[1] - part[0]) * 0.98) look(state, grip.start - half, grip.start + half);
    grip = part = null;
  });
  canvas.addEventListener("dblclick", () => ACTIONS.fit(state));
  canvas.addEventListener("wheel", (event) => {
    event.preventDefault();
    zoom(state, Math.exp(event.deltaY * 0.002), time(event));
  }, { passive: false });
}
