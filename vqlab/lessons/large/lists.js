import { element, onceAFrame, slider, soon, widgetRoot } from "../../classroom/widget.js";
import { onLookChange, plane, sharpContext, themeColours } from "../../classroom/canvas.js";

/** @type {(a: number[], b: number[]) => number} */
function squared([x, y], [u, v]) {
  return (x - u) ** 2 + (y - v) ** 2;
}

// Search the `probes` cells whose centres are nearest; as `inverted_lists` sorted the codes.
export function searchCells(query, codes, centres, lists, probes) {
  const order = centres.map((centre, cell) => [squared(query, centre), cell]).sort((a, b) => a[0] - b[0]);
  const cells = order.slice(0, probes).map(([, cell]) => cell);
  const compared = cells.flatMap((cell) => lists[cell]);
  const nearestOf = (indices) => indices.reduce((best, i) =>
    (best < 0 || squared(query, codes[i]) < squared(query, codes[best]) ? i : best), -1);
  return { cells, compared, found: nearestOf(compared), nearest: nearestOf(codes.map((_, i) => i)) };
}

function render({ model, el }) {
  const { codes, centres, lists, alt, query: start } = model.get("setup");
  const root = widgetRoot(el);
  let query = start;
  let probes = 1;
  const cellOf = [];
  lists.forEach((list, cell) => list.forEach((code) => { cellOf[code] = cell; }));

  const { box, canvas, handle } = plane(-1, 1, alt);
  const numbers = element("dl", { class: "vq-numbers" });
  root.append(
    slider({ zh: "搜几个格 nprobe", en: "cells searched, nprobe", min: 1, max: centres.length, step: 1, value: 1 },
      (value) => {
        probes = value;
        update();
      }),
    element("div", { class: "vq-row vq-top" }, box, element("div", { class: "vq-side" }, numbers,
      element("p", { class: "vq-legend" }, [
        "橙色菱形：查询，可拖动，或用方向键。上了底色的是搜的格，里面的大点是比较过的码字。绿线连到找到的；朱红虚线和叉是漏掉的最近码字。",
        "Orange diamond: the query; drag it, or use the arrow keys. Shaded: the cells searched; large dots: codes compared. "
        + "The green line leads to what is found, dashed vermilion and a cross to the nearest code where it is missed."]))));

  // which cell each square of a grid belongs to, once
  const grid = 84;
  const owners = Array.from({ length: grid * grid }, (_, i) => {
    const point = [((i % grid) + 0.5) / grid * 2 - 1, 1 - (Math.floor(i / grid) + 0.5) / grid * 2];
    return centres.reduce((best, centre, cell) =>
      (squared(point, centre) < squared(point, centres[best]) ? cell : best), 0);
  });

  const tell = soon(() => {
    const { cells, compared, found, nearest } = searchCells(query, codes, centres, lists, probes);
    const entry = (label, value) => element("div", {}, element("dt", {}, label), element("dd", {}, value));
    const far = (index) => Math.sqrt(squared(query, codes[index])).toFixed(3);
    const missed = squared(query, codes[found]) > squared(query, codes[nearest]);
    numbers.replaceChildren(
      entry(["比较的距离", "distances computed"], `${centres.length} + ${compared.length} = ${centres.length + compared.length}`),
      entry(["全部搜时", "searching all"], String(codes.length)),
      entry(["找到的距离", "distance found"], far(found)),
      entry(["最近的距离", "nearest distance"], far(nearest)),
      entry(["结果", "result"], missed ? ["✗ 漏掉了", "✗ missed"] : ["✓ 找对了", "✓ found"]));
    Object.assign(root.dataset, { probes: cells.length, compared: compared.length, missed });
  });
  const draw = () => {
    const { cells, found, nearest } = searchCells(query, codes, centres, lists, probes);
    const { context, width } = sharpContext(canvas);
    if (!width) return;
    const theme = themeColours(canvas);
    const chosen = new Set(cells);
    /** @type {(point: number[]) => [number, number]} */
    const at = ([x, y]) => [((x + 1) / 2) * width, ((1 - y) / 2) * width];
    const side = width / grid;
    owners.forEach((cell, i) => {
      const [column, row] = [i % grid, Math.floor(i / grid)];
      if (chosen.has(cell)) {
        context.fillStyle = "rgba(0, 158, 115, 0.18)";
        context.fillRect(column * side, row * side, side + 0.5, side + 0.5);
      }
      context.fillStyle = theme.text;
      context.globalAlpha = 0.45;
      if (column && owners[i - 1] !== cell) context.fillRect(column * side, row * side, 1, side);
      if (row && owners[i - grid] !== cell) context.fillRect(column * side, row * side, side, 1);
      context.globalAlpha = 1;
    });
    codes.forEach((code, i) => {
      const compared = chosen.has(cellOf[i]);
      context.fillStyle = compared ? "#009e73" : theme.text;
      context.globalAlpha = compared ? 1 : 0.35;
      context.beginPath();
      context.arc(...at(code), compared ? 3.2 : 1.8, 0, 7);
      context.fill();
    });
    context.globalAlpha = 1;
    const line = (index, colour, dash) => {
      context.strokeStyle = colour;
      context.lineWidth = 2.5;
      context.setLineDash(dash);
      context.beginPath();
      context.moveTo(...at(query));
      context.lineTo(...at(codes[index]));
      context.stroke();
      context.setLineDash([]);
    };
    line(found, "#009e73", []);
    if (found !== nearest) {
      line(nearest, "#d55e00", [5, 4]);
      const [x, y] = at(codes[nearest]);
      context.beginPath();
      context.moveTo(x - 6, y - 6);
      context.lineTo(x + 6, y + 6);
      context.moveTo(x + 6, y - 6);
      context.lineTo(x - 6, y + 6);
      context.stroke();
    }
    const [x, y] = at(query);
    context.fillStyle = "#e69f00";
    context.strokeStyle = theme.text;
    context.lineWidth = 1.5;
    context.beginPath();
    context.moveTo(x, y - 9);
    context.lineTo(x + 9, y);
    context.lineTo(x, y + 9);
    context.lineTo(x - 9, y);
    context.closePath();
    context.fill();
    context.stroke();
  };
  const paint = onceAFrame(draw);
  const update = () => {
    paint();
    tell();
  };
  handle(["查询", "query"], query, (point) => {
    query = point;
    update();
  });
  draw();
  tell();
  return onLookChange(canvas, paint);
}

export default { render };
