import { asker, element, onceAFrame, slider, soon, widgetRoot } from "../../classroom/widget.js";
import { drawPixels, onLookChange, sharpContext, themeColours } from "../../classroom/canvas.js";

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
  const play = element("button", { type: "button" }, ["从 2 播放到 256", "Play from 2 to 256"]);
  play.addEventListener("click", () => {
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
    return { canvas, figure: element("figure", { class: "vq-picture" }, element("figcaption", {}, [zh, en]), canvas) };
  };
  const original = picture("原图", "Original");
  const painted = picture("K 种颜色", "In K colours");
  const error = picture("误差 × 4（黑：无误差）", "Error × 4 (black: none)");
  const palette = element("canvas", { role: "img", "aria-label": "调色板 palette", class: "vq-palette" });
  const curve = element("canvas", { role: "img", "aria-label": "码率—失真曲线 rate–distortion curve" });
  const numbers = element("dl", { class: "vq-numbers" });
  root.append(
    element("div", { class: "vq-row" }, control, play),
    element("div", { class: "vq-row", role: "group", "aria-label": alt }, original.figure, painted.figure, error.figure),
    palette,
    numbers,
    element("figure", { class: "vq-chart vq-tall" }, element("figcaption", {},
      [`${axes[1][0]}，横轴：${axes[0][0]}`, `${axes[1][1]} against ${axes[0][1]}`]), curve),
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
    numbers.replaceChildren(...[
      ["K", "K", String(answer.size)],
      ["索引：每像素比特数", "indices: bits per pixel", answer.index_bits.toFixed(2)],
      ["加上调色板", "with the palette", answer.rate.toFixed(2)],
      ["峰值信噪比", "PSNR", `${answer.quality.toFixed(1)} dB`],
    ].map(([zh, en, value]) => element("div", {}, element("dt", {}, [zh, en]), element("dd", {}, value))));
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
  const { context, width, height } = sharpContext(canvas);
  if (!width) return;
  const theme = themeColours(canvas);
  const [left, right, top, bottom] = [40, 14, 10, 20];
  const [low, high, most] = [10, 45, 9];
  const px = (rate) => left + (rate / most) * (width - left - right);
  const py = (quality) => top + ((high - quality) / (high - low)) * (height - top - bottom);
  context.font = "11px sans-serif";
  context.fillStyle = theme.text;
  context.strokeStyle = theme.faint;
  context.textAlign = "right";
  context.textBaseline = "middle";
  for (let quality = low; quality <= high; quality += 10) {
    context.strokeRect(left, py(quality), width - left - right, 0);
    context.fillText(String(quality), left - 5, py(quality));
  }
  context.textAlign = "center";
  context.textBaseline = "top";
  for (let rate = 0; rate <= most; rate += 1) {
    context.strokeRect(px(rate), top, 0, height - top - bottom);
    context.fillText(String(rate), px(rate), height - bottom + 4);
  }
  context.strokeStyle = context.fillStyle = "#009e73";
  context.lineWidth = 2;
  context.beginPath();
  played.forEach(([, rate, quality]) => context.lineTo(px(rate), py(quality)));
  context.stroke();
  for (const [k, rate, quality] of played) {
    context.beginPath();
    context.arc(px(rate), py(quality), k === size ? 7 : 4, 0, 7);
    context.fill();
    if (k !== size) continue;
    context.fillStyle = theme.text;
    context.textAlign = "left";
    context.fillText(`K = ${k}`, px(rate) + 10, py(quality) + 4);
    context.fillStyle = "#009e73";
  }
}

export default { render };
