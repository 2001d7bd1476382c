// The page's data, and what is chosen: an area of a city, an outcome, a kind of map.
"use strict";

const byId = (id) => document.getElementById(id);

function element(tag, attributes = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  made.append(...children);
  return made;
}

async function readData() {
  const text = atob(byId("data").textContent.trim());
  const bytes = Uint8Array.from(text, (character) => character.charCodeAt(0));
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate"));
  return JSON.parse(await new Response(stream).text());
}

// Rows of an outcome by area: areas without a row were not predicted.
function indexOutcomes(data) {
  for (const city of data.cities)
    for (const outcome of city.outcomes)
      outcome.rowOf = new Map(outcome.areas.map((area, row) => [area, row]));
  return data;
}

function nameOf(city, area) {
  return city.names[area] ? `${city.names[area]} (${city.codes[area]})` : city.codes[area];
}

const VALUES = {
  predicted: (outcome, row) => outcome.predicted[row],
  actual: (outcome, row) => outcome.actual[row],
  width: (outcome, row) =>
    outcome.lower[row] === null ? null : outcome.upper[row] - outcome.lower[row] + 1,
  residual: (outcome, row) =>
    outcome.actual[row] === null ? null : outcome.predicted[row] - outcome.actual[row],
  moved: (outcome, row) => outcome.moved[row],
};

// Number of the class of a value on a layer's scale; null where there is none.
function classOf(layer, outcome, area) {
  const row = outcome.rowOf.get(area);
  const value = row === undefined ? null : VALUES[layer.key](outcome, row);
  return value === null ? null : layer.uppers.findIndex((upper) => value <= upper);
}

function intervalText(outcome, row) {
  if (outcome.lower[row] === null) return "no interval";
  return `${outcome.lower[row]} to ${outcome.upper[row]}`;
}

function rankText(outcome, row) {
  if (!outcome.published[row]) return "too few locations";
  if (outcome.uncertain[row] === null) return "no interval";
  return outcome.uncertain[row] ? "too uncertain to rank" : "can be ranked";
}
