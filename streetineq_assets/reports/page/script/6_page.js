// Ties the parts together, once the page is there.

function openForPrint() {
  const closed = [];
  addEventListener("beforeprint", () => document.querySelectorAll("details:not([open])").forEach((each) => {
    closed.push(each);
    each.open = true;
  }));
  addEventListener("afterprint", () => closed.splice(0).forEach((each) => { each.open = false; }));
}

function drawLegend(list, layer) {
  const entry = (label, style) => {
    const swatch = element("span", { class: style ? "swatch" : "swatch hatched", "aria-hidden": "true" });
    if (style) swatch.style.background = style;
    return element("li", {}, swatch, label);
  };
  list.replaceChildren(...layer.labels.map((label, number) => entry(label, layer.colours[number])), entry("not known"));
}

function startExplorer(data) {
  const chosen = { city: data.cities[0], outcome: data.cities[0].outcomes[0], layer: data.layers[0], area: null };
  const [outcomes, layers] = [byId("outcome"), byId("layer")];
  const map = new AreaMap(byId("map"), byId("map-status"), (area) => choose(chosen.city, area));
  const table = new AreaTable(byId("areas"), byId("pager"), (area) => choose(chosen.city, area));
  new Finder(byId("search"), byId("suggestions"), byId("search-status"), data, choose);

  data.cities.forEach((city, c) => outcomes.append(element("optgroup", { label: city.title },
    ...city.outcomes.map((outcome, o) => element("option", { value: `${c},${o}` }, `${city.title}: ${outcome.title}`)))));
  data.layers.forEach((layer, number) => layers.append(element("option", { value: number }, layer.title)));

  function draw() {
    const { city, outcome, layer, area } = chosen;
    outcomes.value = `${data.cities.indexOf(city)},${city.outcomes.indexOf(outcome)}`;
    map.show(city);
    map.colour(layer, outcome);
    map.choose(area);
    drawLegend(byId("map-legend"), layer);
    byId("map-about").textContent = layer.about;
    drawCard(byId("card"), city, outcome, area);
    byId("areas").caption.textContent = `${city.title}, ${outcome.title}: predicted areas`;
    table.show(city, outcome, area);
  }

  function choose(city, area) {
    if (city !== chosen.city) {
      const same = city.outcomes.find((each) => each.key === chosen.outcome.key);
      Object.assign(chosen, { city, outcome: same || city.outcomes[0] });
    }
    chosen.area = area;
    draw();
    if (map.factor === 1 && city.codes.length > 300) map.zoom(8);
  }

  outcomes.addEventListener("change", () => {
    const [c, o] = outcomes.value.split(",").map(Number);
    const city = data.cities[c];
    Object.assign(chosen, { city, outcome: city.outcomes[o], area: city === chosen.city ? chosen.area : null });
    draw();
  });
  layers.addEventListener("change", () => {
    chosen.layer = data.layers[Number(layers.value)];
    draw();
  });
  byId("zoom-in").addEventListener("click", () => map.zoom(map.factor * 2));
  byId("zoom-out").addEventListener("click", () => map.zoom(map.factor / 2));
  byId("zoom-whole").addEventListener("click", () => map.zoom(1));
  byId("explorer").hidden = false;
  draw();
}

openForPrint();
if (byId("data"))
  readData().then(indexOutcomes).then(startExplorer).catch((error) => {
    byId("explorer-failed").hidden = false;
    console.warn(error);
  });
