"use strict";
// The replay page: one time slider moves every field and every panel. What is shown is a function of `now` alone.

const data = JSON.parse(document.getElementById("data").textContent);
const $ = (id) => document.getElementById(id);
const ROLE_COLOR = { teacher: "#0072b2", student: "#d55e00" };
const INK = "#1a1a1a", SOFT = "#5f5f5f", GROUND = "#f1eee6", WALL = "#a7a39a", OUTSIDE = "#ffffff", GRASS = "#dce8d2", BACK = "#3a3a3a";

// An array as Python packed it: 16-bit integers, row by row.
function unpack(packed) {
  if (packed === null) return null;
  const bytes = Uint8Array.from(atob(packed.data), (c) => c.charCodeAt(0));
  const whole = new Int16Array(bytes.buffer);
  const strides = packed.shape.map((_, k) => packed.shape.slice(k + 1).reduce((a, b) => a * b, 1));
  const at = (...index) => whole[index.reduce((sum, i, k) => sum + i * strides[k], 0)] * packed.scale;
  return { shape: packed.shape, at };
}
const unpackAll = (group) => group && Object.fromEntries(Object.entries(group).map(([k, v]) => [k, unpack(v)]));

const plays = data.plays.map((play) => ({
  ...play,
  taken: unpack(play.taken),
  available: unpack(play.available),
  reward: unpack(play.reward),
  units: unpackAll(play.units),
  minds: play.minds.map((mind) => ({
    ...mind, values: unpack(mind.values), mean: unpack(mind.mean), sigma: unpack(mind.sigma), sampled: unpack(mind.sampled),
  })),
}));
const agents = plays[0].taken.shape[1];
const steps = Math.max(...plays.map((play) => play.taken.shape[0]));
const lengthOf = (play) => play.taken.shape[0];

const now = { time: 0, agent: 0, play: 0, playing: false };  // time in steps; between two of them while it plays

// ---------------------------------------------------------------- fields

const fields = [];

function buildFields() {
  for (const play of plays) {
    const figure = document.createElement("figure");
    const caption = document.createElement("figcaption");
    const name = document.createElement("span");
    const swatch = document.createElement("span");
    swatch.className = "swatch";
    swatch.style.background = ROLE_COLOR[play.role];
    const bold = document.createElement("b");
    bold.textContent = play.title;
    name.append(swatch, bold, ` ${play.ending}, return ${play.total.toFixed(2)}`);
    const count = document.createElement("span");
    count.className = "count";
    caption.append(name, count);
    figure.append(caption);
    const field = { play, count, canvas: null, health: null, scale: 1 };
    if (play.units && data.field) {
      field.canvas = document.createElement("canvas");
      field.canvas.className = "field";
      field.canvas.addEventListener("click", (event) => chooseNear(field, event.offsetX, event.offsetY));
      figure.append(field.canvas);
      if (data.looks.some((look) => look.max_health > 0)) {
        field.health = document.createElement("canvas");
        figure.append(field.health);
      }
    }
    $("fields").append(figure);
    fields.push(field);
  }
}

// Sizes a canvas in CSS pixels for this screen and gives its cleared context.
function prepared(canvas, height) {
  const ratio = window.devicePixelRatio || 1;
  const width = canvas.clientWidth || canvas.parentElement.clientWidth;
  const size = [Math.round(width * ratio), Math.round(height * ratio)];
  if (canvas.width !== size[0] || canvas.height !== size[1]) {
    [canvas.width, canvas.height] = size;
    canvas.style.height = `${height}px`;
  }
  const context = canvas.getContext("2d");
  context.setTransform(ratio, 0, 0, ratio, 0, 0);
  context.clearRect(0, 0, width, height);
  return [context, width, height];
}

// Where a unit is at a moment: between two views on the straight line between them.
function placeOf(play, unit, time) {
  const t = Math.min(time, lengthOf(play));
  const before = Math.floor(t), after = Math.min(before + 1, lengthOf(play)), share = t - before;
  const between = (array) => array.at(before, unit) * (1 - share) + array.at(after, unit) * share;
  return { x: between(play.units.x), y: between(play.units.y) };
}

const viewOf = (play) => Math.min(Math.floor(now.time), lengthOf(play));
const pixel = (field, place) => {
  const [west, , , north] = data.field.part;
  return [field.left + (place.x - west) * field.scale, (north - place.y) * field.scale];  // north is up
};

function drawField(field) {
  const play = field.play, units = play.units, view = viewOf(play);
  const sides = [0, 1].map((side) => data.looks.filter((look, u) => look.side === side && units && units.alive.at(view, u)).length);
  const over = now.time >= lengthOf(play) ? `, ${play.ending}` : "";
  field.count.textContent = field.health ? `${sides[0]} allies, ${sides[1]} enemies${over}` : `step ${view}${over}`;
  if (!field.canvas) return;
  const [west, east, south, north] = data.field.part;
  const width = field.canvas.clientWidth;
  const height = Math.min(width * (north - south) / (east - west), Math.max(300, 0.62 * window.innerHeight));
  const [c] = prepared(field.canvas, height);
  field.scale = Math.min(width / (east - west), height / (north - south));
  field.left = (width - (east - west) * field.scale) / 2;
  drawGround(c, field, width, height);
  if ($("paths").checked) drawPaths(c, field);
  drawSight(c, field);
  drawUnits(c, field, view);
  if (field.health) drawHealth(field);
}

function drawGround(c, field, width, height) {
  const floor = data.field.floor;
  c.fillStyle = floor ? OUTSIDE : GRASS;
  c.fillRect(0, 0, width, height);
  if (floor) {
    c.fillStyle = WALL;
    c.fillRect(...pixel(field, { x: 0, y: floor.length }), floor[0].length * field.scale, floor.length * field.scale);
    c.fillStyle = GROUND;
    floor.forEach((row, y) => {
      for (let x = 0; x < row.length; x += 1) {
        if (row[x] !== "1") continue;
        const [left, top] = pixel(field, { x, y: y + 1 });
        c.fillRect(left - 0.3, top - 0.3, field.scale + 0.6, field.scale + 0.6);
      }
    });
  }
  c.strokeStyle = "#ffffff";
  c.lineWidth = 2;
  for (const [x0, y0, x1, y1] of data.field.lines) {
    c.beginPath();
    c.moveTo(...pixel(field, { x: x0, y: y0 }));
    c.lineTo(...pixel(field, { x: x1, y: y1 }));
    c.stroke();
  }
}

function drawPaths(c, field) {
  const { play } = field, end = Math.min(now.time, lengthOf(play));
  c.lineWidth = 1.5;
  c.globalAlpha = 0.55;
  data.looks.forEach((look, unit) => {
    c.strokeStyle = data.colors[look.side][1];
    c.beginPath();
    for (let t = 0; t <= end; t += 1) {
      if (!play.units.alive.at(t, unit)) break;
      const [x, y] = pixel(field, placeOf(play, unit, t));
      if (t === 0) c.moveTo(x, y); else c.lineTo(x, y);
    }
    c.stroke();
  });
  c.globalAlpha = 1;
}

function drawSight(c, field) {
  const { play } = field;
  if (!$("sight").checked || play.sight === null || !play.units.alive.at(viewOf(play), now.agent)) return;
  const [x, y] = pixel(field, placeOf(play, now.agent, now.time));
  c.beginPath();
  c.arc(x, y, play.sight * field.scale, 0, 2 * Math.PI);
  c.fillStyle = "rgba(255, 255, 255, 0.35)";
  c.fill();
  c.setLineDash([6, 4]);
  c.strokeStyle = INK;
  c.lineWidth = 1.2;
  c.stroke();
  c.setLineDash([]);
}

function drawUnits(c, field, view) {
  const { play } = field, { units } = play;
  const living = (unit) => units.alive.at(view, unit) === 1;
  data.looks.forEach((look, unit) => {
    if (living(unit)) return;
    let last = view;
    while (last > 0 && !units.alive.at(last, unit)) last -= 1;
    const [x, y] = pixel(field, { x: units.x.at(last, unit), y: units.y.at(last, unit) });
    const r = 0.22 * field.scale;
    c.strokeStyle = data.colors[look.side][0];
    c.lineWidth = Math.max(1.5, 0.08 * field.scale);
    c.beginPath();
    c.moveTo(x - r, y - r); c.lineTo(x + r, y + r); c.moveTo(x - r, y + r); c.lineTo(x + r, y - r);
    c.stroke();
  });
  // While it plays, what happens on the way to the next view; when it stands, what led to this one.
  const during = now.time > view ? view : view - 1;
  if ($("hits").checked && during >= 0 && now.time <= lengthOf(play)) {
    for (let h = 0; h < units.hits.shape[0]; h += 1) {
      if (units.hits.at(h, 0) !== during) continue;
      const [unit, target] = [units.hits.at(h, 1), units.hits.at(h, 2)], side = data.looks[unit].side;
      const friendly = data.looks[target].side === side;
      c.strokeStyle = friendly ? "#117733" : data.colors[side][1];
      c.setLineDash(friendly ? [4, 3] : []);
      c.lineWidth = Math.max(1.5, 0.06 * field.scale);
      c.beginPath();
      c.moveTo(...pixel(field, placeOf(play, unit, now.time)));
      c.lineTo(...pixel(field, placeOf(play, target, now.time)));
      c.stroke();
    }
    c.setLineDash([]);
  }
  data.looks.forEach((look, unit) => {
    if (living(unit)) drawBody(c, field, look, unit);
  });
  data.looks.forEach((look, unit) => {  // bars above all bodies: a crowd hides none
    if (living(unit)) drawBars(c, field, look, unit, view);
  });
}

function drawBody(c, field, look, unit) {
  const [fill, rim, letter] = data.colors[look.side];
  const [x, y] = pixel(field, placeOf(field.play, unit, now.time));
  const r = Math.max(3, look.radius * field.scale);
  c.beginPath();
  c.arc(x, y, r, 0, 2 * Math.PI);
  c.fillStyle = fill;
  c.fill();
  c.strokeStyle = unit === now.agent && look.side === 0 ? "#f5c400" : rim;
  c.lineWidth = unit === now.agent && look.side === 0 ? Math.max(3, 0.36 * r) : Math.max(1, 0.16 * r);
  c.stroke();
  const text = unit < agents ? String(unit) : look.name[0].toUpperCase();  // agents by number, others by kind
  if (look.side > 1) return;
  c.fillStyle = letter;
  c.font = `600 ${Math.max(9, Math.round(1.15 * r))}px system-ui, sans-serif`;
  c.textAlign = "center";
  c.textBaseline = "middle";
  c.fillText(text, x, y + 0.5);
}

function drawBars(c, field, look, unit, view) {
  const { units } = field.play;
  const [x, y] = pixel(field, placeOf(field.play, unit, now.time));
  const half = Math.max(look.radius, 0.4) * field.scale, height = Math.max(3, 0.17 * field.scale);
  let bottom = y - half - 0.08 * field.scale;
  const shares = [[units.health, look.max_health], [units.shield, look.max_shield]];
  shares.forEach(([array, largest], k) => {
    if (largest <= 0) return;
    const share = Math.max(0, Math.min(1, array.at(view, unit) / largest));
    c.fillStyle = BACK;
    c.fillRect(x - half, bottom - height, 2 * half, height);
    c.fillStyle = data.bars[k];
    c.fillRect(x - half + 0.7, bottom - height + 0.7, share * (2 * half - 1.4), height - 1.4);
    bottom -= height + 0.8;
  });
}

// How much health and shield each side has left, over time.
function drawHealth(field) {
  const { play } = field, { units } = play;
  const [c, width] = prepared(field.health, 46);
  const left = 4, right = width - 4, top = 14, bottom = 42;
  const x = (t) => left + (right - left) * t / steps;
  c.fillStyle = SOFT;
  c.font = "11px system-ui, sans-serif";
  c.textAlign = "left";
  c.textBaseline = "alphabetic";
  c.fillText("health and shield left: allies (blue), enemies (red, dashed)", left, 10);
  for (const side of [0, 1]) {
    const members = data.looks.map((look, u) => [look, u]).filter(([look]) => look.side === side);
    const most = members.reduce((sum, [look]) => sum + look.max_health + look.max_shield, 0);
    c.strokeStyle = side === 0 ? "#3d9bd9" : data.colors[1][0];
    c.setLineDash(side === 0 ? [] : [5, 3]);
    c.lineWidth = 1.8;
    c.beginPath();
    for (let t = 0; t <= lengthOf(play); t += 1) {
      const sum = members.reduce((all, [, u]) => all + (units.alive.at(t, u) ? units.health.at(t, u) + units.shield.at(t, u) : 0), 0);
      const y = bottom - (bottom - top) * sum / most;
      if (t === 0) c.moveTo(x(t), y); else c.lineTo(x(t), y);
    }
    c.stroke();
    c.setLineDash([]);
  }
  cursor(c, x(Math.min(now.time, lengthOf(play))), top - 2, bottom + 2);
}

function cursor(c, x, top, bottom) {
  c.strokeStyle = INK;
  c.lineWidth = 1;
  c.beginPath();
  c.moveTo(x, top);
  c.lineTo(x, bottom);
  c.stroke();
}

function chooseNear(field, px, py) {
  let best = null, least = 30;  // pixels
  for (let unit = 0; unit < agents; unit += 1) {
    const [x, y] = pixel(field, placeOf(field.play, unit, now.time));
    const away = Math.hypot(x - px, y - py);
    if (away < least) { least = away; best = unit; }
  }
  now.play = plays.indexOf(field.play);
  if (best !== null) now.agent = best;
  render();
}

// ---------------------------------------------------------------- action values

const stepOf = (play) => Math.min(Math.floor(now.time), lengthOf(play) - 1);

function drawValues() {
  const play = plays[now.play], step = stepOf(play), agent = now.agent;
  const what = data.head === "logits" ? "Logits" : "Action values";
  $("values-title").textContent = `${what} of agent ${agent} at step ${step}, ${play.title}'s episode`;
  const box = $("values");
  box.replaceChildren();
  const open = data.actions.map((_, a) => play.available.at(step, agent, a) === 1);
  const taken = play.taken.at(step, agent);
  const head = document.createElement("div");
  head.className = "head";
  for (const mind of play.minds) {
    const swatch = document.createElement("span");
    swatch.className = "swatch";
    swatch.style.background = ROLE_COLOR[mind.role];
    const does = mind.role === play.role ? "plays" : "looks on";
    head.append(swatch, `${mind.name} ${does}, ${mind.role === play.role ? "● taken" : "○ what it would take"}. `);
  }
  box.append(head);
  const numbers = play.minds.map((mind) => data.actions.map((_, a) => mind.values.at(step, agent, a)));
  const shown = numbers.flatMap((of) => of.filter((_, a) => open[a]));
  const low = Math.min(...shown), high = Math.max(...shown);
  data.actions.forEach((name, action) => {
    const label = document.createElement("div");
    label.className = open[action] ? "action" : "action closed";
    label.textContent = targetName(name);
    const bars = document.createElement("div");
    bars.className = open[action] ? "bars" : "bars closed";
    play.minds.forEach((mind, k) => {
      const bar = document.createElement("div");
      bar.className = "bar";
      const line = document.createElement("i");
      line.style.background = ROLE_COLOR[mind.role];
      line.style.width = `${4 + 60 * (numbers[k][action] - low) / Math.max(high - low, 1e-9)}%`;
      const value = document.createElement("span");
      const best = open[action] && numbers[k][action] === Math.max(...numbers[k].filter((_, a) => open[a]));
      const sign = mind.role === play.role ? (action === taken ? " ●" : "") : best ? " ○" : "";
      value.textContent = numbers[k][action].toFixed(2) + sign;
      if (sign) value.style.fontWeight = "700";
      bar.append(line, value);
      bars.append(bar);
    });
    box.append(label, bars);
  });
}

// "attack enemy_3" names the third enemy; its kind says more.
function targetName(name) {
  const found = /^attack enemy_(\d+)$/.exec(name);
  const enemies = data.looks.filter((look) => look.side === 1);
  return found && enemies.length ? `attack ${enemies[Number(found[1])].name} ${found[1]}` : name;
}

// ---------------------------------------------------------------- z

// Blue is below zero, orange above, white is zero: told apart by everyone.
function diverging(share) {
  const s = Math.max(-1, Math.min(1, share));
  const [r, g, b] = s < 0 ? [5, 85, 160] : [205, 85, 0];
  const mix = (part) => Math.round(255 + (part - 255) * Math.abs(s));
  return `rgb(${mix(r)}, ${mix(g)}, ${mix(b)})`;
}

function zOf(play, agent) {
  const of = (role) => play.minds.find((mind) => mind.role === role && mind.mean !== null);
  const teacher = of("teacher"), student = of("student");
  const rows = [];
  if (teacher) rows.push({ name: teacher.name, short: "teacher", at: (t, z) => teacher.mean.at(t, agent, z) });
  if (student) rows.push({ name: student.name, short: "student", at: (t, z) => student.mean.at(t, agent, z) });
  if (teacher && student) {
    rows.push({ name: "difference", short: "difference", at: (t, z) => student.mean.at(t, agent, z) - teacher.mean.at(t, agent, z) });
  }
  return { teacher, student, rows };
}

let scaleOf = new Map();  // largest |z| of a play's agent, so that colours mean the same at all times
function largestZ(rows, play, size) {
  const key = `${now.play} ${now.agent}`;
  if (!scaleOf.has(key)) {
    let most = 1e-9;
    for (const row of rows.slice(0, 2)) for (let t = 0; t < lengthOf(play); t += 1) for (let z = 0; z < size; z += 1) most = Math.max(most, Math.abs(row.at(t, z)));
    scaleOf.set(key, most);
  }
  return scaleOf.get(key);
}

function drawZ() {
  const play = plays[now.play], step = stepOf(play);
  const { teacher, student, rows } = zOf(play, now.agent);
  $("z-panel").hidden = false;
  if (!rows.length) {
    $("z-title").textContent = "No z: these agents are told nothing but what they see.";
    for (const id of ["z-now", "z-time", "gap"]) $(id).hidden = true;
    document.querySelectorAll("#z-panel h2:not(#z-title)").forEach((h) => { h.hidden = true; });
    return;
  }
  const size = (teacher || student).mean.shape[2];
  const most = largestZ(rows, play, size);
  $("z-title").textContent = `z of agent ${now.agent} at step ${step}: ${size} components, colours from −${most.toFixed(1)} (blue) to ${most.toFixed(1)} (orange)`;
  drawZNow(rows, step, size, most);
  drawZTime(rows, play, step, size, most);
  drawGap(play, step, size, teacher, student);
}

function drawZNow(rows, step, size, most) {
  const rowHeight = 24, left = 78;
  const [c, width] = prepared($("z-now"), rows.length * rowHeight);
  const cell = (width - left) / size;
  c.font = "12px system-ui, sans-serif";
  c.textBaseline = "middle";
  rows.forEach((row, k) => {
    c.fillStyle = INK;
    c.textAlign = "left";
    c.fillText(row.short, 0, k * rowHeight + 11);
    for (let z = 0; z < size; z += 1) {
      c.fillStyle = diverging(row.at(step, z) / most);
      c.fillRect(left + z * cell, k * rowHeight + 1, Math.max(cell - 0.6, 0.8), rowHeight - 4);
    }
    c.strokeStyle = "#c9c5ba";
    c.lineWidth = 0.6;
    c.strokeRect(left, k * rowHeight + 1, width - left, rowHeight - 4);
  });
}

// Each heat map is painted once per agent and play; only the cursor moves.
const painted = new Map();
function heatMap(row, play, size, most) {
  const key = `${now.play} ${now.agent} ${row.short}`;
  if (!painted.has(key)) {
    const map = document.createElement("canvas");
    [map.width, map.height] = [lengthOf(play), size];
    const c = map.getContext("2d");
    for (let t = 0; t < lengthOf(play); t += 1) {
      for (let z = 0; z < size; z += 1) {
        c.fillStyle = diverging(row.at(t, z) / most);
        c.fillRect(t, z, 1, 1);
      }
    }
    painted.set(key, map);
  }
  return painted.get(key);
}

function drawZTime(rows, play, step, size, most) {
  const height = 132, top = 16, gap = 12;
  const [c, width] = prepared($("z-time"), height);
  const wide = (width - gap * (rows.length - 1)) / rows.length;
  c.imageSmoothingEnabled = false;
  rows.forEach((row, k) => {
    const left = k * (wide + gap);
    c.fillStyle = INK;
    c.font = "12px system-ui, sans-serif";
    c.textAlign = "left";
    c.textBaseline = "alphabetic";
    c.fillText(row.name, left, 11, wide);
    c.drawImage(heatMap(row, play, size, most), left, top, wide, height - top - 2);
    c.strokeStyle = "#c9c5ba";
    c.lineWidth = 0.6;
    c.strokeRect(left, top, wide, height - top - 2);
    cursor(c, left + wide * (step + 0.5) / lengthOf(play), top, height - 2);
  });
}

function drawGap(play, step, size, teacher, student) {
  const both = teacher && student;
  $("gap").hidden = $("gap-title").hidden = !teacher;
  $("z-note").textContent = both
    ? "The teacher's z is the mean of its Gaussian in the states of this episode, the student's its prediction from the agent's own view in the same states."
    : teacher ? "There is no student of this teacher in the run: nothing to compare its z with." : "The student's teacher is not in the run: nothing to compare its z with.";
  if (!teacher) return;
  const rms = (of) => Array.from({ length: lengthOf(play) }, (_, t) => {
    let sum = 0;
    for (let z = 0; z < size; z += 1) sum += of(t, z) ** 2;
    return Math.sqrt(sum / size);
  });
  const agent = now.agent;
  const lines = [{ name: "teacher's z", color: ROLE_COLOR.teacher, dash: [], of: rms((t, z) => teacher.mean.at(t, agent, z)) }];
  if (both) lines.push({ name: "difference", color: "#cc0055", dash: [], of: rms((t, z) => student.mean.at(t, agent, z) - teacher.mean.at(t, agent, z)) });
  if (teacher.sigma) lines.push({ name: "teacher's σ", color: SOFT, dash: [4, 3], of: rms((t, z) => teacher.sigma.at(t, agent, z)) });
  $("gap-title").textContent = "Size over time (root mean square over components)";
  const height = 110, left = 34, top = 18, bottom = height - 18;
  const [c, width] = prepared($("gap"), height);
  const most = Math.max(...lines.flatMap((line) => line.of), 1e-9);
  const x = (t) => left + (width - left - 4) * (t + 0.5) / lengthOf(play), y = (v) => bottom - (bottom - top) * v / most;
  c.font = "11px system-ui, sans-serif";
  c.fillStyle = SOFT;
  c.textAlign = "right";
  c.textBaseline = "middle";
  for (const v of [0, most / 2, most]) {
    c.fillText(v.toPrecision(2), left - 4, y(v));
    c.strokeStyle = "#e6e3da";
    c.lineWidth = 1;
    c.beginPath();
    c.moveTo(left, y(v));
    c.lineTo(width - 4, y(v));
    c.stroke();
  }
  c.textBaseline = "alphabetic";
  c.textAlign = "left";
  c.fillText("0", x(0), height - 4);
  c.textAlign = "right";
  c.fillText(`step ${lengthOf(play) - 1}`, width - 4, height - 4);
  let at = left;
  c.textAlign = "left";
  const numbered = width > 380;  // a narrow legend has room for the names alone
  for (const line of lines) {
    c.setLineDash(line.dash);
    c.strokeStyle = line.color;
    c.lineWidth = 1.8;
    c.beginPath();
    line.of.forEach((v, t) => (t === 0 ? c.moveTo(x(t), y(v)) : c.lineTo(x(t), y(v))));
    c.stroke();
    c.beginPath();
    c.moveTo(at, 7);
    c.lineTo(at + 18, 7);
    c.stroke();
    c.setLineDash([]);
    c.fillStyle = INK;
    const text = numbered ? `${line.name} ${line.of[step].toPrecision(2)}` : line.name;
    c.fillText(text, at + 22, 11);
    at += 36 + c.measureText(text).width;
  }
  cursor(c, x(step), top, bottom);
}

// ---------------------------------------------------------------- words and buttons

function buildChoices() {
  for (let agent = 0; agent < agents; agent += 1) {
    const button = document.createElement("button");
    const look = data.looks[agent];
    button.textContent = look && look.max_health > 0 ? `${agent} ${look.name}` : String(agent);
    button.addEventListener("click", () => { now.agent = agent; render(); });
    $("agents").append(button);
  }
  if (plays.length > 1) {
    plays.forEach((play, k) => {
      const button = document.createElement("button");
      button.textContent = `in ${play.title}'s episode`;
      button.addEventListener("click", () => { now.play = k; render(); });
      $("episodes").append(button);
    });
  }
}

function drawChoices() {
  const play = plays[now.play], view = viewOf(play);
  [...$("agents").children].forEach((button, agent) => {
    button.setAttribute("aria-pressed", String(agent === now.agent));
    button.classList.toggle("dead", Boolean(play.units) && !play.units.alive.at(view, agent));
  });
  [...$("episodes").children].forEach((button, k) => button.setAttribute("aria-pressed", String(k === now.play)));
}

function words() {
  $("title").textContent = `${plays.map((play) => play.title).join(" and ")} on ${data.place}`;
  const parting = data.parting;
  let facts = `One episode, seed ${plays[0].seed}.`;
  if (parting) {
    facts = `Both from the same start, seed ${plays[0].seed}. `;
    if (parting.step === null) facts += "They are the same to the end.";
    else if (parting.agents.length) facts += `They part at step ${parting.step}, where agent${parting.agents.length > 1 ? "s" : ""} ${parting.agents.join(", ")} act${parting.agents.length > 1 ? "" : "s"} otherwise (red mark).`;
    else facts += `They are the same until one ends at step ${parting.step}.`;
  }
  $("facts").textContent = facts;
  $("slider").max = String(steps);
  document.querySelectorAll(".drawn").forEach((label) => { label.hidden = !data.field; });
  $("sight-label").hidden = !data.field || plays.every((play) => play.sight === null);
  if (parting && parting.step !== null) {
    $("part").hidden = false;
    $("part").textContent = `part: ${parting.step}`;
    $("mark").hidden = false;
  }
}

function placeMark() {
  if ($("mark").hidden) return;
  const thumb = 16;  // pixels: the slider's ends are half of its thumb inside
  const width = $("slider").clientWidth;
  $("mark").style.left = `${thumb / 2 + (width - thumb) * data.parting.step / steps - 1}px`;
}

function render() {
  $("slider").value = String(Math.floor(now.time));
  $("step").textContent = `step ${Math.floor(now.time)} of ${steps}`;
  $("play").textContent = now.playing ? "❚❚ pause" : "▶ play";
  placeMark();
  fields.forEach(drawField);
  drawChoices();
  drawValues();
  drawZ();
}

function go(time) {
  now.time = Math.max(0, Math.min(steps, time));
  render();
}

let last = 0;
function tick(stamp) {
  if (!now.playing) return;
  now.time = Math.min(steps, now.time + Number($("speed").value) * Math.min(stamp - last, 200) / 1000);
  last = stamp;
  if (now.time >= steps) now.playing = false;
  render();
  if (now.playing) requestAnimationFrame(tick);
}

function playOrPause() {
  if (!now.playing && now.time >= steps) now.time = 0;
  now.playing = !now.playing;
  if (!now.playing) now.time = Math.floor(now.time);
  last = performance.now();
  render();
  if (now.playing) requestAnimationFrame(tick);
}

function stand(time) {
  now.playing = false;
  go(time);
}

$("slider").addEventListener("input", () => stand(Number($("slider").value)));
$("first").addEventListener("click", () => stand(0));
$("back").addEventListener("click", () => stand(Math.ceil(now.time) - 1));
$("forward").addEventListener("click", () => stand(Math.floor(now.time) + 1));
$("part").addEventListener("click", () => stand(data.parting.step));
$("play").addEventListener("click", playOrPause);
for (const id of ["hits", "paths", "sight"]) $(id).addEventListener("change", render);
window.addEventListener("resize", render);
document.addEventListener("keydown", (event) => {
  if (event.target.matches("select") || event.ctrlKey || event.metaKey || event.altKey) return;
  const keys = {
    " ": () => { if (!event.target.matches("button, input")) { event.preventDefault(); playOrPause(); } },
    ArrowLeft: () => { if (event.target !== $("slider")) stand(Math.ceil(now.time) - 1); },
    ArrowRight: () => { if (event.target !== $("slider")) stand(Math.floor(now.time) + 1); },
    Home: () => stand(0),
    End: () => stand(steps),
    p: () => { if (data.parting && data.parting.step !== null) stand(data.parting.step); },
  };
  if (keys[event.key]) keys[event.key]();
});

// Where a unit is drawn, in CSS pixels of its canvas: for whoever drives the page.
window.placeOnPage = (play, unit) => pixel(fields[play], placeOf(plays[play], unit, now.time));

// What an address ends in: play.html#step=12&agent=1&play=0
function readAddress() {
  const asked = new URLSearchParams(location.hash.slice(1));
  const number = (name, limit) => Math.max(0, Math.min(limit, Math.floor(Number(asked.get(name))) || 0));
  now.agent = number("agent", agents - 1);
  now.play = number("play", plays.length - 1);
  stand(number("step", steps));
}
window.addEventListener("hashchange", readAddress);

buildFields();
buildChoices();
words();
readAddress();
