// The map of one city: coloured anew for each outcome, moved through by pointer and by keys.

const SVG = "http://www.w3.org/2000/svg";
const HATCHED = "url(#hatch)";

function svg(tag, attributes = {}) {
  const made = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  return made;
}

class AreaMap {
  constructor(place, status, onChoose) {
    this.place = place;
    this.status = status;
    this.onChoose = onChoose;
    place.addEventListener("click", (event) => this.#at(event, (area) => onChoose(area)));
    place.addEventListener("pointermove", (event) => this.#at(event, (area) => this.#say(area)));
    place.addEventListener("keydown", (event) => this.#key(event));
  }

  show(city) {
    if (this.city === city) return;
    this.city = city;
    this.chosen = null;
    const [width, height] = city.size;
    this.whole = [0, 0, width, height];
    this.root = svg("svg", { "aria-hidden": "true", focusable: "false" });
    this.root.append(this.#hatching());
    this.areas = svg("g", { class: "areas" });
    this.shapes = city.codes.map((_, area) => this.#shape(city, area, Math.max(width, height)));
    this.areas.append(...this.shapes.filter(Boolean));
    this.outline = svg("g", { class: "chosen" });
    this.root.append(this.areas, this.outline);
    this.place.replaceChildren(this.root);
    this.middles = this.shapes.map((shape) => {
      if (!shape) return null;
      const box = shape.getBBox();
      return [box.x + box.width / 2, box.y + box.height / 2];
    });
    this.zoom(1);
  }

  #hatching() {
    const definitions = svg("defs");
    const pattern = svg("pattern", {
      id: "hatch", width: 40, height: 40, patternUnits: "userSpaceOnUse", patternTransform: "rotate(45)",
    });
    pattern.append(svg("rect", { width: 40, height: 40, fill: "#fff" }));
    pattern.append(svg("rect", { width: 8, height: 40, fill: "#969696" }));
    definitions.append(pattern);
    return definitions;
  }

  #shape(city, area, extent) {
    if (city.paths[area]) return svg("path", { d: city.paths[area], "data-area": area });
    const dot = city.dots[area];
    return dot && svg("circle", { cx: dot[0], cy: dot[1], r: extent / 90, "data-area": area });
  }

  colour(layer, outcome) {
    this.layer = layer;
    this.outcome = outcome;
    this.shapes.forEach((shape, area) => {
      if (!shape) return;
      const number = classOf(layer, outcome, area);
      shape.setAttribute("fill", number === null ? HATCHED : layer.colours[number]);
    });
  }

  choose(area) {
    this.chosen = area;
    const shape = area === null ? null : this.shapes[area];
    this.outline.replaceChildren(...(shape ? [shape.cloneNode()] : []));
    this.outline.querySelectorAll("*").forEach((copy) => copy.removeAttribute("fill"));
    if (shape) this.#keepInView();
  }

  // `factor` times as near as the whole city, around the chosen area.
  zoom(factor) {
    this.factor = Math.min(Math.max(factor, 1), 32);
    const [, , width, height] = this.whole;
    const [x, y] = (this.chosen !== null && this.middles[this.chosen]) || [width / 2, height / 2];
    const [w, h] = [width / this.factor, height / this.factor];
    const left = Math.min(Math.max(x - w / 2, 0), width - w);
    const top = Math.min(Math.max(y - h / 2, 0), height - h);
    this.root.setAttribute("viewBox", `${left} ${top} ${w} ${h}`);
    // Lines between areas of a few pixels would hide their colours.
    this.areas.classList.toggle("dense", this.shapes.length / this.factor ** 2 > 500);
  }

  #keepInView() {
    if (this.factor > 1) this.zoom(this.factor);
  }

  #at(event, then) {
    const area = event.target.getAttribute?.("data-area");
    if (area !== null && area !== undefined) then(Number(area));
  }

  #say(area) {
    const number = classOf(this.layer, this.outcome, area);
    const text = number === null ? "not known" : this.layer.labels[number];
    this.status.textContent = `${nameOf(this.city, area)}: ${this.layer.title.toLowerCase()} ${text}`;
  }

  #key(event) {
    const steps = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
    if (event.key === "+" || event.key === "=") this.zoom(this.factor * 2);
    else if (event.key === "-") this.zoom(this.factor / 2);
    else if (event.key === "0") this.zoom(1);
    else if (steps[event.key]) this.#step(steps[event.key]);
    else return;
    event.preventDefault();
  }

  // To the nearest area in a direction; without one chosen, to that in the middle.
  #step([right, down]) {
    const [, , width, height] = this.whole;
    const none = this.chosen === null || !this.middles[this.chosen];
    const [x, y] = none ? [width / 2, height / 2] : this.middles[this.chosen];
    let [best, least] = [null, Infinity];
    this.middles.forEach((middle, area) => {
      if (!middle || area === this.chosen) return;
      const along = (middle[0] - x) * right + (middle[1] - y) * down;
      const aside = Math.abs((middle[0] - x) * down) + Math.abs((middle[1] - y) * right);
      const cost = none ? Math.hypot(middle[0] - x, middle[1] - y) : along + 2 * aside;
      if ((none || (along > 0 && along >= aside)) && cost < least) [best, least] = [area, cost];
    });
    if (best !== null) this.onChoose(best);
  }
}
