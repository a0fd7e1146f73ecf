import { element, onceAFrame, span, widgetRoot } from "./widget.js";
import { drawPixels, onLookChange, sharpContext, themeColours } from "./canvas.js";

const STATES = {
  ready: ["还没有开始", "Not started yet"],
  running: ["训练中", "Training"],
  finished: ["训练结束", "Finished"],
  stopped: ["已提前停止，学到的都保留着", "Stopped early; what was learnt is kept"],
  failed: ["训练出错，见下方的信息", "An error ended the training; see the message below"],
};

// Three to six round numbers from low to high.
function ticks(low, high) {
  const rough = (high - low) / 3;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map((factor) => factor * power).find((size) => size >= rough);
  const first = Math.ceil(low / step - 1e-9);
  const last = Math.floor(high / step + 1e-9);
  return Array.from({ length: last - first + 1 }, (_, i) => Number(((first + i) * step).toPrecision(6)));
}

function drawChart(canvas, xs, ys, end, colour) {
  const { context, width, height } = sharpContext(canvas);
  if (!width) return;
  const theme = themeColours(canvas);
  let low = Math.min(...ys), high = Math.max(...ys);
  if (!ys.length) [low, high] = [0, 1];
  const margin = (high - low) * 0.08 || Math.abs(high) * 0.1 || 1;
  [low, high] = [low - margin, high + margin];
  const left = 44, bottom = 18, top = 6, right = 10;
  const px = (x) => left + (x / end) * (width - left - right);
  const py = (y) => height - bottom - ((y - low) / (high - low)) * (height - bottom - top);
  context.font = "11px sans-serif";
  context.lineWidth = 1;
  context.strokeStyle = theme.faint;
  context.fillStyle = theme.text;
  context.textAlign = "right";
  context.textBaseline = "middle";
  for (const y of ticks(low, high)) {
    context.strokeRect(left, py(y), width - left - right, 0);
    context.fillText(String(y), left - 5, py(y));
  }
  context.textAlign = "center";
  context.textBaseline = "top";
  for (const x of ticks(0, end)) {
    context.strokeRect(px(x), top, 0, height - bottom - top);
    context.fillText(String(x), px(x), height - bottom + 4);
  }
  context.strokeStyle = colour;
  context.lineWidth = 2;
  context.beginPath();
  xs.forEach((x, i) => context.lineTo(px(x), py(ys[i])));
  context.stroke();
  if (xs.length) {
    context.fillStyle = colour;
    context.beginPath();
    context.arc(px(xs.at(-1)), py(ys.at(-1)), 3.5, 0, 7);
    context.fill();
  }
}

function render({ model, el }) {
  const { title, series, end, axis, timed, caption } = model.get("setup");
  const root = widgetRoot(el);
  const state = element("span", { role: "status" });
  const bar = element("progress", { max: end, value: 0, "aria-label": "训练进度 training progress" });
  const time = element("output");
  const stop = element("button", { type: "button" }, ["停止并保留", "Stop and keep"]);
  stop.addEventListener("click", () => {
    model.send({ stop: true });
    stop.disabled = true;
    // Some ipykernels (7.4) keep the message until the cell ends; then do what the interrupt button does.
    setTimeout(() => {
      if (model.get("progress").state === "running") model.widget_manager?.kernel?.interrupt();
    }, 1000);
  });
  const charts = series.map(({ zh, en }) => {
    const value = element("output");
    const canvas = element("canvas", { role: "img", "aria-label": `${zh}的曲线 curve of ${en}` });
    return { value, canvas, figure: element("figure", { class: "vq-chart" },
      element("figcaption", {}, [zh, en], value), canvas, element("div", { class: "vq-axis" }, axis)) };
  });
  const preview = element("canvas", { role: "img", "aria-label": caption.join(" ") });
  const picture = element("figure", { class: "vq-picture" }, element("figcaption", {}, caption), preview);
  root.append(
    element("div", { class: "vq-row" }, element("span", { class: "vq-title" }, title), state),
    element("div", { class: "vq-row" }, bar, time, stop),
    element("div", { class: "vq-row vq-charts" }, ...charts.map(({ figure }) => figure), picture),
  );

  const draw = () => {
    const { at, step, state: name } = model.get("progress");
    state.replaceChildren(span(...STATES[name]));
    bar.value = name === "finished" ? end : at;
    const left = Math.max(0, Math.ceil(end - at));
    time.replaceChildren(name === "running" && timed
      ? span(`第 ${step} 步，已 ${Math.floor(at)} 秒，还剩 ${left} 秒`, `step ${step}, ${Math.floor(at)} s, ${left} s left`)
      : span(`第 ${step} 步`, `step ${step}`));
    stop.hidden = name !== "running";
    const view = model.get("points");
    const rows = new Float32Array(view.buffer.slice(view.byteOffset, view.byteOffset + view.byteLength));
    const columns = series.length + 1;
    const column = (n) => Array.from({ length: rows.length / columns }, (_, row) => rows[row * columns + n]);
    const xs = column(0);
    charts.forEach(({ value, canvas }, i) => {
      const ys = column(i + 1);
      value.textContent = ys.length ? ys.at(-1).toPrecision(4) : "";
      drawChart(canvas, xs, ys, end, series[i].colour);
    });
    const [width, height] = model.get("preview_size");
    picture.hidden = !width;
    if (width) {
      drawPixels(preview, model.get("preview"), 0, width, height);
      preview.style.width = `${Math.min(320, width * 2)}px`;
    }
  };
  const redraw = onceAFrame(draw);
  draw();
  model.on("change:progress", redraw);
  const ended = onLookChange(root, redraw);
  return () => {
    model.off("change:progress", redraw);
    ended();
  };
}

export default { render };
