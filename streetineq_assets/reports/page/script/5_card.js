// What is known of the chosen area, in words first.

function sentencesOf(city, outcome, area) {
  const row = outcome.rowOf.get(area);
  if (row === undefined)
    return [`${outcome.title} was not predicted here: no location with all four images lies in this area.`];
  const said = [`Predicted decile ${outcome.predicted[row]} of 10 for ${outcome.title.toLowerCase()} (1 is worst-off in ${city.title}).`];
  said.push(outcome.lower[row] === null
    ? "How sure that is cannot be told: there are too few areas for an interval."
    : `The interval at ${outcome.level} is ${intervalText(outcome, row)}.`);
  said.push(outcome.actual[row] === null
    ? "The official statistics say nothing of this area."
    : `The official statistics say ${outcome.actual[row]}${outcome.modelled ? ", itself an estimate by a model" : ""}.`);
  const n = outcome.n[row];
  said.push(`It rests on ${n} ${n === 1 ? "location" : "locations"} with four images each.`);
  return said;
}

function useOf(outcome, area) {
  const row = outcome.rowOf.get(area);
  if (row === undefined) return "";
  const rank = rankText(outcome, row);
  const common = "Never a ground for decisions about the area's people or households.";
  if (rank === "can be ranked")
    return `It may be shown beside its interval, and counted with other areas. ${common}`;
  const why = {
    "too few locations": "It rests on too few locations: do not publish it",
    "too uncertain to rank": "It is too uncertain to rank: do not compare it with single other areas",
    "no interval": "Without an interval do not compare it with single other areas",
  }[rank];
  return `${why}; it may be counted with many others. ${common}`;
}

function pushesOf(city, outcome, area) {
  const pushes = outcome.pushes?.[outcome.rowOf.get(area)] || [];
  if (!pushes.length) return [];
  const items = pushes.map(([place, influence, view]) => element("li", {},
    `Location ${city.places[place]} ${influence > 0 ? "up" : "down"} by ${Math.abs(influence).toFixed(2)}` +
    (view === null ? "" : `; of its views most by the one facing ${view}°`)));
  return [
    element("h4", {}, "What pushes its score"),
    element("p", { class: "about" }, "Logits by which the area's score changes with and without a location: it explains the network, not the place."),
    element("ul", {}, ...items),
  ];
}

function drawCard(card, city, outcome, area) {
  if (area === null) {
    card.replaceChildren(element("p", {}, "No area is chosen. Search for one, or choose it on the map or in the table."));
    return;
  }
  const rows = city.outcomes.map((each) => {
    const row = each.rowOf.get(area);
    const cells = row === undefined
      ? ["none", "", "", ""]
      : [each.predicted[row], intervalText(each, row), each.actual[row] ?? "not known", rankText(each, row)];
    return element("tr", each === outcome ? { class: "chosen" } : {},
      element("th", { scope: "row" }, each.title), ...cells.map((cell) => element("td", {}, String(cell))));
  });
  const heads = ["Outcome", "Predicted", "Interval", "Actual", "Ranking"];
  const table = element("table", {},
    element("caption", {}, "All outcomes of this area, deciles"),
    element("thead", {}, element("tr", {}, ...heads.map((text) => element("th", { scope: "col" }, text)))),
    element("tbody", {}, ...rows));
  card.replaceChildren(
    element("h3", {}, nameOf(city, area)),
    element("p", {}, sentencesOf(city, outcome, area).join(" ")),
    element("p", { class: "note" }, useOf(outcome, area)),
    ...pushesOf(city, outcome, area),
    element("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": "All outcomes of this area" }, table));
}
