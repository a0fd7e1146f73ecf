import { element, figure, numberList, radios, slider, widgetRoot, writeNumbers } from "../../classroom/widget.js";
import { disc, drawPixels, onLookChange, sharpContext, themeColours } from "../../classroom/canvas.js";

// Scales done, and what that is in tokens: [1, 4, …] tokens a scale -> [0, 1, 5, …].
function tokensUpTo(sizes) {
  return sizes.reduce((sums, [height, width]) => [...sums, sums.at(-1) + height * width], [0]);
}

/** @param {import("../../classroom/widget.js").Props} props */
function render({ model, el }) {
  const { names, sizes, picture, map, decibels, left, alt } = model.get("setup");
  const root = widgetRoot(el);
  const tokens = tokensUpTo(sizes);
  const bytes = ([width, height]) => width * height * 3;
  const state = 3 * (bytes(picture) + bytes(map));
  let chosen = 0;
  let scale = 0;

  const columns = [["到此为止", "so far"], ["这一尺度添的", "this scale adds"], ["还剩的", "what remains"]];
  const rows = [["像素", "pixels"], ["特征", "features"]];
  const canvases = rows.map(([zh, en]) => columns.map(([columnZh, columnEn]) =>
    element("canvas", { role: "img", "aria-label": `${zh}：${columnZh} ${en}: ${columnEn}` })));
  const grid = element("div", { class: "vq-scale-grid", role: "group", "aria-label": alt });
  grid.append(element("span"), ...columns.map((label) => element("span", { class: "vq-title" }, label)));
  rows.forEach((label, i) => grid.append(element("span", { class: "vq-title" }, label), ...canvases[i]));
  grid.style.cssText = "display:grid;grid-template-columns:auto repeat(3,minmax(90px,145px));gap:6px 10px;align-items:center";
  canvases.flat().forEach((canvas) => { canvas.style.cssText = "width:100%;image-rendering:pixelated;display:block"; });

  const curves = element("canvas", { role: "img", "aria-label":
    "折线：每一尺度之后的分贝；柱：特征里还剩的份额 line: decibels after each scale; bars: share of the features left" });
  const numbers = numberList();
  const choices = radios(["照片", "photograph"], names.map(([zh, en], i) => [i, zh, en]), 0, (i) => {
    chosen = i;
    draw();
  });
  const bar = slider({ zh: "写到第几个尺度", en: "scales written", min: 0, max: sizes.length, step: 1, value: 0 },
    (value) => {
      scale = value;
      draw();
    });
  root.append(choices, bar, element("div", { class: "vq-row vq-top" }, grid,
    element("div", { class: "vq-side", style: "flex:1 1 240px;min-width:220px" }, numbers,
      figure("vq-chart vq-tall", ["线：分贝；柱：特征里还剩的 %", "line: dB; bars: % of the features left"], curves))));

  const draw = () => {
    let start = (chosen * (sizes.length + 1) + scale) * state;
    const view = model.get("pixels");
    canvases.forEach((row, i) => row.forEach((canvas) => {
      const [width, height] = i ? map : picture;
      drawPixels(canvas, view, start, width, height);
      start += bytes([width, height]);
    }));
    const size = scale ? sizes[scale - 1] : [0, 0];
    const percent = `${(100 * left[chosen][scale]).toFixed(1)} %`;
    writeNumbers(numbers, [
      [["这一尺度的 token", "tokens of this scale"], scale ? `${size[0]} × ${size[1]} = ${size[0] * size[1]}` : "0"],
      [["到此为止的 token", "tokens so far"], tokens[scale]],
      [["峰值信噪比", "PSNR"], `${decibels[chosen][scale].toFixed(1)} dB`],
      [["特征里还剩", "left of the features"], percent],
    ]);
    Object.assign(root.dataset, { scale, picture: chosen });
    drawChart();
  };
  const drawChart = () => {
    const { context, width, height } = sharpContext(curves);
    if (!width) return;
    const theme = themeColours(curves);
    const [side, bottom, top] = [34, 22, 16];
    const most = Math.max(30, ...decibels.flat());
    const highest = Math.max(1, ...left.flat());
    const step = (width - 2 * side) / sizes.length;
    const x = (i) => side + i * step;
    const y = (share) => height - bottom - share * (height - bottom - top);
    context.font = "11px sans-serif";
    left[chosen].forEach((share, i) => {
      context.fillStyle = "#56b4e9";
      context.globalAlpha = i === scale ? 0.9 : 0.4;
      context.fillRect(x(i) - 0.28 * step, y(share / highest), 0.56 * step, y(0) - y(share / highest));
      context.globalAlpha = 1;
    });
    context.strokeStyle = theme.text;
    context.lineWidth = 1;
    context.beginPath();
    context.moveTo(side - 0.4 * step, y(0));
    context.lineTo(width - side + 0.4 * step, y(0));
    context.stroke();
    context.textAlign = "center";
    context.fillStyle = theme.text;
    [0, ...sizes.map(([h, w]) => (h === w ? `${h}²` : `${h}×${w}`))].forEach((label, i) =>
      context.fillText(label, x(i), height - 7));
    context.strokeStyle = "#d55e00";
    context.lineWidth = 2;
    context.beginPath();
    decibels[chosen].forEach((db, i) => context.lineTo(x(i), y(db / most)));
    context.stroke();
    decibels[chosen].forEach((db, i) => {
      disc(context, x(i), y(db / most), i === scale ? 6 : 3.5, "#d55e00");
      if (i !== scale) return;
      context.fillStyle = theme.text;
      context.fillText(`${db.toFixed(1)} dB`, x(i), y(db / most) - 10);
    });
  };
  draw();
  return onLookChange(curves, draw);
}

export default { render };
