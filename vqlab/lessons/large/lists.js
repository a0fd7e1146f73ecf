import { element, numberList, onceAFrame, slider, soon, widgetRoot, writeNumbers } from "../../classroom/widget.js";
import { diamond, disc, onLookChange, plane, voronoiCells } from "../../classroom/canvas.js";

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

  const { box, canvas, handle, open } = plane(-1, 1, alt);
  const numbers = numberList();
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

  const borders = voronoiCells(centres.flat(), [-1, -1], [1, 1]);

  const tell = soon(() => {
    const { cells, compared, found, nearest } = searchCells(query, codes, centres, lists, probes);
    const far = (index) => Math.sqrt(squared(query, codes[index])).toFixed(3);
    const missed = squared(query, codes[found]) > squared(query, codes[nearest]);
    writeNumbers(numbers, [
      [["比较的距离", "distances computed"], `${centres.length} + ${compared.length} = ${centres.length + compared.length}`],
      [["全部搜时", "searching all"], codes.length],
      [["找到的距离", "distance found"], far(found)],
      [["最近的距离", "nearest distance"], far(nearest)],
      [["结果", "result"], missed ? ["✗ 漏掉了", "✗ missed"] : ["✓ 找对了", "✓ found"]],
    ]);
    Object.assign(root.dataset, { probes: cells.length, compared: compared.length, missed });
  });
  const draw = () => {
    const { cells, found, nearest } = searchCells(query, codes, centres, lists, probes);
    const pen = open();
    if (!pen) return;
    const { context, theme, at } = pen;
    const chosen = new Set(cells);
    context.strokeStyle = theme.text;
    context.fillStyle = "rgba(0, 158, 115, 0.18)";
    context.lineWidth = 1;
    borders.forEach((corners, cell) => {
      context.beginPath();
      corners.forEach((corner) => context.lineTo(...at(corner)));
      context.closePath();
      if (chosen.has(cell)) context.fill();
      context.globalAlpha = 0.45;
      context.stroke();
      context.globalAlpha = 1;
    });
    codes.forEach((code, i) => {
      const compared = chosen.has(cellOf[i]);
      context.globalAlpha = compared ? 1 : 0.35;
      disc(context, ...at(code), compared ? 3.2 : 1.8, compared ? "#009e73" : theme.text);
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
    context.fillStyle = "#e69f00";
    context.strokeStyle = theme.text;
    context.lineWidth = 1.5;
    diamond(context, ...at(query), 9);
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
