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

// glyph draws the shape of a verdict around a point. The shape says what the colour says.
function glyph(context, verdict, x, y, size, colors) {
  const color = colors[VERDICTS[verdict]];
  context.fillStyle = color;
  context.strokeStyle = color;
  context.lineWidth = Math.max(1.5, size / 3);
  context.lineCap = "round";
  context.beginPath();
  switch (VERDICTS[verdict]) {
    case "opened":
      context.arc(x, y, size, 0, 2 * Math.PI);
      context.fill();
      break;
    case "refused":
      context.moveTo(x, y - size * 1.2);
      context.lineTo(x + size * 1.2, y);
      context.lineTo(x, y + size * 1.2);
      context.lineTo(x - size * 1.2, y);
      context.fill();
      break;
    case "failed":
      context.moveTo(x, y - size * 1.15);
      context.lineTo(x + size * 1.15, y + size * 0.9);
      context.lineTo(x - size * 1.15, y + size * 0.9);
      context.fill();
      break;
    case "waiting":
      context.arc(x, y, size * 0.85, 0, 2 * Math.PI);
      context.stroke();
      break;
    case "never":
      context.moveTo(x - size * 0.9, y);
      context.lineTo(x + size * 0.9, y);
      context.stroke();
      break;
    default:
      context.moveTo(x - size * 0.75, y - size * 0.75);
      context.lineTo(x + size * 0.75, y + size * 0.75);
      context.moveTo(x + size * 0.75, y - size * 0.75);
      context.lineTo(x - size * 0.75, y + size * 0.75);
      context.stroke();
  }
}

const SHAPES = {
  opened: "M7 1a6 6 0 1 0 0 12A6 6 0 0 0 7 1z", refused: "M7 0l7 7-7 7-7-7z", failed: "M7 1l6.5 12h-13z",
  waiting: "M7 2.5a4.5 4.5 0 1 0 0 9a4.5 4.5 0 0 0 0-9z", stopped: "M2.5 2.5l9 9M11.5 2.5l-9 9", never: "M1.5 7h11",
};

// swatch returns the shape of a verdict as a picture beside a text that says the same.
function swatch(verdict) {
  const name = VERDICTS[verdict], solid = ["opened", "refused", "failed"].includes(name);
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
