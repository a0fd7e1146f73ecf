import { button, element, figure, onceAFrame, soon, span, widgetRoot } from "../../classroom/widget.js";
import {
  chart, disc, drawStill, numbersOf, onLookChange, plane, sharpContext, themeColours, voronoiCells,
} from "../../classroom/canvas.js";

// Squared distances in double precision, the first of equals wins: as vqlab.nearest_code.
function nearestCode(points, codes) {
  const indices = new Int32Array(points.length / 2);
  for (let n = 0; n < indices.length; n += 1) {
    let best = Infinity;
    for (let k = 0; k < codes.length / 2; k += 1) {
      const dx = points[2 * n] - codes[2 * k];
      const dy = points[2 * n + 1] - codes[2 * k + 1];
      const distance = dx * dx + dy * dy;
      if (distance < best) {
        best = distance;
        indices[n] = k;
      }
    }
  }
  return indices;
}

function distortion(points, codes, indices) {
  let sum = 0;
  indices.forEach((k, n) => {
    sum += (points[2 * n] - codes[2 * k]) ** 2 + (points[2 * n + 1] - codes[2 * k + 1]) ** 2;
  });
  return sum / indices.length;
}

function countCodes(indices, number) {
  const counts = new Array(number).fill(0);
  for (const k of indices) counts[k] += 1;
  return counts;
}

// Each code to the mean of its points; one without points stays.
function lloydStep(points, codes, indices) {
  const counts = countCodes(indices, codes.length / 2);
  const sums = new Float64Array(codes.length);
  indices.forEach((k, n) => {
    sums[2 * k] += points[2 * n];
    sums[2 * k + 1] += points[2 * n + 1];
  });
  return codes.map((old, i) => (counts[i >> 1] ? sums[i] / counts[i >> 1] : old));
}

/** @type {(rgb: number[] | Uint8Array, alpha?: number) => string} */
const css = ([r, g, b], alpha = 1) => `rgba(${r}, ${g}, ${b}, ${alpha})`;
const inkOn = ([r, g, b]) => (r + g + b > 382 ? "#000000" : "#ffffff");

/** @param {import("../../classroom/widget.js").Props} props */
function render({ model, el }) {
  const { low, high, mean, axes, starts, lloyd, goal, alt } = model.get("setup");
  const points = numbersOf(model.get("points"), Float32Array);
  const bytes = numbersOf(model.get("colours"), Uint8Array);
  const colours = Array.from({ length: bytes.length / 3 }, (_, n) => css(bytes.subarray(3 * n, 3 * n + 3)));
  let codes = Float32Array.from(model.get("codes").flat());
  const number = codes.length / 2;
  let start = 0;
  let history = []; // of Lloyd's algorithm: the distortion after each step
  let trails = []; // where the codes were at each step
  let replaced = false;
  let running = 0; // a timer, while Lloyd's algorithm plays

  const root = widgetRoot(el);
  const { box, canvas, handle, open } = plane(low, high, alt);
  box.classList.add("vq-wide");
  canvas.style.aspectRatio = String((high[0] - low[0]) / (high[1] - low[1]));
  const toggle = element("input", { type: "checkbox" });
  const value = element("output", { class: "vq-distortion" });
  const goalText = goal ? [element("span", {}, ["k 均值：", "k-means:"], ` ${goal.toFixed(4)}`)] : [];
  const status = element("span", { role: "status" });
  const bars = element("canvas", { role: "img", "aria-label": "每个码字分到的点数 points of each code" });
  const curve = element("canvas", { role: "img", "aria-label": "失真随 Lloyd 步数变化 distortion after each Lloyd step" });
  const colourAt = (k) => axes.map((row, c) => Math.round((Math.min(1, Math.max(-1,
    mean[c] + row[0] * codes[2 * k] + row[1] * codes[2 * k + 1])) + 1) * 127.5));
  /** @type {(k: number) => import("../../classroom/canvas.js").Point} */
  const codeAt = (k) => [codes[2 * k], codes[2 * k + 1]];
  const grips = Array.from({ length: number }, (_, k) => handle(
    [`码字 ${k}，用方向键移动`, `code ${k}, move it with the arrow keys`], codeAt(k), ([x, y]) => {
      forget();
      pending ||= -1;
      [codes[2 * k], codes[2 * k + 1]] = [x, y];
      redraw();
    }, { step: 0.03, fine: 0.005, settle: () => tell(), look: "vq-code" }));

  const draw = () => {
    const indices = nearestCode(points, codes);
    const now = distortion(points, codes, indices);
    const palette = Array.from({ length: number }, (_, k) => colourAt(k));
    drawPlane(canvas, open(), { points, codes, indices, colours, palette, trails, replaced, low, high });
    root.dataset.distortion = String(now);
    write();
  };
  const write = soon(() => {
    const indices = nearestCode(points, codes);
    const counts = countCodes(indices, number);
    const now = distortion(points, codes, indices);
    value.textContent = now.toFixed(4);
    drawBars(bars, counts, Array.from({ length: number }, (_, k) => colourAt(k)));
    if (lloyd) drawHistory(curve, history.length ? history : [now]);
    grips.forEach(({ place }, k) => place(codeAt(k), `N = ${counts[k]}`));
  });
  const redraw = onceAFrame(draw);

  let pending = 0; // a timer, or -1: not told yet, nor to be overwritten
  const tell = () => { // Python learns it a moment after the last move
    clearTimeout(pending);
    pending = setTimeout(() => {
      model.set("codes", grips.map((_, k) => codeAt(k)));
      model.save_changes();
      pending = 0;
    }, 100);
  };
  const halt = () => {
    clearInterval(running);
    running = 0;
  };
  const forget = () => {
    halt();
    history = [];
    trails = [];
    status.replaceChildren();
  };
  const step = () => {
    const before = nearestCode(points, codes);
    if (!history.length) {
      history = [distortion(points, codes, before)];
      trails = [codes];
    }
    const next = lloydStep(points, codes, before);
    if (next.every((x, i) => x === codes[i])) {
      halt();
      status.replaceChildren(span(`第 ${history.length - 1} 步后不再变化：已收敛`,
        `nothing moves after step ${history.length - 1}: converged`));
    } else {
      codes = next;
      history.push(distortion(points, codes, nearestCode(points, codes)));
      trails.push(codes);
      status.replaceChildren(span(`第 ${history.length - 1} 步`, `step ${history.length - 1}`));
      tell();
    }
    redraw();
  };

  toggle.addEventListener("change", () => {
    replaced = toggle.checked;
    redraw();
  });
  const buttons = [];
  if (lloyd) {
    buttons.push(button(["走一步", "One step"], () => {
      halt();
      step();
    }), button(["走到底", "Run"], () => {
      halt();
      running = setInterval(step, 250);
    }));
    if (starts.length > 1) {
      buttons.push(button(["换个起点", "Another start"], () => {
        forget();
        start = (start + 1) % starts.length;
        codes = Float32Array.from(starts[start].flat());
        redraw();
        tell();
      }));
    }
  } else {
    buttons.push(button(["回到起点", "Back to the start"], () => {
      forget();
      codes = Float32Array.from(starts[0].flat());
      redraw();
      tell();
    }));
  }
  root.append(
    box,
    element("div", { class: "vq-row" }, ...buttons, element("label", {}, toggle, ["只看码字的颜色", "Code colours only"]),
      element("span", {}, ["失真", "Distortion"], " ", value), ...goalText, status),
    element("div", { class: "vq-row" }, figure("vq-chart", ["每个码字的点数", "Points of each code"], bars),
      ...(lloyd ? [figure("vq-chart", ["失真", "Distortion"], curve)] : [])),
  );
  const told = () => {
    const theirs = Float32Array.from(model.get("codes").flat());
    if (pending === 0 && theirs.some((x, i) => x !== codes[i])) {
      codes = theirs;
      forget();
      redraw();
    }
  };
  model.on("change:codes", told);
  draw();
  const ended = onLookChange(root, redraw);
  return () => {
    halt();
    clearTimeout(pending);
    model.off("change:codes", told);
    ended();
  };
}

function drawPlane(canvas, pen, { points, codes, indices, colours, palette, trails, replaced, low, high }) {
  if (!pen) return;
  const { context, width, height, at } = pen;
  context.fillStyle = "#b4b4b4";
  context.fillRect(0, 0, width, height);
  context.lineJoin = "round";
  voronoiCells(codes, low, high).forEach((cell, k) => {
    if (!cell.length) return;
    context.beginPath();
    cell.forEach((corner) => context.lineTo(...at(corner)));
    context.closePath();
    context.fillStyle = css(palette[k], 0.55);
    context.fill();
    context.strokeStyle = "#000000";
    context.lineWidth = 1.2;
    context.stroke();
  });
  const pointAt = (n) => at([points[2 * n], points[2 * n + 1]]);
  if (!replaced) { // each point tied to its code
    context.lineWidth = 1; // wider or thinner lines take several times as long to draw
    context.strokeStyle = "rgba(0, 0, 0, 0.25)";
    context.beginPath();
    indices.forEach((k, n) => {
      context.moveTo(...pointAt(n));
      context.lineTo(...at([codes[2 * k], codes[2 * k + 1]]));
    });
    context.stroke();
  }
  const square = (layer, n, colour) => {
    const [x, y] = pointAt(n);
    layer.fillStyle = colour;
    layer.fillRect(x - 1.75, y - 1.75, 3.5, 3.5);
  };
  if (replaced) indices.forEach((k, n) => square(context, n, css(palette[k])));
  else drawStill(canvas, "points", (layer) => colours.forEach((colour, n) => square(layer, n, colour)));
  if (trails.length > 1) {
    for (const [colour, size] of [["#ffffff", 4], ["#000000", 1.8]]) {
      context.strokeStyle = colour;
      context.lineWidth = size;
      palette.forEach((_, k) => {
        context.beginPath();
        trails.forEach((codesThen) => context.lineTo(...at([codesThen[2 * k], codesThen[2 * k + 1]])));
        context.stroke();
      });
    }
  }
  context.font = "600 13px sans-serif";
  context.textAlign = "center";
  context.textBaseline = "middle";
  palette.forEach((colour, k) => { // drawn here: moving an element with each picture would take longer than all of this
    const [x, y] = at([codes[2 * k], codes[2 * k + 1]]);
    disc(context, x, y, 14.5, "#000000");
    disc(context, x, y, 13, "#ffffff");
    disc(context, x, y, 11, css(colour));
    context.fillStyle = inkOn(colour);
    context.fillText(String(k), x, y);
  });
}

function drawBars(canvas, counts, palette) {
  const { context, width, height } = sharpContext(canvas);
  if (!width) return;
  const theme = themeColours(canvas);
  const most = Math.max(...counts, 1);
  const each = Math.min(60, width / counts.length);
  context.font = "12px sans-serif";
  context.textAlign = "center";
  counts.forEach((count, k) => {
    const tall = (count / most) * (height - 38);
    const [x, y] = [k * each + 3, height - 18 - tall];
    context.fillStyle = css(palette[k]);
    context.fillRect(x, y, each - 6, tall);
    context.strokeStyle = theme.text;
    context.strokeRect(x, y, each - 6, tall);
    context.fillStyle = theme.text;
    context.fillText(String(count), x + each / 2 - 3, y - 4);
    context.fillText(String(k), x + each / 2 - 3, height - 4);
  });
}

function drawHistory(canvas, values) {
  const steps = Math.max(8, values.length - 1);
  const high = Math.max(...values) * 1.05;
  const every = Math.ceil(steps / 8);
  const axes = chart(canvas, { x: [0, steps], y: [0, high], left: 46, top: 10, upright: false,
    xs: Array.from({ length: Math.floor(steps / every) + 1 }, (_, i) => i * every) });
  if (!axes) return;
  const points = values.map((value, i) => [i, value]);
  axes.line(points, "#0072b2");
  points.forEach((point) => axes.dot(point, "#0072b2", 3.2));
}

export { distortion, lloydStep, nearestCode };
export default { render };
