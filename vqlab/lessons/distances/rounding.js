import { asker, element, numberList, radios, span, widgetRoot, writeNumbers } from "../../classroom/widget.js";
import { onLookChange, sharpContext } from "../../classroom/canvas.js";
import { paintCells } from "./cells.js";

/** @param {import("../../classroom/widget.js").Props} props */
function render({ model, el }) {
  const { offsets, precisions, methods, grid, colours, alt } = model.get("setup");
  const root = widgetRoot(el);
  const values = { ...model.get("answer").values };

  const canvas = element("canvas", { role: "img", "aria-label": alt });
  const range = element("input", { type: "range", min: 0, max: offsets.length - 1, step: 1,
    value: offsets.indexOf(values.offset), "aria-label": "偏移 offset" });
  const shown = element("output", {}, String(values.offset));
  range.addEventListener("input", () => {
    values.offset = offsets[range.value];
    shown.textContent = values.offset;
    range.setAttribute("aria-valuetext", values.offset);
    ask({ values });
  });
  const choose = (key) => (value) => {
    values[key] = value;
    ask({ values });
  };
  const numbers = numberList();
  root.append(
    element("label", { class: "vq-slider" }, ["全部数据平移", "move all data by"], range, shown),
    radios(["精度", "precision"], precisions.map((each) => [each, each, each]), values.precision, choose("precision")),
    radios(["算法", "method"], methods, values.method, choose("method")),
    element("div", { class: "vq-row vq-top" }, element("div", { class: "vq-plane" }, canvas),
      element("div", { class: "vq-side" }, numbers, element("p", { class: "vq-legend" }, [
        "每一格涂成获胜码字的颜色；× 标出选错的格子。对照：同样的 fp32 数据，用 float64 逐一相减。",
        "Each cell wears the winning code's colour; × marks cells whose code is wrong. The truth: plain differences in "
        + "float64 of the same fp32 data."]))));

  const draw = () => {
    const { wrong, gap, norm, request: answered } = model.get("answer");
    const view = model.get("cells");
    const bytes = new Uint8Array(view.buffer, view.byteOffset, view.byteLength);
    const { context, width } = sharpContext(canvas);
    if (!width) return;
    paintCells(context, width, grid, bytes.subarray(0, grid * grid), colours);
    const cell = width / grid;
    for (const [stroke, line] of Object.entries({ "#ffffff": 2.4, "#000000": 1 })) {
      context.strokeStyle = stroke;
      context.lineWidth = line;
      context.beginPath();
      for (let row = 1; row < grid; row += 3) {
        for (let column = 1; column < grid; column += 3) {
          if (!bytes[grid * grid + row * grid + column]) continue;
          const [x, y] = [(column + 0.5) * cell, (row + 0.5) * cell];
          context.moveTo(x - 3, y - 3);
          context.lineTo(x + 3, y + 3);
          context.moveTo(x + 3, y - 3);
          context.lineTo(x - 3, y + 3);
        }
      }
      context.stroke();
    }
    writeNumbers(numbers, [
      [["选错的格子", "wrong cells"], `${(100 * wrong).toFixed(1)}%`],
      [["‖x‖² 大约", "‖x‖² is about"], Number(norm.toPrecision(3)).toLocaleString("en")],
      [["那里相邻两数的间隔", "gap between numbers there"],
        gap === null ? span("溢出成无穷大", "overflows to infinity") : Number(gap.toPrecision(2))],
    ]);
    root.dataset.answered = answered;
    root.dataset.wrong = wrong;
  };
  const { ask, end } = asker(model, root, draw);
  draw();
  const ended = onLookChange(canvas, draw);
  return () => {
    end();
    ended();
  };
}

export default { render };
