// Finding an area by its code, its name, or a postcode in it: an input with a list of suggestions.

const MOST_SUGGESTED = 12;

// Areas of a full postcode in any city, or of its sector where the unit is not known yet.
function areasOfPostcode(data, text) {
  const plain = text.toUpperCase().replace(/\s+/g, "");
  const match = plain.match(/^([A-Z]{1,2}[0-9][A-Z0-9]?)([0-9])([A-Z]{2})$/);
  if (!match) return [];
  const [, outward, sector, unit] = match;
  const found = [];
  data.cities.forEach((city) => {
    for (const part of (city.postcodes[`${outward} ${sector}`] || "").split(" ")) {
      const [, area, units] = part.match(/^(\d+)([A-Z]+)$/) || [];
      for (let at = 0; units && at < units.length; at += 2)
        if (units.slice(at, at + 2) === unit)
          found.push({ city, area: Number(area), because: `${outward} ${sector}${unit}` });
    }
  });
  return found;
}

function areasOfText(data, text) {
  const wanted = text.trim().toLowerCase();
  const found = [];
  if (!wanted) return found;
  for (const city of data.cities)
    for (let area = 0; area < city.codes.length && found.length < MOST_SUGGESTED; area += 1)
      if (city.codes[area].toLowerCase().startsWith(wanted) || city.names[area].toLowerCase().includes(wanted))
        found.push({ city, area, because: "" });
  return found;
}

class Finder {
  constructor(input, list, status, data, onChoose) {
    Object.assign(this, { input, list, status, data, onChoose, found: [], active: -1 });
    input.addEventListener("input", () => this.#suggest());
    input.addEventListener("keydown", (event) => this.#key(event));
    input.addEventListener("blur", () => setTimeout(() => this.#close(), 200));
    list.addEventListener("click", (event) => {
      const option = event.target.closest("li");
      if (option) this.#take(Number(option.dataset.number));
    });
  }

  #suggest() {
    const text = this.input.value;
    const postcodes = areasOfPostcode(this.data, text);
    this.found = postcodes.length ? postcodes : areasOfText(this.data, text);
    this.active = this.found.length ? 0 : -1;
    this.list.replaceChildren(...this.found.map((each, number) => this.#option(each, number)));
    this.list.hidden = this.found.length === 0;
    this.input.setAttribute("aria-expanded", String(this.found.length > 0));
    const count = this.found.length === 1 ? "1 area" : `${this.found.length} areas`;
    this.status.textContent = text.trim() && !this.found.length
      ? `Nothing here is called ${text.trim()}: type a whole postcode, or the start of a code or name.`
      : text.trim() ? `${count}; Enter takes the marked one.` : "";
    this.#mark();
  }

  #option({ city, area, because }, number) {
    const label = `${because ? `${because}: ` : ""}${nameOf(city, area)}, ${city.title}`;
    return element("li", { role: "option", id: `option-${number}`, "data-number": number }, label);
  }

  #mark() {
    [...this.list.children].forEach((option, number) =>
      option.setAttribute("aria-selected", String(number === this.active)));
    if (this.active < 0) this.input.removeAttribute("aria-activedescendant");
    else this.input.setAttribute("aria-activedescendant", `option-${this.active}`);
    this.list.children[this.active]?.scrollIntoView({ block: "nearest" });
  }

  #key(event) {
    const last = this.found.length - 1;
    if (event.key === "ArrowDown") this.active = Math.min(this.active + 1, last);
    else if (event.key === "ArrowUp") this.active = Math.max(this.active - 1, 0);
    else if (event.key === "Enter") this.#take(this.active);
    else if (event.key === "Escape") this.#close();
    else return;
    event.preventDefault();
    this.#mark();
  }

  #take(number) {
    const chosen = this.found[number];
    if (!chosen) return;
    this.input.value = chosen.because || chosen.city.codes[chosen.area];
    this.#close();
    this.status.textContent = "";
    this.onChoose(chosen.city, chosen.area);
  }

  #close() {
    this.list.hidden = true;
    this.input.setAttribute("aria-expanded", "false");
    this.input.removeAttribute("aria-activedescendant");
  }
}
