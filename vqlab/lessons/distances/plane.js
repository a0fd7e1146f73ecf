import { element, onceAFrame, radios, slider, soon, span, widgetRoot } from "../../classroom/widget.js";
import { chart, diamond, drawStill, onLookChange, plane } from "../../classroom/canvas.js";
import { paintCells } from "./cells.js";

const MEASURES = {
  euclid: { label: ["欧氏", "Euclid"], symbol: "○", dashes: [], better: (a, b) => a < b },
  cosine: { label: ["余弦", "cosine"], symbol: "△", dashes: [8, 4], better: (a, b) => a > b },
  dot: { label: ["点积", "dot product"], symbol: "□", dashes: [2, 4], better: (a, b) => a > b },
};
const TERMS = [
  { text: "−2x·e", colour: "#cc79a7", mark: "▩" },
  { text: "‖e‖²", colour: "#009e73", mark: "▨" },
  { text: "‖x‖²", colour: "#e69f00", mark: "▦" },
];
const QUERY_COLOUR = "#e69f00";

// --- state -> numbers: the same as vqlab's, tested on random configurations ---

/** @type {(measure: string, query: number[], code: number[]) => number} */
function score(measure, [x, y], [a, b]) {
  if (measure === "euclid") return (x - a) * (x - a) + (y - b) * (y - b);
  const dot = x * a + y * b;
  if (measure === "dot") return dot;
  const norms = Math.hypot(x, y) * Math.hypot(a, b);
  return norms ? dot / norms : 0;
}

function winner(measure, query, codes) {
  let best = 0;
  let most = score(measure, query, codes[0]);
  for (let k = 1; k < codes.length; k += 1) {
    const now = score(measure, query, codes[k]);
    if (MEASURES[measure].better(now, most)) [best, most] = [k, now];
  }
  return best;
}

/** @type {(query: number[], codes: number[][]) => number[][]} */
function expansionTerms([x, y], codes) {
  return [codes.map(([a, b]) => -2 * (x * a + y * b)), codes.map(([a, b]) => a * a + b * b), codes.map(() => x * x + y * y)];
}

function agreement(measure, points, codes) {
  return points.filter((point) => winner(measure, point, codes) === winner("euclid", point, codes)).length / points.length;
}

// --- numbers -> picture ---

const minus = (number, digits = 3) => number.toFixed(digits).replace("-", "−");

/** @type {(axes: number[][], point: number[]) => number[]} */
function rgbOf(axes, [x, y]) {
  return [0, 1, 2].map((i) => Math.round(255 * Math.min(1, Math.max(0, (x * axes[0][i] + y * axes[1][i] + 1) / 2))));
}

function paintRegions(context, width, reach, measure, codes, colours) {
  const side = 120;
  const owner = new Uint8Array(side * side);
  for (let row = 0, at = 0; row < side; row += 1) {
    const y = reach - ((row + 0.5) / side) * 2 * reach;
    for (let column = 0; column < side; column += 1, at += 1) {
      owner[at] = winner(measure, [((column + 0.5) / side) * 2 * reach - reach, y], codes);
    }
  }
  paintCells(context, width, side, owner, colours);
}

function ring(context, measure, x, y, colour) {
  const size = { euclid: 15, cosine: 23, dot: 19 }[measure];
  for (const [stroke, line] of [["#ffffff", 6], [colour, 3]]) {
    context.strokeStyle = stroke;
    context.lineWidth = line;
    context.beginPath();
    if (measure === "euclid") context.arc(x, y, size, 0, 7);
    else if (measure === "dot") context.rect(x - size, y - size, 2 * size, 2 * size);
    else {
      context.moveTo(x, y - size * 1.15);
      context.lineTo(x + size, y + size * 0.75);
      context.lineTo(x - size, y + size * 0.75);
      context.closePath();
    }
    context.stroke();
  }
}

/** @param {import("../../classroom/widget.js").Props} props */
function render({ model, el }) {
  const { kind, span: reach, axes, points, alt, start } = model.get("setup");
  const root = widgetRoot(el);
  const state = { query: [...model.get("state").query], codes: model.get("state").codes.map((code) => [...code]) };
  const kept = { regions: "none", equal: false, step: 1 };
  const radius = Math.sqrt(start.reduce((sum, [a, b]) => sum + a * a + b * b, 0) / start.length);
  /** @type {(point: number[]) => number[]} */
  const onCircle = ([a, b]) => {
    const norm = Math.hypot(a, b);
    return norm ? [(a / norm) * radius, (b / norm) * radius] : [radius, 0];
  };

  const { box, canvas, handle, open } = plane(-reach, reach, alt);
  const side = element("div", { class: "vq-side" });
  const name = element("p", { class: "vq-legend", role: "status" });
  const tell = soon(() => {
    model.set("state", { query: [...state.query], codes: state.codes.map((code) => [...code]) });
    model.save_changes();
  });
  const changed = onceAFrame(() => {
    draw();
    tell();
  });
  const grips = state.codes.map((code, k) => {
    const grip = handle([`码字 ${k}`, `code ${k}`], code, (point) => {
      state.codes[k] = kept.equal ? onCircle(point) : point;
      if (kept.equal) grip.place(state.codes[k]);
      changed();
    });
    return grip;
  });
  handle(["查询 x，可以拖动或用方向键移动", "query x: drag it or use the arrow keys"], state.query, (point) => {
    state.query = point;
    changed();
  });

  const measures = Object.keys(MEASURES);
  const parts = {};
  if (kind === "winners") {
    parts.rows = state.codes.map((_, k) => {
      const cells = measures.map(() => element("td"));
      return { cells, row: element("tr", {}, element("th", { scope: "row" }, String(k)), ...cells) };
    });
    const table = element("table", { class: "vq-ways" },
      element("thead", {}, element("tr", {}, element("th", { scope: "col" }, ["码字", "code"]),
        element("th", { scope: "col" }, "○ ", ["欧氏² ↓", "Euclid² ↓"]), element("th", { scope: "col" }, "△ ", ["余弦 ↑", "cosine ↑"]),
        element("th", { scope: "col" }, "□ ", ["点积 ↑", "dot ↑"]))),
      element("tbody", {}, ...parts.rows.map(({ row }) => row)));
    const equal = element("input", { type: "checkbox" });
    equal.addEventListener("change", () => {
      kept.equal = equal.checked;
      if (equal.checked) kept.free = state.codes;
      state.codes = equal.checked ? state.codes.map(onCircle) : kept.free;
      state.codes.forEach((code, k) => grips[k].place(code));
      changed();
    });
    parts.agreement = element("p", { class: "vq-legend" });
    side.append(name, table, radios(["区域", "regions"], [["none", "不画", "none"],
      ...measures.map((measure) => [measure, ...MEASURES[measure].label])], kept.regions, (value) => {
      kept.regions = value;
      draw();
    }), element("label", {}, equal, " ", ["所有码字等长", "all codes of equal norm"]), parts.agreement);
  } else {
    parts.formula = element("p", { class: "vq-formula" });
    parts.bars = element("canvas", { role: "img", "aria-label": alt });
    parts.bars.style.cssText = "display:block;width:100%;height:250px";
    side.append(parts.formula, parts.bars, slider({ zh: "加到第几项", en: "terms added", min: 1, max: 3, step: 1, value: 1 }, (value) => {
      kept.step = value;
      draw();
    }), name);
  }
  root.append(element("div", { class: "vq-row vq-top" }, box, side));

  const draw = () => {
    const pen = open();
    if (!pen) return;
    const { context, theme, width, at } = pen;
    const colours = { euclid: "#0072b2", cosine: kept.regions === "none" ? theme.text : "#000000", dot: "#cc79a7" };
    if (kept.regions !== "none") {
      paintRegions(context, width, reach, kept.regions, state.codes, state.codes.map((code) => rgbOf(axes, code)));
    }
    drawStill(canvas, kept.regions === "none", (layer) => {
      for (const point of points) {
        const [x, y] = at(point);
        layer.fillStyle = kept.regions === "none" ? `rgb(${rgbOf(axes, point)})` : "rgba(0,0,0,0.35)";
        layer.fillRect(x - 1.5, y - 1.5, 3, 3);
      }
    });
    context.strokeStyle = theme.faint;
    context.lineWidth = 1;
    context.strokeRect(0.5, 0.5, width - 1, width - 1);
    context.beginPath();
    context.moveTo(width / 2, 0);
    context.lineTo(width / 2, width);
    context.moveTo(0, width / 2);
    context.lineTo(width, width / 2);
    if (kept.equal) {
      context.moveTo(width / 2 + (radius / reach) * (width / 2), width / 2);
      context.arc(width / 2, width / 2, (radius / reach) * (width / 2), 0, 7);
    }
    context.stroke();

    context.font = "12px sans-serif";
    context.fillStyle = theme.text;
    context.textBaseline = "middle";
    /** @type {[string, number, number, CanvasTextAlign][]} */
    const ends = [["红 red", width - 6, width / 2 + 12, "right"], ["青 cyan", 6, width / 2 + 12, "left"],
      ["绿 green", width / 2 + 6, 12, "left"], ["蓝 blue", width / 2 + 6, width - 12, "left"]];
    for (const [text, x, y, align] of ends) {
      context.textAlign = align;
      context.fillText(text, x, y);
    }
    const best = Object.fromEntries(measures.map((measure) => [measure, winner(measure, state.query, state.codes)]));
    const [qx, qy] = at(state.query);
    const shown = kind === "winners" ? measures : ["euclid"];
    for (const measure of shown) {
      context.strokeStyle = colours[measure];
      context.lineWidth = 2;
      context.setLineDash(MEASURES[measure].dashes);
      context.beginPath();
      context.moveTo(qx, qy);
      context.lineTo(...at(state.codes[best[measure]]));
      context.stroke();
      context.setLineDash([]);
    }
    context.font = "bold 12px sans-serif";
    context.textAlign = "center";
    context.textBaseline = "middle";
    state.codes.forEach((code, k) => {
      const [x, y] = at(code);
      context.beginPath();
      context.arc(x, y, 10, 0, 7);
      context.fillStyle = `rgb(${rgbOf(axes, code)})`;
      context.fill();
      context.strokeStyle = theme.text;
      context.lineWidth = 1.5;
      context.stroke();
      context.strokeStyle = "#ffffff";
      context.lineWidth = 3;
      context.strokeText(String(k), x, y);
      context.fillStyle = "#000000";
      context.fillText(String(k), x, y);
    });
    for (const measure of shown) ring(context, measure, ...at(state.codes[best[measure]]), colours[measure]);
    context.fillStyle = QUERY_COLOUR;
    context.strokeStyle = "#000000";
    context.lineWidth = 1.5;
    diamond(context, qx, qy, 10);
    context.fill();
    context.stroke();

    if (kind === "winners") writeTable();
    else drawBars();
    root.dataset.winners = measures.map((measure) => best[measure]).join(",");
  };

  const writeTable = soon(() => {
    const best = Object.fromEntries(measures.map((measure) => [measure, winner(measure, state.query, state.codes)]));
    parts.rows.forEach(({ cells }, k) => measures.forEach((measure, i) => {
      const won = best[measure] === k;
      cells[i].textContent = `${won ? MEASURES[measure].symbol : ""} ${minus(score(measure, state.query, state.codes[k]))}`;
      cells[i].style.fontWeight = won ? "bold" : "";
    }));
    const many = new Set(Object.values(best)).size;
    name.replaceChildren(span(
      `赢家：${measures.map((m) => `${MEASURES[m].symbol} ${MEASURES[m].label[0]} ${best[m]}`).join("，")}（${many} 个不同的码字）`,
      `Winners: ${measures.map((m) => `${MEASURES[m].symbol} ${MEASURES[m].label[1]} ${best[m]}`).join(", ")} `
        + `(${many} different ${many > 1 ? "codes" : "code"})`));
    const [cosine, dot] = ["cosine", "dot"].map((m) => Math.round(100 * agreement(m, points, state.codes)));
    parts.agreement.replaceChildren(span(`图中 ${points.length} 个像素里，和欧氏选得一样的：余弦 ${cosine}%，点积 ${dot}%。`,
      `Of the ${points.length} pixels shown, as many choose as Euclid does: cosine ${cosine}%, dot ${dot}%.`));
  });

  const drawBars = () => {
    const terms = expansionTerms(state.query, state.codes);
    const limit = 1.05 * Math.max(0.4, ...state.codes.map((_, k) => Math.max(
      Math.abs(terms[0][k]), Math.abs(terms[0][k] + terms[1][k]), terms[0][k] + terms[1][k] + terms[2][k])));
    const half = Number((limit / 2).toPrecision(1));
    const pen = chart(parts.bars, { x: [0, state.codes.length], y: [-limit, limit], xs: [],
      ys: [-2 * half, -half, 0, half, 2 * half].filter((value) => Math.abs(value) <= limit),
      right: 4, top: 2, bottom: 22, name: (value) => minus(value, half < 0.095 ? 2 : 1) });
    if (!pen) return;
    const { context, theme, height, px, py } = pen;
    const slot = px(1) - px(0);
    context.textBaseline = "middle";
    const sums = state.codes.map((_, k) => terms.slice(0, kept.step).reduce((sum, term) => sum + term[k], 0));
    let lowest = 0;
    sums.forEach((value, k) => { if (value < sums[lowest]) lowest = k; });
    state.codes.forEach((_, k) => {
      let from = 0;
      const third = (slot - 8) / 3;
      for (let i = 0; i < kept.step; i += 1) {
        const x = px(k) + 4 + i * third;
        const [y0, y1] = [py(from), py(from + terms[i][k])];
        hatch(context, x, Math.min(y0, y1), third - 1, Math.max(1, Math.abs(y1 - y0)), i, TERMS[i].colour);
        from += terms[i][k];
      }
      const x = px(k + 0.5);
      context.fillStyle = theme.text;
      context.strokeStyle = theme.text;
      context.lineWidth = 2;
      context.beginPath();
      context.moveTo(x - slot / 2 + 3, py(from));
      context.lineTo(x + slot / 2 - 3, py(from));
      context.stroke();
      diamond(context, x, py(from), k === lowest ? 7 : 4);
      context.fill();
      context.textAlign = "center";
      context.font = k === lowest ? "bold 13px sans-serif" : "11px sans-serif";
      context.fillText(k === lowest ? `${k} ◆` : String(k), x, height - 9);
    });
    root.dataset.lowest = String(lowest);
    writeFormula();
  };
  const writeFormula = soon(() => {
    const { lowest } = root.dataset;
    const sum = expansionTerms(state.query, state.codes).slice(0, kept.step).reduce((all, term) => all + term[lowest], 0);
    const term = (i) => {
      const made = element("strong", {}, `${TERMS[i].mark} ${TERMS[i].text}`);
      made.style.cssText = `padding:1px 4px;border-bottom:4px solid ${TERMS[i].colour};opacity:${i < kept.step ? 1 : 0.35}`;
      return made;
    };
    parts.formula.replaceChildren("‖x − e‖² = ", term(2), " + ", term(1), " + ", term(0));
    const says = [
      ["只有 −2x·e：最低的是点积的赢家", "−2x·e alone: the lowest is the dot product's winner"],
      ["加上 ‖e‖²：最低的已经是欧氏的赢家", "with ‖e‖²: the lowest is Euclid's winner already"],
      ["再加 ‖x‖²：所有码字一起抬高，赢家不变；菱形就是真正的平方距离",
        "with ‖x‖²: all rise alike, the winner stays; the diamond is the true squared distance"],
    ][kept.step - 1];
    name.replaceChildren(span(`${says[0]}：码字 ${lowest}，值 ${minus(sum)}。`, `${says[1]}: code ${lowest}, value ${minus(sum)}.`));
  });

  draw();
  return onLookChange(canvas, draw);
}

// A bar with its own pattern: crossed, slanted, dotted.
function hatch(context, x, y, width, height, pattern, colour) {
  context.save();
  context.strokeStyle = context.fillStyle = colour;
  context.lineWidth = 2;
  context.strokeRect(x + 1, y, width - 2, height);
  context.beginPath();
  context.rect(x, y, width, height);
  context.clip();
  context.lineWidth = 1.5;
  context.beginPath();
  if (pattern < 2) {
    for (let s = -height; s < width; s += 6) {
      context.moveTo(x + s, y + height);
      context.lineTo(x + s + height, y);
      if (pattern === 0) {
        context.moveTo(x + s, y);
        context.lineTo(x + s + height, y + height);
      }
    }
    context.stroke();
  } else {
    for (let v = 4; v < height; v += 5) for (let u = 4; u < width; u += 5) context.fillRect(x + u - 1, y + v - 1, 2, 2);
  }
  context.restore();
}

export { expansionTerms, winner };
export default { render };
