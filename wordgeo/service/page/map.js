// A neighbourhood in a plane, as SVG: places, links to the true neighbours, names that do not cover each other.

const SVG = "http://www.w3.org/2000/svg";
const LEAST_WIDTH = 280, LEAST_HEIGHT = 320, MOST_HEIGHT = 540, EDGE = 34;
const LETTER = 8, LINE = 15;

function element(name, attributes, parent, text) {
  const made = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  if (text !== undefined) made.textContent = text;
  parent?.append(made);
  return made;
}

function scale(values, low, high) {
  const least = Math.min(...values), most = Math.max(...values);
  const width = most - least || 1;
  return values.map((value) => low + ((value - least) / width) * (high - low));
}

// The boxes of names, placed right, left, above or below, the best words first; null where there is no room.
function labels(words, x, y, order, room, asked) {
  const taken = x.map((_, i) => [x[i] - 5, y[i] - 5, x[i] + 5, y[i] + 5]);
  const placed = words.map(() => null);
  for (const i of order) {
    const width = words[i].length * (asked.includes(words[i]) ? 1.25 * LETTER : LETTER);
    const choices = [[9, 4, "start"], [-9, 4, "end"], [0, -10, "middle"], [0, 19, "middle"]];
    for (const [dx, dy, anchor] of choices) {
      const left = x[i] + dx - (anchor === "end" ? width : anchor === "middle" ? width / 2 : 0);
      const box = [left, y[i] + dy - LINE + 4, left + width, y[i] + dy + 3];
      const free = taken.every((other, j) => j === i || box[2] < other[0] || box[0] > other[2] || box[3] < other[1] || box[1] > other[3]);
      if ((free && left > 0 && left + width < room) || (i === order[0] && anchor === "middle")) {
        placed[i] = { x: x[i] + dx, y: y[i] + dy, anchor };
        taken.push(box);
        break;
      }
    }
  }
  return placed;
}

// Draws `found` (an answer of /map) into `place`; `pick` is called with a word that is clicked, or entered: the map is one
// stop of the keyboard, and arrows go through its words, the nearest first.
export function drawMap(place, found, asked, pick) {
  // Drawn in the screen's own pixels, so that names have one size on every screen.
  const width = Math.max(LEAST_WIDTH, place.clientWidth), height = Math.min(MOST_HEIGHT, Math.max(LEAST_HEIGHT, 0.72 * width));
  const x = scale(found.x, EDGE, width - EDGE), y = scale(found.y, height - EDGE, EDGE);
  const isAsked = found.words.map((word) => asked.includes(word));
  const svg = element("svg", {
    viewBox: `0 0 ${width} ${height}`, role: "group",
    "aria-label": `Map of ${found.words.length} words around ${found.query}; arrow keys go from word to word`,
  });
  const lines = element("g", { class: "links" }, svg);
  const joined = found.words.map(() => []);
  for (const [i, j] of found.links) {
    const line = element("line", { x1: x[i], y1: y[i], x2: x[j], y2: y[j], class: isAsked[i] || isAsked[j] ? "near" : "" }, lines);
    joined[i].push([line, j]);
    joined[j].push([line, i]);
  }
  const order = found.words.map((_, i) => i).sort((i, j) => isAsked[j] - isAsked[i] || i - j);
  const names = labels(found.words, x, y, order, width, asked);
  const nodes = found.words.map((word, i) => {
    const said = found.scores[i] === null ? word : `${word} ${found.scores[i].toFixed(3)}`;
    const node = element("g", {
      class: isAsked[i] ? "node asked" : "node", role: "button", tabindex: i === order[0] ? 0 : -1,
      "aria-label": `${said}, near ${joined[i].map(([, j]) => found.words[j]).join(", ")}`,
    }, svg);
    element("circle", { cx: x[i], cy: y[i], r: isAsked[i] ? 7 : 4.5 }, node);
    element("title", {}, node, said);
    const at = names[i] ?? { x: x[i], y: y[i] - 10, anchor: "middle" };
    element("text", { x: at.x, y: at.y, "text-anchor": at.anchor, class: names[i] ? "" : "crowded" }, node, word);
    node.addEventListener("click", () => pick(word));
    for (const [event, on] of [["pointerenter", true], ["pointerleave", false], ["focus", true], ["blur", false]]) {
      node.addEventListener(event, () => light(i, on));
    }
    return node;
  });
  function light(i, on) {
    svg.classList.toggle("lit", on);
    nodes[i].classList.toggle("on", on);
    for (const [line, j] of joined[i]) {
      line.classList.toggle("on", on);
      nodes[j].classList.toggle("on", on);
    }
  }
  svg.addEventListener("keydown", (event) => {
    const from = order.findIndex((i) => nodes[i] === document.activeElement);
    const step = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }[event.key];
    if (from < 0 || !(step || event.key === "Enter" || event.key === " ")) return;
    event.preventDefault();
    if (!step) {
      pick(found.words[order[from]]);
      return;
    }
    nodes[order[from]].setAttribute("tabindex", -1);
    const next = nodes[order[(from + step + order.length) % order.length]];
    next.setAttribute("tabindex", 0);
    next.focus();
  });
  place.replaceChildren(svg);
}
