"use strict";

const data = JSON.parse(document.getElementById("data").textContent);
const find = id => document.getElementById(id);
const main = find("cards"), filter = find("filter"), sort = find("sort"), everything = find("everything");
const layout = find("layout"), large = find("large");
const number = (value, digits) => value === null || value === undefined ? "–" : value.toFixed(digits);
const nameOf = row => row.name ?? `sample ${row.sample}`;

// A slider moves freely, so that pictures fade into each other, and comes to rest on a step.
function addSteps(slider, moved) {
  const goTo = step => {
    slider.value = Math.min(Math.max(step, 0), slider.max);
    moved();
  };
  slider.addEventListener("input", moved);
  slider.addEventListener("change", () => goTo(Math.round(slider.valueAsNumber)));
  slider.addEventListener("keydown", event => {
    const by = { ArrowLeft: -1, ArrowDown: -1, ArrowRight: 1, ArrowUp: 1 }[event.key];
    if (!by) return;
    event.preventDefault();
    goTo(Math.round(slider.valueAsNumber) + by);
  });
}

function markZero(slider, heads) {
  if (!heads.includes("0") || heads.length < 2) return;
  slider.classList.add("has-zero");
  slider.style.setProperty("--zero", heads.indexOf("0") / (heads.length - 1));
}

// A row as a card: the original, the edited picture, its slider and its numbers.
function makeCard(row) {
  const card = find("card").content.firstElementChild.cloneNode(true);
  const part = selector => card.querySelector(selector);
  const slider = part("input"), cells = card.querySelectorAll("tbody td"), name = nameOf(row);
  part("h2 span").textContent = row.title;
  part("h2").title = row.direction;
  part("h2 small").textContent = part("h2 small").title = name;
  part(".original").src = data.pictures[row.original];
  part(".original").alt = `${name}, original`;
  slider.max = row.steps.length - 1;
  slider.disabled = row.steps.length < 2;
  slider.setAttribute("aria-label", `Step along ${row.title}, ${name}`);
  markZero(slider, row.heads);
  if (row.measures) part(".region").textContent = row.region;
  else part("table").remove();
  if (row.outline !== null) {
    const { width, height, path } = data.outlines[row.outline];
    for (const svg of card.querySelectorAll("svg")) {
      svg.setAttribute("viewBox", `0 0 ${width} ${height}`);
      svg.firstElementChild.setAttribute("d", path);
    }
  }
  const step = () => Math.round(slider.valueAsNumber);

  // The ratio and the changes of the step shown.
  function numbers() {
    const { change_inside, change_outside, mse_inside, mse_outside } = row.measures;
    return [[change_inside, change_outside], [mse_inside, mse_outside]].map(([inside, outside]) => ({
      inside: inside[step()], outside: outside[step()],
      ratio: outside[step()] ? inside[step()] / outside[step()] : null,
    }));
  }

  function show() {
    const below = Math.floor(slider.valueAsNumber), fraction = slider.valueAsNumber - below;
    const head = row.heads[step()], next = part(".next");
    part(".edited").src = data.pictures[row.steps[below]];
    part(".edited").alt = `${name}, ${row.title}, distance ${head}`;
    next.hidden = fraction === 0;
    if (fraction) next.src = data.pictures[row.steps[below + 1]];
    next.style.opacity = fraction;
    part("output").textContent = head;
    slider.setAttribute("aria-valuetext", `distance ${head}`);
    part(".heat").hidden = !(row.heat && find("heat").checked);
    if (!part(".heat").hidden) part(".heat").src = data.pictures[row.heat[step()]];
    if (!row.measures) return;
    numbers().forEach(({ inside, outside, ratio }, i) => {
      cells[3 * i].textContent = number(inside, i ? 5 : 4);
      cells[3 * i + 1].textContent = number(outside, i ? 5 : 4);
      cells[3 * i + 2].textContent = number(ratio, 1);
    });
  }

  function moveTo(fraction) {
    slider.value = fraction * slider.max;
    show();
  }
  const made = { row, card, slider, show, moveTo, step, change: () => row.measures ? numbers()[0] : {} };
  addSteps(slider, show);
  for (const button of card.querySelectorAll(".picture")) button.addEventListener("click", () => enlarge(made));
  return made;
}

// What is sorted by is what is shown: the largest key first.
const last = Number.NEGATIVE_INFINITY;
const keys = {
  order: () => 0,
  sample: card => -card.row.sample,
  ratio: card => card.change().ratio ?? last,
  inside: card => card.change().inside ?? last,
  outside: card => -(card.change().outside ?? Infinity),
};

// A face with all its directions under it.
function makeFace(ofFace) {
  const face = find("face").content.firstElementChild.cloneNode(true), { row } = ofFace[0];
  face.querySelector("img").src = data.pictures[row.original];
  face.querySelector("img").alt = `${nameOf(row)}, original`;
  face.querySelector("figcaption").textContent = nameOf(row);
  face.querySelector(".cards").replaceChildren(...ofFace.map(({ card }) => card));
  return face;
}

// The cards of the chosen direction in the chosen order; rows that are equal stay as they were made.
function arrange() {
  const key = keys[sort.value];
  const shown = cards.filter(card => !filter.value || card.row.direction === filter.value);
  shown.sort((a, b) => key(b) - key(a) || a.row.index - b.row.index);
  const byFace = layout.value === "faces";
  main.classList.toggle("cards", !byFace);
  if (byFace) {
    const faces = new Map();
    for (const card of shown) faces.set(card.row.sample, [...faces.get(card.row.sample) ?? [], card]);
    main.replaceChildren(...[...faces.values()].map(makeFace));
  } else {
    main.replaceChildren(...shown.map(({ card }) => card));
  }
  find("count").textContent = shown.length === cards.length ? "" : `${shown.length} of ${cards.length}`;
}

// The large picture -------------------------------------------------------------------------------

let enlarged = null;
const inLarge = selector => large.querySelector(selector);
const largeSlider = inLarge("input");

function enlarge(card) {
  enlarged = card;
  inLarge("h2 span").textContent = card.row.title;
  inLarge("h2").title = card.row.direction;
  inLarge("h2 small").textContent = nameOf(card.row);
  inLarge(".original").src = data.pictures[card.row.original];
  inLarge(".original").alt = `${nameOf(card.row)}, original`;
  largeSlider.max = card.slider.max;
  largeSlider.disabled = card.slider.disabled;
  largeSlider.classList.remove("has-zero");
  largeSlider.setAttribute("aria-label", card.slider.getAttribute("aria-label"));
  markZero(largeSlider, card.row.heads);
  largeSlider.value = card.step();
  inLarge(".copy").hidden = !card.row.commands.length;
  showLarge();
  large.showModal();
}

function showLarge() {
  enlarged.slider.value = largeSlider.value;
  enlarged.show();
  const { row } = enlarged, step = enlarged.step();
  inLarge(".edited").src = data.pictures[row.steps[step]];
  inLarge(".edited").alt = `${nameOf(row)}, ${row.title}, distance ${row.heads[step]}`;
  largeSlider.setAttribute("aria-valuetext", `distance ${row.heads[step]}`);
  tell(`distance ${row.heads[step]}`);
}

const tell = text => { inLarge("[role=status]").textContent = text; };
const hold = held => { inLarge(".original").hidden = !held; };

// The picture as a PNG file, made here: the page is not asked for anything.
function savePicture() {
  const picture = inLarge(".edited"), canvas = document.createElement("canvas");
  [canvas.width, canvas.height] = [picture.naturalWidth, picture.naturalHeight];
  canvas.getContext("2d").drawImage(picture, 0, 0);
  const link = document.createElement("a"), { row } = enlarged;
  link.download = `${row.direction}_${nameOf(row)}_${row.heads[enlarged.step()]}.png`.replace(/[^\w.+-]+/g, "_");
  link.href = canvas.toDataURL("image/png");
  link.click();
  tell(`saved as ${link.download}`);
}

async function copyCommand() {
  const command = enlarged.row.commands[enlarged.step()];
  try {
    await navigator.clipboard.writeText(command);
    tell(`copied: ${command}`);
  } catch {
    tell(command);  // to be copied by hand
  }
}

addSteps(largeSlider, showLarge);
for (const part of [inLarge(".hold"), inLarge(".picture")]) {
  part.addEventListener("pointerdown", () => hold(true));
  for (const kind of ["pointerup", "pointerleave", "pointercancel"]) part.addEventListener(kind, () => hold(false));
}
large.addEventListener("keydown", event => {
  if (event.key === " " && (event.target === large || event.target.matches(".hold, input"))) {
    event.preventDefault();
    hold(true);
  }
});
large.addEventListener("keyup", event => { if (event.key === " ") hold(false); });
large.addEventListener("click", event => { if (event.target === large) large.close(); });
inLarge(".save").addEventListener("click", savePicture);
inLarge(".copy").addEventListener("click", copyCommand);
inLarge(".close").addEventListener("click", () => large.close());

const cards = data.rows.map((row, index) => makeCard({ ...row, index }));
for (const row of new Map(data.rows.map(row => [row.direction, row])).values()) filter.add(new Option(row.title, row.direction));
document.body.classList.toggle("has-measures", data.rows.some(row => row.measures));
find("controls").reset();  // a browser that reloads keeps what was chosen before
for (const menu of [filter, sort, layout]) menu.addEventListener("change", arrange);
everything.addEventListener("input", () => cards.forEach(card => card.moveTo(everything.valueAsNumber)));
everything.addEventListener("change", () => {
  cards.forEach(card => card.moveTo(card.step() / (card.slider.max || 1)));
  arrange();
});
const heads = data.rows.map(row => row.heads);
const places = new Set(heads.map(each => each.indexOf("0") / (each.length - 1)));
if (places.size === 1) markZero(everything, heads[0]);
find("heat").addEventListener("change", event => {
  document.body.classList.toggle("show-heat", event.target.checked);
  find("legend").hidden = !event.target.checked;
  cards.forEach(card => card.show());
});
find("controls").addEventListener("submit", event => event.preventDefault());
cards.forEach(card => card.moveTo(1));
arrange();
