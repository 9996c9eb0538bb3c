"use strict";

const find = id => document.getElementById(id);
const digits = (value, count) => value === null || value === undefined ? "–" : value.toFixed(count);
const copyOf = value => JSON.parse(JSON.stringify(value));

let info, state;  // what the session is about, and what is seen of it
const rowsFound = new Map();  // of each search, by its JSON: what the session has found

// Asking -------------------------------------------------------------------------------------------

async function ask(name, content = {}) {
  let reply;
  try {
    reply = await fetch(name, { method: "POST", body: JSON.stringify(content) });
  } catch {
    throw new Error("The session has ended. Start it again; the rest of this address, from # on, brings all of this back.");
  }
  const answer = await reply.json().catch(() => ({ error: "the session refuses to answer" }));
  if (!reply.ok) throw new Error(answer.error);
  return answer;
}

function tell(text, isError = false) {
  find("status").textContent = text;
  find("status").classList.toggle("error", isError);
}

// One picture is asked for at a time; of the wishes that come meanwhile the newest is asked for next.
let isAsking = false, isWanted = false, isDragging = false, isSlow = false;

async function refresh() {
  isWanted = true;
  if (isAsking) return;
  isAsking = true;
  const late = setTimeout(() => tell("waiting for the picture …"), 250);
  try {
    while (isWanted) {
      isWanted = false;
      const asked = copyOf(state), start = performance.now();
      const answer = await ask("image", { state: asked, quick: isDragging && isSlow });
      isSlow = performance.now() - start > 300;
      draw(answer);
      document.body.dataset.milliseconds = Math.round(performance.now() - start);
    }
    tell("");
  } catch (error) {
    tell(error.message, true);
  }
  clearTimeout(late);
  isAsking = false;
  if (isWanted) refresh();
}

function draw({ picture, original, heat, change, outline, alone }) {
  find("shown").src = picture;
  find("original").src = original;
  find("heat").src = heat;
  find("outline").setAttribute("d", outline?.path ?? "");
  if (outline) find("picture").querySelector("svg").setAttribute("viewBox", `0 0 ${outline.size[1]} ${outline.size[0]}`);
  find("change").textContent = change ? words(change) : "";
  [...find("sliders").children].forEach((part, i) => {
    part.querySelector("output").textContent = alone[i] ? short(alone[i]) : "";
    part.querySelector("output").title = alone[i] ? words(alone[i]) : "";
  });
}

const words = ([inside, outside, ratio]) => `inside ${digits(inside, 3)} outside ${digits(outside, 4)} ratio ${digits(ratio, 1)}`;

const short = ([inside, outside, ratio]) => `${digits(inside, 3)} / ${digits(outside, 4)} = ${digits(ratio, 1)}`;

// State, undo, address -----------------------------------------------------------------------------

const undone = [], done = [];
let settled = "";  // the state as it was when something was last finished

// Something was finished, such as a drag: it can be undone, and is in the address.
function settle() {
  const text = JSON.stringify(state);
  if (text === settled) return;
  if (settled) done.push(settled);
  undone.length = 0;
  settled = text;
  write();
}

function write() {
  history.replaceState(null, "", `#${encodeURIComponent(settled)}`);
  find("undo").disabled = !done.length;
  find("redo").disabled = !undone.length;
}

function step(from, to) {
  if (!from.length) return;
  to.push(settled);
  settled = from.pop();
  state = JSON.parse(settled);
  write();
  showAll();
}

// The state of the address, or, without one, that of the beginning.
async function readAddress() {
  state = { face: info.face, sliders: [], region: null, finds: [] };
  try {
    if (location.hash.length > 1) state = { ...state, ...JSON.parse(decodeURIComponent(location.hash.slice(1))) };
    else info.directions.forEach((_, i) => addFile(i, 0));
    for (const search of state.finds) await search_(search);
  } catch (error) {
    tell(error instanceof SyntaxError || error instanceof URIError ? "the address holds no state that can be read" : error.message, true);
    state = { face: info.face, sliders: [], region: null, finds: [] };
  }
  settle();
  showAll();
}

// Sliders ------------------------------------------------------------------------------------------

const addFile = (i, row) => state.sliders.push({ source: `d${i}`, row, distance: 0, layers: info.directions[i].layers });
const everyLayer = () => [...Array(info.layers).keys()];

function describe({ source, row }) {
  const i = Number(source.slice(1));
  if (source[0] === "d") return { title: info.directions[i].titles[row], reach: info.directions[i].reaches[row] };
  const search = state.finds[i];
  return { title: `${search.region.name ?? "painted"}, row ${row}`, reach: rowsFound.get(JSON.stringify(search))[row].reach };
}

function makeSlider(slider, index) {
  const part = find("slider").content.firstElementChild.cloneNode(true);
  const [range, exact, layers] = part.querySelectorAll("input"), { title, reach } = describe(slider);
  part.querySelector(".title").textContent = title;
  part.querySelector(".title").htmlFor = range.id = `slider-${index}`;
  exact.setAttribute("aria-label", `Distance, ${title}`);
  layers.setAttribute("aria-label", `Layers, ${title}`);
  part.querySelector("button").setAttribute("aria-label", `Remove ${title}`);
  range.classList.add("has-zero");
  range.style.setProperty("--zero", 0.5);
  const far = Math.max(reach, Math.abs(slider.distance));
  [range.min, range.max, range.value, exact.value] = [-far, far, slider.distance, digits(slider.distance, 3)];
  layers.value = listOf(slider.layers);
  const move = value => {
    slider.distance = Number(value.toPrecision(6));
    exact.value = digits(slider.distance, 3);
    range.setAttribute("aria-valuetext", digits(slider.distance, 3));
    refresh();
  };
  range.addEventListener("input", () => { isDragging = true; move(range.valueAsNumber); });
  range.addEventListener("change", () => { isDragging = false; settle(); refresh(); });
  range.addEventListener("keydown", event => {
    const by = { ArrowLeft: -1, ArrowDown: -1, ArrowRight: 1, ArrowUp: 1 }[event.key];
    if (!by) return;
    event.preventDefault();
    range.value = range.valueAsNumber + by * far / 20;
    move(range.valueAsNumber);
    settle();
  });
  range.addEventListener("dblclick", () => { range.value = 0; move(0); settle(); });
  exact.addEventListener("change", () => {
    slider.distance = Number.isFinite(exact.valueAsNumber) ? exact.valueAsNumber : 0;
    settle();
    showAll();
  });
  layers.addEventListener("change", () => {
    const list = layersOf(layers.value);
    if (list) slider.layers = list;
    layers.value = listOf(slider.layers);
    settle();
    refresh();
  });
  part.querySelector("button").addEventListener("click", () => {
    state.sliders.splice(state.sliders.indexOf(slider), 1);
    settle();
    showAll();
  });
  return part;
}

// 0,1,2,5 as 0-2,5, and the other way round; null for what is no list of layers.
function listOf(layers) {
  const parts = [];
  for (const layer of layers) {
    const last = parts.at(-1);
    if (last && layer === last[1] + 1) last[1] = layer;
    else parts.push([layer, layer]);
  }
  return parts.map(([first, last]) => first === last ? first : `${first}-${last}`).join(",");
}

function layersOf(text) {
  const layers = new Set();
  for (const part of text.split(",")) {
    const match = /^\s*(\d{1,3})(?:-(\d{1,3}))?\s*$/.exec(part);
    if (!match) return null;
    for (let i = Number(match[1]); i <= Number(match[2] ?? match[1]); i++) layers.add(i);
  }
  const list = [...layers].sort((a, b) => a - b);
  return list.length && list.at(-1) < info.layers ? list : null;
}

function showAll() {
  find("sliders").replaceChildren(...state.sliders.map(makeSlider));
  find("none").hidden = state.sliders.length > 0;
  if (document.activeElement !== find("number")) find("number").value = state.face.number;
  find("seed").value = state.face.seed;
  if (state.face.label !== null && state.face.label !== undefined) find("class").value = state.face.label;
  for (const button of find("strip").children) button.ariaPressed = String(Number(button.dataset.number) === state.face.number);
  mask = state.region ? decode(state.region.runs ?? info.regions[state.region.name]) : mask.fill(0);
  find("region").value = state.region?.name ?? "";
  drawMask();
  showFound();
  refresh();
}

// Faces --------------------------------------------------------------------------------------------

function goTo(face) {
  state.face = { ...state.face, ...face };
  const most = info.codes === null ? 10000 : info.codes - 1;
  state.face.number = Math.min(Math.max(Math.trunc(state.face.number) || 0, 0), most);
  settle();
  showAll();
}

// The codes of a file as a strip, one after another when nothing else is asked for.
async function fillStrip() {
  const buttons = [...Array(Math.min(info.codes ?? 0, 64)).keys()].map(number => {
    const button = document.createElement("button"), picture = new Image();
    picture.alt = info.names?.[number] ?? `code ${number}`;
    button.type = "button";
    button.dataset.number = number;
    button.append(picture);
    button.addEventListener("click", () => goTo({ number }));
    return button;
  });
  find("strip").replaceChildren(...buttons);
  for (const button of buttons) {
    const face = { ...info.face, number: Number(button.dataset.number) };
    while (isAsking) await new Promise(resume => setTimeout(resume, 50));
    try {
      button.firstChild.src = (await ask("thumbnail", { face })).picture;
    } catch {
      return;
    }
  }
}

// Painting -----------------------------------------------------------------------------------------

let mask = new Uint8Array();  // of the picture as step 2 sees it
const canvas = find("paint"), tool = () => document.querySelector("[name=tool]:checked").value;

// The lengths of the runs of a mask, beginning outside, in bytes of 7 bits, in base64.
function encode(values) {
  const bytes = [];
  let start = 0, value = 0;
  for (let i = 0; i <= values.length; i++) {
    if (i < values.length && values[i] === value) continue;
    let length = i - start;
    for (; length >= 128; length >>>= 7) bytes.push(length & 127 | 128);
    bytes.push(length);
    [start, value] = [i, 1 - value];
  }
  return btoa(String.fromCharCode(...bytes)).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
}

function decode(text) {
  const [height, width] = info.mask_size, values = new Uint8Array(height * width);
  let at = 0, value = 0, length = 0, shift = 0;
  for (const character of atob(text.replaceAll("-", "+").replaceAll("_", "/"))) {
    const byte = character.charCodeAt(0);
    length |= (byte & 127) << shift;
    shift += 7;
    if (byte > 127) continue;
    values.fill(value, at, at + length);
    [at, value, length, shift] = [at + length, 1 - value, 0, 0];
  }
  return values;
}

function drawMask() {
  const pixels = new ImageData(canvas.width, canvas.height);
  mask.forEach((inside, i) => pixels.data.set(inside ? [90, 230, 255, 255] : [0, 0, 0, 0], 4 * i));
  canvas.getContext("2d").putImageData(pixels, 0, 0);
  const count = mask.reduce((sum, inside) => sum + inside, 0);
  find("find").disabled = isFinding || !count || count === mask.length;
}

function setRegion(name) {
  const count = mask.reduce((sum, inside) => sum + inside, 0);
  state.region = name ? { name } : count && count < mask.length ? { runs: encode(mask) } : null;
  settle();
  showAll();
}

// The pixel under a pointer, row and column, as fractions.
function placeOf(event) {
  const box = canvas.getBoundingClientRect();
  return [(event.clientY - box.top) / box.height * canvas.height, (event.clientX - box.left) / box.width * canvas.width];
}

function fill(inside, [top, left, bottom, right], isInside) {
  for (let row = Math.max(Math.floor(top), 0); row < Math.min(bottom, canvas.height); row++)
    for (let column = Math.max(Math.floor(left), 0); column < Math.min(right, canvas.width); column++)
      if (isInside(row + 0.5, column + 0.5)) mask[row * canvas.width + column] = inside;
}

// A stroke of the brush from one place to another.
function stroke([y0, x0], [y1, x1], inside) {
  const radius = find("size").valueAsNumber / 256 * Math.max(...info.mask_size), steps = Math.ceil(Math.hypot(y1 - y0, x1 - x0)) + 1;
  for (let i = 0; i <= steps; i++) {
    const y = y0 + (y1 - y0) * i / steps, x = x0 + (x1 - x0) * i / steps;
    fill(inside, [y - radius, x - radius, y + radius, x + radius], (row, column) => Math.hypot(row - y, column - x) <= radius);
  }
}

let from = null, before = null;  // where a stroke or box began, and the mask then

function paint(event) {
  const to = placeOf(event);
  if (tool() === "box") {
    mask = before.slice();
    const [top, bottom] = [from[0], to[0]].sort((a, b) => a - b), [left, right] = [from[1], to[1]].sort((a, b) => a - b);
    fill(1, [top, left, bottom, right], () => true);
  } else {
    stroke(from, to, tool() === "brush" ? 1 : 0);
    from = to;
  }
  drawMask();
}

canvas.addEventListener("pointerdown", event => {
  if (event.button) return;
  canvas.setPointerCapture(event.pointerId);
  if (tool() === "look") return hold(true);
  [from, before] = [placeOf(event), mask.slice()];
  paint(event);
});
canvas.addEventListener("pointermove", event => { if (from) paint(event); });
for (const kind of ["pointerup", "pointercancel"]) canvas.addEventListener(kind, () => {
  hold(false);
  if (!from) return;
  from = null;
  setRegion("");
});

const hold = held => { find("original").hidden = !held; };

// Finding ------------------------------------------------------------------------------------------

let isFinding = false;

async function search_(search) {
  const key = JSON.stringify(search);
  if (!rowsFound.has(key)) rowsFound.set(key, (await ask("find", { find: search })).rows);
}

// A search that no slider uses is forgotten when another one comes.
function addSearch(search) {
  const kept = state.finds.filter((_, i) => state.sliders.some(({ source }) => source === `f${i}`));
  const known = kept.findIndex(each => JSON.stringify(each) === JSON.stringify(search));
  const finds = known < 0 ? [...kept, search] : kept;
  for (const slider of state.sliders) {
    if (slider.source[0] === "f") slider.source = `f${finds.indexOf(state.finds[Number(slider.source.slice(1))])}`;
  }
  state.finds = finds;
  latest = known < 0 ? finds.length - 1 : known;
}

let latest = -1;

async function findDirections() {
  const search = copyOf({
    face: state.face, faces: find("pool").valueAsNumber || 1, region: state.region,
    method: find("method").value, lamb: find("lamb").valueAsNumber || info.lamb,
  });
  isFinding = true;
  find("find").disabled = true;
  const watching = setInterval(watch, 150);
  for (const id of ["cancel", "progress"]) find(id).hidden = false;
  try {
    await search_(search);
    addSearch(search);
    settle();
    tell("click a direction to get its slider");
  } catch (error) {
    tell(error.message, error.message !== "cancelled");
  }
  clearInterval(watching);
  isFinding = false;
  for (const id of ["cancel", "progress"]) find(id).hidden = true;
  drawMask();
  showFound();
}

async function watch() {
  const { what, part, seconds } = await ask("progress").catch(() => ({}));
  if (!what || !isFinding) return;
  if (part === null) find("progress").removeAttribute("value");
  else find("progress").value = part;
  tell(`${what} …${seconds ? ` about ${Math.ceil(seconds)} s left` : ""}`);
}

function showFound() {
  const i = latest >= 0 && latest < state.finds.length ? latest : state.finds.length - 1, search = state.finds[i];
  const rows = search ? rowsFound.get(JSON.stringify(search)) ?? [] : [];
  find("found").replaceChildren(...rows.map(({ picture, numbers, reach }, row) => {
    const button = document.createElement("button"), image = new Image(), text = document.createElement("span");
    image.src = picture;
    image.alt = "";
    text.textContent = `row ${row}, ratio ${digits(numbers[2], 1)}`;
    button.type = "button";
    button.title = words(numbers);
    button.append(image, text);
    button.addEventListener("click", () => {
      const source = `f${i}`, there = state.sliders.find(each => each.source === source && each.row === row);
      if (there) there.distance = reach / 4;
      else state.sliders.push({ source, row, distance: reach / 4, layers: everyLayer() });
      settle();
      showAll();
    });
    return button;
  }));
}

// Keeping ------------------------------------------------------------------------------------------

async function keep(event) {
  event.preventDefault();
  tell("keeping …");
  try {
    const { files } = await ask("keep", { name: find("name").value, state });
    find("kept").replaceChildren(...files.map(showFile));
    tell(`kept ${files.length} files`);
  } catch (error) {
    tell(error.message, true);
  }
}

function showFile({ path, what, command }, number) {
  const item = document.createElement("li"), code = document.createElement("code");
  code.textContent = path;
  item.append(`${what}: `, code, document.createElement("br"));
  const button = (text, action) => {
    const made = document.createElement("button");
    [made.type, made.textContent] = ["button", text];
    made.addEventListener("click", () => action().catch(error => tell(error.message, true)));
    item.append(made);
  };
  button("Copy command", async () => {
    await navigator.clipboard.writeText(command).then(() => tell(`copied: ${command}`), () => tell(command));
  });
  button("Download", async () => {
    const { name, content } = await ask("file", { number }), link = document.createElement("a");
    [link.href, link.download] = [`data:application/octet-stream;base64,${content}`, name];
    link.click();
  });
  return item;
}

// Beginning ----------------------------------------------------------------------------------------

function listen() {
  const on = (id, kind, action) => find(id).addEventListener(kind, action);
  on("previous", "click", () => goTo({ number: state.face.number - 1 }));
  on("next", "click", () => goTo({ number: state.face.number + 1 }));
  on("random", "click", () => goTo(info.codes === null ? { seed: Math.floor(Math.random() * 10000), number: 0 } : { number: Math.floor(Math.random() * info.codes) }));
  on("seed", "change", () => goTo({ seed: Math.min(Math.max(Math.trunc(find("seed").valueAsNumber) || 0, 0), 2 ** 32 - 1) }));
  on("number", "change", () => goTo({ number: find("number").valueAsNumber }));
  on("class", "change", () => goTo({ label: Number(find("class").value) }));
  on("undo", "click", () => step(done, undone));
  on("redo", "click", () => step(undone, done));
  on("zero", "click", () => { state.sliders.forEach(each => { each.distance = 0; }); settle(); showAll(); });
  on("add", "change", () => {
    const [i, row] = find("add").value.split(" ").map(Number);
    addFile(i, row);
    find("add").value = "";
    settle();
    showAll();
  });
  on("region", "change", () => { if (find("region").value) setRegion(find("region").value); });
  on("invert", "click", () => { mask = mask.map(inside => 1 - inside); setRegion(""); });
  on("clear", "click", () => { mask.fill(0); setRegion(""); });
  on("find", "click", findDirections);
  on("cancel", "click", () => ask("cancel").catch(() => {}));
  on("keep", "submit", keep);
  on("show-heat", "change", () => {
    find("heat").hidden = !find("show-heat").checked;
    document.body.classList.toggle("show-heat", find("show-heat").checked);
  });
  for (const kind of ["pointerdown", "pointerup", "pointerleave", "pointercancel"]) on("hold", kind, () => hold(kind === "pointerdown"));
  on("hold", "keydown", event => { if (event.key === " " || event.key === "Enter") hold(true); });
  on("hold", "keyup", () => hold(false));
  for (const radio of document.querySelectorAll("[name=tool]")) radio.addEventListener("change", () => { find("picture").dataset.tool = tool(); });
  document.addEventListener("keydown", event => {
    if (!(event.ctrlKey || event.metaKey) || event.target.matches("input[type=number], input:not([type])")) return;
    const key = event.key.toLowerCase(), forward = key === "y" || (key === "z" && event.shiftKey);
    if (key !== "z" && key !== "y") return;
    event.preventDefault();
    forward ? step(undone, done) : step(done, undone);
  });
  addEventListener("hashchange", readAddress);
}

async function begin() {
  try {
    info = await ask("start");
  } catch (error) {
    return tell(error.message, true);
  }
  document.title = document.querySelector("h1").textContent = `${info.network}, live`;
  find("picture").style.aspectRatio = `${info.size[1]} / ${info.size[0]}`;
  find("picture").dataset.tool = tool();
  [canvas.height, canvas.width] = info.mask_size;
  mask = new Uint8Array(canvas.height * canvas.width);
  find("seed-label").hidden = info.codes !== null;
  find("class-label").hidden = !info.classes.length;
  info.classes.forEach((name, i) => find("class").add(new Option(name, i)));
  for (const name of Object.keys(info.regions)) find("region").add(new Option(name.replaceAll("_", " "), name));
  info.directions.forEach(({ titles }, i) => titles.forEach((title, row) => find("add").add(new Option(title, `${i} ${row}`))));
  find("lamb").value = Number(info.lamb.toPrecision(3));
  listen();
  await readAddress();
  fillStrip();
}

begin();
