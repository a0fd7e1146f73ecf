import { asker, button, element, figure, numberList, onceAFrame, slider, soon, widgetRoot, writeNumbers } from "../../classroom/widget.js";
import { chart, drawPixels, onLookChange } from "../../classroom/canvas.js";

/** @param {import("../../classroom/widget.js").Props} props */
function render({ model, el }) {
  const { sizes, width, height, photo, axes, alt } = model.get("setup");
  const root = widgetRoot(el);
  let at = model.get("answer").at;
  let playing = 0; // a timer

  const control = slider({ zh: "颜色数 K", en: "colours K", min: 0, max: sizes.length - 1, step: 1, value: at },
    (value) => {
      halt();
      choose(value);
    });
  const input = control.querySelector("input");
  const label = () => {
    control.querySelector("output").textContent = sizes[at];
    input.setAttribute("aria-valuetext", `K = ${sizes[at]}`);
  };
  const choose = (value) => {
    at = value;
    input.value = value;
    label();
    ask({ at });
  };
  const halt = () => {
    clearInterval(playing);
    playing = 0;
  };
  const play = button(["从 2 播放到 256", "Play from 2 to 256"], () => {
    halt();
    choose(0);
    playing = setInterval(() => {
      if (at === sizes.length - 1) halt();
      else choose(at + 1);
    }, 450);
  });

  const scale = Math.max(1, Math.round(220 / width));
  const picture = (zh, en) => {
    const canvas = element("canvas", { role: "img", "aria-label": `${zh} ${en}`, style: `width: ${width * scale}px` });
    return { canvas, framed: figure("vq-picture", [zh, en], canvas) };
  };
  const original = picture("原图", "Original");
  const painted = picture("K 种颜色", "In K colours");
  const error = picture("误差 × 4（黑：无误差）", "Error × 4 (black: none)");
  const palette = element("canvas", { role: "img", "aria-label": "调色板 palette", class: "vq-palette" });
  const curve = element("canvas", { role: "img", "aria-label": "码率—失真曲线 rate–distortion curve" });
  const numbers = numberList();
  root.append(
    element("div", { class: "vq-row" }, control, play),
    element("div", { class: "vq-row", role: "group", "aria-label": alt }, original.framed, painted.framed, error.framed),
    palette,
    numbers,
    figure("vq-chart vq-tall", [`${axes[1][0]}，横轴：${axes[0][0]}`, `${axes[1][1]} against ${axes[0][1]}`], curve),
  );

  const draw = () => {
    const answer = model.get("answer");
    const pixels = model.get("pixels");
    drawPixels(painted.canvas, pixels, 0, width, height);
    drawPixels(error.canvas, pixels, width * height * 3, width, height);
    drawPixels(palette, model.get("palette"), 0, answer.size, 1);
    write();
    root.dataset.answered = answer.request;
    root.dataset.size = answer.size;
  };
  const write = soon(() => {
    const answer = model.get("answer");
    writeNumbers(numbers, [
      [["K", "K"], answer.size],
      [["索引：每像素比特数", "indices: bits per pixel"], answer.index_bits.toFixed(2)],
      [["加上调色板", "with the palette"], answer.rate.toFixed(2)],
      [["峰值信噪比", "PSNR"], `${answer.quality.toFixed(1)} dB`],
    ]);
    drawCurve(curve, answer.played, answer.size);
  });
  const { ask, end } = asker(model, root, draw);
  const redrawCurve = onceAFrame(() => drawCurve(curve, model.get("answer").played, model.get("answer").size));
  drawPixels(original.canvas, new DataView(Uint8Array.from(photo).buffer), 0, width, height);
  label();
  draw();
  const ended = onLookChange(root, redrawCurve);
  return () => {
    halt();
    end();
    ended();
  };
}

// played: rows of K, bits per pixel, dB.
function drawCurve(canvas, played, size) {
  const pen = chart(canvas, { x: [0, 9], y: [10, 45], xs: [...Array(10).keys()], ys: [10, 20, 30, 40],
    right: 14, top: 10, bottom: 20 });
  if (!pen) return;
  const { context, theme, px, py, line, dot } = pen;
  const points = played.map(([, rate, quality]) => [rate, quality]);
  line(points, "#009e73");
  points.forEach(([rate, quality], i) => {
    const now = played[i][0] === size;
    dot([rate, quality], "#009e73", now ? 7 : 4);
    if (!now) return;
    context.fillStyle = theme.text;
    context.textAlign = "left";
    context.fillText(`K = ${size}`, px(rate) + 10, py(quality) + 4);
  });
}

export default { render };
