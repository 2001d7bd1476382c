// All predicted areas of one outcome, sorted by any column, a page at a time.

const PAGE = 25;
const RANKS = { "can be ranked": 0, "no interval": 1, "too uncertain to rank": 2, "too few locations": 3 };

class AreaTable {
  constructor(table, pager, onChoose) {
    Object.assign(this, { table, pager, onChoose, by: "predicted", up: true, page: 0, ranked: false });
    table.tHead.addEventListener("click", (event) => {
      const button = event.target.closest("button");
      if (button) this.#sort(button.dataset.by);
    });
    table.tBodies[0].addEventListener("click", (event) => {
      const button = event.target.closest("button");
      if (button) onChoose(Number(button.dataset.area));
    });
    pager.querySelector("[data-step='-1']").addEventListener("click", () => this.#turn(-1));
    pager.querySelector("[data-step='1']").addEventListener("click", () => this.#turn(1));
    byId("only-ranked").addEventListener("change", (event) => {
      this.ranked = event.target.checked;
      this.page = 0;
      this.draw();
    });
  }

  show(city, outcome, chosen) {
    if (outcome !== this.outcome) this.page = 0;
    Object.assign(this, { city, outcome, chosen });
    this.draw();
  }

  #sort(by) {
    this.up = by === this.by ? !this.up : true;
    Object.assign(this, { by, page: 0 });
    this.draw();
  }

  #turn(step) {
    this.page += step;
    this.draw();
  }

  #value(row) {
    const { city, outcome } = this;
    switch (this.by) {
      case "name": return nameOf(city, outcome.areas[row]);
      case "actual": return outcome.actual[row];
      case "width": return VALUES.width(outcome, row);
      case "residual": return VALUES.residual(outcome, row);
      case "n": return outcome.n[row];
      case "rank": return RANKS[rankText(outcome, row)];
      default: return outcome.predicted[row];
    }
  }

  #rows() {
    const rows = this.outcome.areas.map((_, row) => row)
      .filter((row) => !this.ranked || rankText(this.outcome, row) === "can be ranked");
    const value = new Map(rows.map((row) => [row, this.#value(row)]));
    const sign = this.up ? 1 : -1;
    const compare = (a, b) => (typeof a === "string" ? a.localeCompare(b, "en", { numeric: true }) : a - b);
    return rows.sort((one, other) => {
      const [a, b] = [value.get(one), value.get(other)];
      if (a === null || b === null) return (a === null) - (b === null); // unknown ones last
      return sign * compare(a, b) || one - other;
    });
  }

  draw() {
    const rows = this.#rows();
    const pages = Math.max(Math.ceil(rows.length / PAGE), 1);
    this.page = Math.min(Math.max(this.page, 0), pages - 1);
    const shown = rows.slice(this.page * PAGE, (this.page + 1) * PAGE);
    this.table.tBodies[0].replaceChildren(...shown.map((row) => this.#line(row)));
    this.table.querySelectorAll("th[aria-sort]").forEach((head) => {
      const own = head.querySelector("button").dataset.by === this.by;
      head.setAttribute("aria-sort", own ? (this.up ? "ascending" : "descending") : "none");
    });
    const first = rows.length ? this.page * PAGE + 1 : 0;
    this.pager.querySelector("output").textContent =
      `${first} to ${this.page * PAGE + shown.length} of ${rows.length} areas`;
    this.pager.querySelector("[data-step='-1']").disabled = this.page === 0;
    this.pager.querySelector("[data-step='1']").disabled = this.page >= pages - 1;
  }

  #line(row) {
    const { city, outcome } = this;
    const area = outcome.areas[row];
    const button = element("button", { type: "button", "data-area": area }, nameOf(city, area));
    const residual = VALUES.residual(outcome, row);
    const cells = [
      outcome.predicted[row], intervalText(outcome, row), outcome.actual[row] ?? "not known",
      residual === null ? "not known" : residual > 0 ? `+${residual}` : residual, outcome.n[row],
    ];
    const line = element("tr", area === this.chosen ? { class: "chosen" } : {});
    line.append(element("th", { scope: "row" }, button));
    line.append(...cells.map((cell) => element("td", { class: "num" }, String(cell))));
    line.append(element("td", {}, rankText(outcome, row)));
    return line;
  }
}
