// The overview: how much happened when, and which part the timeline shows.

const OVERVIEW = 46, BIN = 3;

// bins counts what is listed by place and verdict, for a width.
function bins(state, width) {
  const n = Math.max(1, Math.floor(width / BIN)), counts = new Uint32Array(n * VERDICTS.length);
  const scale = n / (state.most - state.least);
  for (const a of state.listed) {
    const bin = Math.min(n - 1, Math.floor((a.end - state.least) * scale));
    counts[bin * VERDICTS.length + a.verdict]++;
  }
  return { n, counts };
}

// coverage returns for each bin whether a grant was live.
function coverage(state, n) {
  const changes = new Int32Array(n + 1), scale = n / (state.most - state.least);
  for (const lane of state.shown) {
    for (const g of lane.given) {
      changes[Math.max(0, Math.min(n - 1, Math.floor((g.begin - state.least) * scale)))]++;
      changes[Math.min(n, Math.floor((g.end - state.least) * scale) + 1)]--;
    }
  }
  let live = 0;
  return changes.subarray(0, n).map((c) => (live += c));
}

function newOverview(state, canvas) {
  let made = null, key = "";
  return (colors) => {
    const width = canvas.clientWidth, now = width + " " + state.version;
    if (now !== key) {
      const { n, counts } = bins(state, width);
      made = { n, counts, live: coverage(state, n) };
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
  drawLens(c, state, width, colors);
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
function drawLens(c, state, width, colors) {
  const scale = width / (state.most - state.least);
  const from = (state.from - state.least) * scale, to = Math.max((state.to - state.least) * scale, from + 3);
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

// dragOverview moves the lens, or chooses a part where there is none.
function dragOverview(state, canvas) {
  const time = (event) => state.least + (event.offsetX / canvas.clientWidth) * (state.most - state.least);
  let grip = null;
  canvas.addEventListener("pointerdown", (event) => {
    const t = time(event), whole = state.to - state.from > (state.most - state.least) * 0.98;
    const inside = !whole && t >= state.from && t <= state.to;
    grip = inside ? { offset: t - state.from, span: state.to - state.from } : { start: t };
    canvas.setPointerCapture(event.pointerId);
  });
  canvas.addEventListener("pointermove", (event) => {
    if (!grip) return;
    const t = time(event);
    if (grip.span) look(state, t - grip.offset, t - grip.offset + grip.span);
    else if (Math.abs(t - grip.start) * canvas.clientWidth > 4 * (state.most - state.least)) look(state, Math.min(t, grip.start), Math.max(t, grip.start));
  });
  canvas.addEventListener("pointerup", (event) => {
    if (grip && !grip.span && Math.abs(time(event) - grip.start) * canvas.clientWidth <= 4 * (state.most - state.least)) {
      const half = (state.to - state.from) / 2;
      if (half * 2 < (state.most - state.least) * 0.98) look(state, grip.start - half, grip.start + half);
    }
    grip = null;
  });
  canvas.addEventListener("dblclick", () => glide(state, () => look(state, state.least, state.most)));
  canvas.addEventListener("wheel", (event) => {
    event.preventDefault();
    zoom(state, Math.exp(event.deltaY * 0.002), time(event));
  }, { passive: false });
}
