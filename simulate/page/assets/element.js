// Elements of the page. Texts only ever become text nodes and attributes, never markup.

const byId = (id) => document.getElementById(id);

// element makes an element. Keys of properties that have a "-", and role, are attributes.
function element(name, properties = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(properties)) {
    if (value === undefined || value === null) continue;
    if (key.includes("-") || key === "role" || key === "scope") made.setAttribute(key, value);
    else made[key] = value;
  }
  made.append(...children.filter((c) => c !== null && c !== undefined && c !== ""));
  return made;
}

// isolated returns a text of a stranger: letters that are written from right to left stay inside.
const isolated = (text) => element("bdi", {}, text);

const SOLID = ["opened", "refused", "failed"];

// shape returns the path of a verdict around a point. The shape says what the colour says.
function shape(verdict, x, y, size) {
  const path = new Path2D();
  switch (VERDICTS[verdict]) {
    case "opened":
      path.arc(x, y, size, 0, 2 * Math.PI);
      break;
    case "refused":
      path.moveTo(x, y - size * 1.2);
      path.lineTo(x + size * 1.2, y);
      path.lineTo(x, y + size * 1.2);
      path.lineTo(x - size * 1.2, y);
      path.closePath();
      break;
    case "failed":
      path.moveTo(x, y - size * 1.15);
      path.lineTo(x + size * 1.15, y + size * 0.9);
      path.lineTo(x - size * 1.15, y + size * 0.9);
      path.closePath();
      break;
    case "waiting":
      path.arc(x, y, size * 0.85, 0, 2 * Math.PI);
      break;
    case "never":
      path.moveTo(x - size * 0.9, y);
      path.lineTo(x + size * 0.9, y);
      break;
    default:
      path.moveTo(x - size * 0.75, y - size * 0.75);
      path.lineTo(x + size * 0.75, y + size * 0.75);
      path.moveTo(x + size * 0.75, y - size * 0.75);
      path.lineTo(x - size * 0.75, y + size * 0.75);
  }
  return path;
}

// glyph draws the shape of a verdict, with an edge that sets it off from what is below it.
function glyph(context, verdict, x, y, size, colors) {
  const path = shape(verdict, x, y, size), solid = SOLID.includes(VERDICTS[verdict]);
  context.lineCap = "round";
  context.lineJoin = "round";
  context.strokeStyle = colors.surface;
  context.lineWidth = solid ? 3 : 5;
  context.stroke(path);
  context.strokeStyle = context.fillStyle = colors[VERDICTS[verdict]];
  context.lineWidth = 1.8;
  if (solid) context.fill(path);
  else context.stroke(path);
}

const SHAPES = {
  opened: "M7 1a6 6 0 1 0 0 12A6 6 0 0 0 7 1z", refused: "M7 0l7 7-7 7-7-7z", failed: "M7 1l6.5 12h-13z",
  waiting: "M7 2.5a4.5 4.5 0 1 0 0 9a4.5 4.5 0 0 0 0-9z", stopped: "M2.5 2.5l9 9M11.5 2.5l-9 9", never: "M1.5 7h11",
};

// swatch returns the shape of a verdict as a picture beside a text that says the same.
function swatch(verdict) {
  const name = VERDICTS[verdict], solid = SOLID.includes(name);
  const space = "http://www.w3.org/2000/svg";
  const picture = document.createElementNS(space, "svg"), path = document.createElementNS(space, "path");
  const attributes = { d: SHAPES[name], fill: solid ? `var(--${name})` : "none", stroke: solid ? "none" : `var(--${name})`, "stroke-width": 2.4, "stroke-linecap": "round" };
  for (const [key, value] of Object.entries(attributes)) path.setAttribute(key, value);
  picture.setAttribute("class", "swatch");
  picture.setAttribute("viewBox", "0 0 14 14");
  picture.setAttribute("aria-hidden", "true");
  picture.append(path);
  return picture;
}
