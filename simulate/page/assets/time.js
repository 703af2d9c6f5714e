// Times and durations for people. All times are in UTC, as in the transcript.

const MILLISECOND = 1e3, SECOND = 1e6, MINUTE = 60 * SECOND, HOUR = 60 * MINUTE, DAY = 24 * HOUR;
const STEPS = [
  1, 2, 5, 10, 20, 50, 100, 200, 500, 1e3, 2e3, 5e3, 1e4, 2e4, 5e4, 1e5, 2e5, 5e5,
  SECOND, 2 * SECOND, 5 * SECOND, 10 * SECOND, 15 * SECOND, 30 * SECOND,
  MINUTE, 2 * MINUTE, 5 * MINUTE, 10 * MINUTE, 15 * MINUTE, 30 * MINUTE,
  HOUR, 2 * HOUR, 3 * HOUR, 6 * HOUR, 12 * HOUR, DAY, 2 * DAY, 7 * DAY, 14 * DAY, 28 * DAY, 91 * DAY, 364 * DAY,
];
const MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

const two = (n) => String(n).padStart(2, "0");

// clock returns the time of day of microseconds since 1970, as exactly as a step needs it.
function clock(us, step) {
  const date = new Date(Math.floor(us / MILLISECOND));
  let text = two(date.getUTCHours()) + ":" + two(date.getUTCMinutes());
  if (step < MINUTE) text += ":" + two(date.getUTCSeconds());
  if (step < SECOND) text += "." + String(us % SECOND).padStart(6, "0").slice(0, step < MILLISECOND ? 6 : 3);
  return text;
}

function day(us) {
  const date = new Date(Math.floor(us / MILLISECOND));
  return date.getUTCDate() + " " + MONTHS[date.getUTCMonth()] + " " + date.getUTCFullYear();
}

// duration returns microseconds as "341 ms", "7.1 s", "12 min 30 s".
function duration(us) {
  if (us < MILLISECOND) return us + " µs";
  if (us < SECOND) return trim(us / MILLISECOND, us < 10 * MILLISECOND ? 1 : 0) + " ms";
  if (us < MINUTE) return trim(us / SECOND, us < 10 * SECOND ? 3 : 1) + " s";
  if (us < HOUR) return parts(us, MINUTE, "min", SECOND, "s");
  if (us < DAY) return parts(us, HOUR, "h", MINUTE, "min");
  return parts(us, DAY, "d", HOUR, "h");
}

const trim = (n, digits) => String(Number(n.toFixed(digits)));

function parts(us, large, largeName, small, smallName) {
  const rounded = Math.round(us / small) * small;
  const rest = Math.round((rounded % large) / small);
  return Math.floor(rounded / large) + " " + largeName + (rest ? " " + rest + " " + smallName : "");
}

// count returns "1 attempt" or "12,345 attempts".
function count(n, noun) {
  return n.toLocaleString("en-US") + " " + noun + (n === 1 ? "" : "s");
}

// ticks returns the step between marks of the time scale, and the times of those in view.
function ticks(begin, from, to, room) {
  const least = (to - from) / Math.max(room, 1);
  const step = STEPS.find((s) => s >= least) ?? STEPS.at(-1);
  const all = [];
  for (let t = Math.ceil((begin + from) / step) * step; t <= begin + to; t += step) all.push(t - begin);
  return { step, all };
}
