import { element, numberList, slider, widgetRoot, writeNumbers } from "../../classroom/widget.js";
import { drawPixels, onLookChange, sharpContext, themeColours } from "../../classroom/canvas.js";

// What the target at `place` of scale `k` is predicted from: the number of inputs it may see (all of its own scale
// and of the coarser ones), and of tokens those inputs were made from (the coarser scales only).
function seen(sizes, k) {
  const count = (upTo) => sizes.slice(0, upTo).reduce((sum, [height, width]) => sum + height * width, 0);
  return { inputs: count(k + 1), tokens: count(k) };
}

/** @param {import("../../classroom/widget.js").Props} props */
function render({ model, el }) {
  const { sizes, tokens, alt } = model.get("setup");
  const root = widgetRoot(el);
  let k = Math.min(2, sizes.length - 1);
  let place = 0;

  // each grid once, as it is, to be drawn enlarged
  const images = [[], []];
  let start = 0;
  images.forEach((row) => sizes.forEach(([height, width]) => {
    const image = document.createElement("canvas");
    drawPixels(image, model.get("pixels"), start, width, height);
    start += width * height * 3;
    row.push(image);
  }));

  const canvas = element("canvas", { role: "img", "aria-label": alt });
  canvas.style.cssText = "width:100%;height:372px;display:block;cursor:pointer";
  const count = () => sizes[k][0] * sizes[k][1];
  const scaleSlider = slider({ zh: "预测哪个尺度", en: "scale to predict", min: 0, max: sizes.length - 1, step: 1,
    value: k }, (value) => choose(value, 0));
  const placeSlider = slider({ zh: "第几个 token", en: "which token", min: 0, max: count() - 1, step: 1, value: 0 },
    (value) => choose(k, value));
  const set = (label, value, max) => {
    const input = label.querySelector("input");
    if (max !== undefined) input.max = max;
    input.value = value;
    label.querySelector("output").textContent = value;
  };
  const choose = (scale, at) => {
    [k, place] = [scale, at];
    set(scaleSlider, k);
    set(placeSlider, place, count() - 1);
    draw();
  };
  const said = numberList();
  said.style.display = "block"; // long lines, one below the other
  root.append(scaleSlider, placeSlider, canvas, said, element("p", { class: "vq-legend" }, [
    "点一个目标，或用滑块选。朱红框：目标和它那一格的输入。打叉变淡的输入：更细，还看不到。",
    "Click a target, or use the sliders. Vermilion frames: the target, and the input in its place. Faded and crossed "
    + "inputs: finer, not visible yet."]));

  let boxes = [];
  const layout = (width, height) => {
    const gap = 12, label = 22, middle = 34;
    const side = Math.min((width - gap * (sizes.length + 1)) / sizes.length, (height - 2 * label - middle) / 2);
    boxes = [0, 1].map((row) => sizes.map((_, i) => ({
      x: gap + i * (side + gap), y: label + row * (side + middle + label), side })));
  };
  canvas.addEventListener("pointerdown", pick);
  canvas.addEventListener("pointermove", (event) => event.buttons && pick(event));
  function pick(event) {
    const { offsetX: px, offsetY: py } = event;
    boxes.forEach((row) => row.forEach(({ x, y, side }, i) => {
      if (px < x || py < y || px >= x + side || py >= y + side) return;
      const [height, width] = sizes[i];
      choose(i, Math.floor(((py - y) / side) * height) * width + Math.floor(((px - x) / side) * width));
    }));
  }

  const draw = () => {
    const { inputs, tokens: before } = seen(sizes, k);
    const [height, width] = sizes[k];
    const row = Math.floor(place / width) + 1, column = (place % width) + 1;
    const name = `${height} × ${width}`;
    const made = k
      ? [`前 ${k} 个尺度 ${before} 个 token 的累积图，缩到 ${name}，取同一格`,
        `the sum of the ${before} tokens of ${k} coarser scale${k > 1 ? "s" : ""}, shrunk to ${name}, in this place`]
      : ["类别（还没有 token）", "the class (no token yet)"];
    writeNumbers(said, [
      [["目标", "target"], [`尺度 ${name}，第 ${row} 行第 ${column} 列，token ${tokens[k][place]}`,
        `scale ${name}, row ${row}, column ${column}, token ${tokens[k][place]}`]],
      [["它那一格的输入", "input in its place"], made],
      [["看得到的输入（含类别）", "inputs it may see (with the class)"], `${inputs} / ${seen(sizes, sizes.length - 1).inputs}`],
    ]);
    Object.assign(root.dataset, { scale: k, place, inputs, tokens: before });

    const { context, width: wide, height: high } = sharpContext(canvas);
    if (!wide) return;
    layout(wide, high);
    const theme = themeColours(canvas);
    context.imageSmoothingEnabled = false;
    context.font = "12px sans-serif";
    context.textAlign = "center";
    images.forEach((grids, r) => grids.forEach((image, i) => {
      const { x, y, side } = boxes[r][i];
      const [h, w] = sizes[i];
      const hidden = r === 0 && i > k;
      context.globalAlpha = hidden ? 0.25 : 1;
      context.drawImage(image, x, y, side, side);
      context.strokeStyle = theme.text;
      context.lineWidth = 0.5;
      context.globalAlpha = hidden ? 0.15 : 0.4;
      context.beginPath();
      for (let n = 0; n <= w; n++) { context.moveTo(x + (n / w) * side, y); context.lineTo(x + (n / w) * side, y + side); }
      for (let n = 0; n <= h; n++) { context.moveTo(x, y + (n / h) * side); context.lineTo(x + side, y + (n / h) * side); }
      context.stroke();
      context.globalAlpha = 1;
      if (hidden) {
        context.lineWidth = 1;
        context.beginPath();
        context.moveTo(x, y);
        context.lineTo(x + side, y + side);
        context.moveTo(x + side, y);
        context.lineTo(x, y + side);
        context.stroke();
      }
      context.fillStyle = theme.text;
      const title = r ? "目标 target" : i ? "输入 input" : "类别 class";
      context.fillText(`${title} ${h} × ${w}`, x + side / 2, y - 7);
    }));
    const at = boxes.map((each) => {
      const { x, y, side } = each[k];
      return [x + ((column - 1) / width) * side, y + ((row - 1) / height) * side, side / width, side / height];
    });
    context.strokeStyle = "#d55e00";
    context.lineWidth = 3;
    at.forEach(([x, y, w, h]) => context.strokeRect(x, y, w, h));
  };
  draw();
  return onLookChange(canvas, draw);
}

export default { render };
