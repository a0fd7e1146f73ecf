import { button, element, figure, onceAFrame, span, widgetRoot } from "./widget.js";
import { chart, drawPixels, numbersOf, onLookChange } from "./canvas.js";

/** @type {Record<string, string[]>} */
const STATES = {
  ready: ["还没有开始", "Not started yet"],
  running: ["训练中", "Training"],
  finished: ["训练结束", "Finished"],
  stopped: ["已提前停止，学到的都保留着", "Stopped early; what was learnt is kept"],
  failed: ["训练出错，见下方的信息", "An error ended the training; see the message below"],
};

function drawCurve(canvas, points, end, colour) {
  const values = points.map(([, y]) => y);
  const [low, high] = points.length ? [Math.min(...values), Math.max(...values)] : [0, 1];
  const margin = (high - low) * 0.08 || Math.abs(high) * 0.1 || 1;
  const axes = chart(canvas, { x: [0, end], y: [low - margin, high + margin], left: 44, right: 10, top: 6 });
  if (!axes) return;
  axes.line(points, colour);
  if (points.length) axes.dot(points.at(-1), colour);
}

/** @param {import("./widget.js").Props} props */
function render({ model, el }) {
  const { title, series, end, axis, timed, caption, resumes } = model.get("setup");
  const root = widgetRoot(el);
  const state = element("span", { role: "status" });
  const bar = element("progress", { max: end, value: 0, "aria-label": "训练进度 training progress" });
  const time = element("output");
  let interrupt = 0;
  const stop = button(["停止并保留", "Stop and keep"], () => {
    model.send({ stop: true });
    stop.disabled = true;
    // Some ipykernels (7.4) keep the message until the cell ends; then do what the interrupt button does.
    interrupt = setTimeout(() => {
      if (model.get("progress").state === "running") /** @type {any} */ (model.widget_manager)?.kernel?.interrupt();
    }, 1000);
  });
  const resume = button(["继续训练", "Continue"], () => {
    clearTimeout(interrupt);
    model.send({ resume: true });
    resume.disabled = true; // until the kernel has time for it
  });
  const charts = series.map(({ zh, en }) => {
    const value = element("output");
    const canvas = element("canvas", { role: "img", "aria-label": `${zh}的曲线 curve of ${en}` });
    return { value, canvas, framed: figure("vq-chart", [[zh, en], value], canvas, element("div", { class: "vq-axis" }, axis)) };
  });
  const preview = element("canvas", { role: "img", "aria-label": caption.join(" ") });
  const picture = figure("vq-picture", caption, preview);
  root.append(
    element("div", { class: "vq-row" }, element("span", { class: "vq-title" }, title), state),
    element("div", { class: "vq-row" }, bar, time, stop, resume),
    element("div", { class: "vq-row vq-charts" }, ...charts.map(({ framed }) => framed), picture),
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
    resume.hidden = !(resumes && name === "stopped");
    if (stop.hidden) stop.disabled = false;
    if (resume.hidden) resume.disabled = false;
    const numbers = numbersOf(model.get("points"), Float32Array);
    const columns = series.length + 1;
    charts.forEach(({ value, canvas }, i) => {
      const points = [];
      for (let row = 0; row < numbers.length; row += columns) points.push([numbers[row], numbers[row + i + 1]]);
      value.textContent = points.length ? points.at(-1)[1].toPrecision(4) : "";
      drawCurve(canvas, points, end, series[i].colour);
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
