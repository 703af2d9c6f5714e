// The data of the page, in the form that wire.go writes. Times are microseconds after the begin.

const VERDICTS = ["stopped", "waiting", "refused", "failed", "opened", "never"];
const VERDICT_NAMES = ["Stopped", "Waiting", "Refused", "Failed", "Opened", "Never began"];
const VERDICT_ORDER = [4, 1, 2, 3, 0, 5]; // in which they are listed, the best first
const VERDICT_RANKS = [1, 4, 2, 3, 5, 0]; // how far a verdict is
const OPENED = 4; // the number of that verdict
const KNOCK = 0, END = 3; // numbers of kinds of marks

function readData() {
  const raw = JSON.parse(document.getElementById("data").textContent);
  const text = (n) => raw.texts[n];
  const attempts = raw.attempts.map((r, index) => ({
    index, source: text(r[0]), door: text(r[1]), side: r[2], begin: r[3], end: r[4],
    verdict: r[5], best: r[6], stages: r[7], text: text(r[8]), gave: r[9], marks: r[10],
  }));
  const grants = raw.grants.map((r) => ({
    source: text(r[0]), door: text(r[1]), side: r[2], begin: r[3], end: r[4],
    what: text(r[5]), reason: text(r[6]), observed: r[7], number: r[8],
  }));
  const accounts = raw.accounts.map((r, index) => ({
    index, source: text(r[0]), door: text(r[1]), side: r[2], verdict: r[3], best: r[4], stages: r[5],
    lines: r[6].map(text), suggestion: text(r[7]),
  }));
  return { begin: raw.begin, length: Math.max(raw.length, 1e6), sides: raw.sides ?? [], text, attempts, grants, accounts };
}

// marksOf returns the marks of an attempt as objects. They are made when they are needed.
function marksOf(data, attempt) {
  const marks = [];
  for (let i = 0; i < attempt.marks.length; i += 5) {
    const [kind, time, packet, capture, text] = attempt.marks.slice(i, i + 5);
    marks.push({ kind, time, packet, capture, text: data.text(text) });
  }
  return marks;
}

// packetOf names the packet of a mark, "" when there was none.
function packetOf(mark) {
  if (!mark.packet) return "";
  return "packet " + mark.packet + (mark.capture ? " of capture " + mark.capture : "");
}

// lanesOf returns one lane for each source at each door, with its attempts, grants and account.
function lanesOf(data) {
  const lanes = new Map();
  const lane = (one) => {
    const key = JSON.stringify([one.source, one.door, one.side]);
    if (!lanes.has(key)) {
      lanes.set(key, {
        source: one.source, door: one.door, side: one.side, seen: lanes.size,
        attempts: [], grants: [], ports: [], account: null, first: Infinity, rank: -1, longest: 0, longestGrant: 0,
      });
    }
    return lanes.get(key);
  };
  for (const a of data.attempts) {
    const l = lane(a);
    a.lane = l;
    l.attempts.push(a);
    l.first = Math.min(l.first, a.begin);
    l.rank = Math.max(l.rank, VERDICT_RANKS[a.verdict]);
    l.longest = Math.max(l.longest, a.end - a.begin);
  }
  for (const g of data.grants) {
    const l = lane(g);
    l.grants.push(g);
    if (!l.ports.includes(g.what)) l.ports.push(g.what);
    l.first = Math.min(l.first, g.begin);
    l.longestGrant = Math.max(l.longestGrant, g.end - g.begin);
  }
  for (const a of data.accounts) {
    const l = lane(a);
    l.account = a;
    if (l.attempts.length === 0) l.rank = Math.max(l.rank, VERDICT_RANKS[a.verdict]);
  }
  return [...lanes.values()];
}
