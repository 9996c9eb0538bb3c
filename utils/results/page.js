"use strict";

const data = JSON.parse(document.getElementById("data").textContent);
const find = id => document.getElementById(id);
const main = find("cards"), filter = find("filter"), sort = find("sort"), everything = find("everything");

// Long names of files may break at underscores.
const breakable = name => name.replaceAll("_", "_\u200b");

// A row as a card: the original, the edited picture, its slider and its numbers.
function makeCard(row) {
  const card = find("card").content.firstElementChild.cloneNode(true);
  const part = selector => card.querySelector(selector);
  const slider = part("input"), cells = card.querySelectorAll("tbody td");
  const name = row.name ?? `sample ${row.sample}`;
  const sample = document.createElement("small");
  sample.textContent = breakable(name);
  part("h2").append(breakable(row.direction), sample);
  part(".original").src = data.pictures[row.original];
  part(".original").alt = `${name}, original`;
  slider.max = row.steps.length - 1;
  slider.disabled = row.steps.length < 2;
  slider.setAttribute("aria-label", `Step along ${row.direction}, ${name}`);
  if (row.heads.includes("0") && slider.max > 0) {
    slider.classList.add("has-zero");
    slider.style.setProperty("--zero", row.heads.indexOf("0") / slider.max);
  }
  if (row.measures) part(".region").textContent = row.region;
  else part("table").remove();
  if (row.outline !== null) {
    const { width, height, path } = data.outlines[row.outline];
    for (const svg of card.querySelectorAll("svg")) {
      svg.setAttribute("viewBox", `0 0 ${width} ${height}`);
      svg.firstElementChild.setAttribute("d", path);
    }
  }

  function show() {
    const step = slider.valueAsNumber, head = row.heads[step];
    part(".edited").src = data.pictures[row.steps[step]];
    part(".edited").alt = `${name}, ${row.direction}, distance ${head}`;
    part("output").textContent = head;
    slider.setAttribute("aria-valuetext", `distance ${head}`);
    part(".heat").hidden = !(row.heat && find("heat").checked);
    if (!part(".heat").hidden) part(".heat").src = data.pictures[row.heat[step]];
    if (row.measures) {
      const { change_inside, change_outside, mse_inside, mse_outside } = row.measures;
      [[change_inside, change_outside], [mse_inside, mse_outside]].forEach(([inside, outside], i) => {
        cells[3 * i].textContent = number(inside[step]);
        cells[3 * i + 1].textContent = number(outside[step]);
        cells[3 * i + 2].textContent = number(outside[step] ? inside[step] / outside[step] : null);
      });
    }
  }

  slider.addEventListener("input", show);
  function moveTo(fraction) {
    slider.value = Math.round(fraction * slider.max);
    show();
  }
  return { row, card, show, moveTo };
}

// Three digits for people: 12.8, 0.107, 0.0083, and a dash for what is not there.
function number(value) {
  if (value === null || value === undefined) return "–";
  if (value >= 100) return value.toFixed(0);
  if (value && value < 0.0001) return value.toExponential(0).replace("e-", "e−");
  return value >= 10 ? value.toFixed(1) : value >= 1 ? value.toFixed(2) : String(Number(value.toPrecision(2)));
}

const last = Number.NEGATIVE_INFINITY;
const keys = {
  order: () => 0,
  sample: card => -card.row.sample,
  ratio: card => card.row.summary?.ratio ?? last,
  inside: card => card.row.summary?.change_inside ?? last,
  outside: card => -(card.row.summary?.change_outside ?? Infinity),
};

// The cards of the chosen direction in the chosen order; rows that are equal stay as they were made.
function arrange() {
  const key = keys[sort.value];
  const shown = cards.filter(card => !filter.value || card.row.direction === filter.value);
  shown.sort((a, b) => key(b) - key(a) || a.row.index - b.row.index);
  main.replaceChildren(...shown.map(card => card.card));
  find("count").textContent = shown.length === cards.length ? "" : `${shown.length} of ${cards.length}`;
}

const cards = data.rows.map((row, index) => makeCard({ ...row, index }));
for (const direction of new Set(data.rows.map(row => row.direction))) filter.add(new Option(direction, direction));
document.body.classList.toggle("has-measures", data.rows.some(row => row.measures));
find("controls").reset();  // a browser that reloads keeps what was chosen before
filter.addEventListener("change", arrange);
sort.addEventListener("change", arrange);
everything.addEventListener("input", () => cards.forEach(card => card.moveTo(everything.valueAsNumber)));
find("heat").addEventListener("change", event => {
  document.body.classList.toggle("show-heat", event.target.checked);
  find("legend").hidden = !event.target.checked;
  cards.forEach(card => card.show());
});
find("controls").addEventListener("submit", event => event.preventDefault());
cards.forEach(card => card.moveTo(1));
arrange();
