import { asker, button, element, figure, span, widgetRoot } from "../../classroom/widget.js";
import { chart, onLookChange, sharpContext, themeColours } from "../../classroom/canvas.js";

const RUN_STATES = {
  ready: ["勾选几样，按“运行”", "Tick some, press Run"],
  running: ["训练中", "Training"],
  finished: ["训练结束", "Finished"],
  stopped: ["已提前停止", "Stopped early"],
  failed: ["出错了", "An error"],
};

// One curve over the steps; the runs before it thin and grey.
function drawRun(canvas, steps, before, curve, column, top) {
  const values = [...before, curve].flat().map((row) => row[column]);
  const low = top || !values.length ? 0 : Math.floor(Math.min(...values));
  const high = top || Math.max(low + 1, Math.ceil(Math.max(...values, 0)));
  const axes = chart(canvas, { x: [0, steps], y: [low, high], left: 30, right: 8, top: 6, upright: false });
  if (!axes) return;
  const points = (rows) => rows.map((row) => [row[0], row[column]]);
  before.forEach((rows) => axes.line(points(rows), "#999999", 0.8));
  axes.line(points(curve), "#0072b2", 2.4);
  if (curve.length) axes.dot([curve.at(-1)[0], curve.at(-1)[column]], "#0072b2");
}

function drawWhere(canvas, { z_e, codes, used }, reach) {
  const { context, width } = sharpContext(canvas);
  if (!width) return;
  const theme = themeColours(canvas);
  const inside = (x) => Math.min(reach, Math.max(-reach, x));
  const at = ([x, y]) => [inside(x), -inside(y)].map((v) => ((v + reach) / (2 * reach)) * (width - 12) + 6);
  context.strokeStyle = theme.faint;
  context.strokeRect(0.5, 0.5, width - 1, width - 1);
  context.fillStyle = "#e69f00";
  for (const point of z_e) {
    const [x, y] = at(point);
    context.fillRect(x - 1, y - 1, 2, 2);
  }
  context.strokeStyle = "#999999";
  context.lineWidth = 1.4;
  context.beginPath();
  codes.forEach((code, k) => {
    if (used[k]) return;
    const [x, y] = at(code);
    context.moveTo(x - 3, y - 3);
    context.lineTo(x + 3, y + 3);
    context.moveTo(x - 3, y + 3);
    context.lineTo(x + 3, y - 3);
  });
  context.stroke();
  context.lineWidth = 1;
  context.strokeStyle = theme.back;
  context.fillStyle = "#009e73";
  codes.forEach((code, k) => {
    if (!used[k]) return;
    const [x, y] = at(code);
    context.fillRect(x - 3.5, y - 3.5, 7, 7);
    context.strokeRect(x - 3.5, y - 3.5, 7, 7);
  });
}

/** @param {import("../../classroom/widget.js").Props} props */
function render({ model, el }) {
  const { steps, words, span: reach, remedies, before, alt } = model.get("setup");
  const root = widgetRoot(el);
  const boxes = remedies.map(([name, zh, en]) => {
    const input = element("input", { type: "checkbox", value: name, "aria-label": `${zh} ${en}` });
    return { input, label: element("label", { class: "vq-tick" }, input, " ", [zh, en]) };
  });
  const run = button(["运行", "Run"], () => {
    stopping = false;
    run.disabled = true;
    ask({ start: ticked() });
  });
  const stop = button(["停止", "Stop"], () => {
    stopping = true;
    stop.disabled = true;
  });
  const status = element("span", { role: "status" });
  const charts = [["使用率（%）", "usage (%)", 100], ["困惑度", "perplexity", 0], ["峰值信噪比（dB）", "PSNR (dB)", 0]]
    .map(([zh, en, top], i) => {
      const canvas = element("canvas", { role: "img", "aria-label": `${zh}的曲线 curve of ${en}` });
      const value = element("output");
      return { canvas, top, column: i + 1, value,
        framed: figure("vq-chart", [[zh, en], value], canvas) };
    });
  const where = element("canvas", { role: "img", "aria-label": alt });
  const body = element("tbody");
  const table = element("table", { class: "vq-ways" }, element("thead", {}, element("tr", {},
    ...[["补救", "remedies"], ["使用率", "usage"], ["困惑度", "perplexity"], ["训练照片（dB）", "training photos (dB)"],
      ["猫用的码字", "codes on the cat"], ["猫（dB）", "cat (dB)"]]
      .map((text) => element("th", { scope: "col" }, text)))), body);
  const error = element("p", { class: "vq-error", role: "alert" });
  root.append(
    element("div", { class: "vq-row", role: "group" }, ...boxes.map(({ label }) => label)),
    element("div", { class: "vq-row" }, run, stop, status),
    element("div", { class: "vq-row vq-charts vq-runs" }, ...charts.map(({ framed }) => framed),
      element("figure", { class: "vq-where" }, element("div", { class: "vq-plane" }, where))),
    element("p", { class: "vq-legend" }, [
      "蓝线：这一次；灰线：上面各次。平面上，橙点是 z_e，绿方块是有人选的码字，灰叉是没人选的。成绩在另一批小块上量。",
      "Blue: this run; grey: those above. On the plane, orange dots are z_e, green squares codes in use, grey crosses unused "
      + "ones. Results are measured on other crops."]),
    error, table);

  let stopping = false;
  const ticked = () => boxes.filter(({ input }) => input.checked).map(({ input }) => input.value);
  const draw = () => {
    const { state, curve, rows, request, error: message } = model.get("answer");
    const running = state === "running";
    if (running) ask(stopping ? { stop: true } : { go: true });
    else stopping = false;
    run.disabled = running;
    stop.disabled = !running;
    const step = curve.length ? curve.at(-1)[0] : 0;
    status.replaceChildren(span(...RUN_STATES[state]), " ", state === "ready" ? "" : span(`第 ${step} 步`, `step ${step}`));
    error.replaceChildren(message || "");
    charts.forEach(({ canvas, column, top, value }) => {
      value.textContent = curve.length ? String(Number(curve.at(-1)[column].toPrecision(3))) : "";
      drawRun(canvas, steps, before, curve, column, top);
    });
    drawWhere(where, model.get("answer"), reach);
    body.replaceChildren(...rows.map((row) => element("tr", {},
      element("th", { scope: "row" }, row.label, row.steps && row.steps < steps
        ? span(`（${row.steps} 步）`, `(${row.steps} steps)`) : ""),
      ...[`${(100 * row.usage).toFixed(0)} %`, row.perplexity.toFixed(0), row.psnr.toFixed(1),
        `${row.cat_codes} / ${words}`, row.cat_psnr.toFixed(1)].map((text) => element("td", {}, text)))));
    Object.assign(root.dataset, { answered: request, state, step, rows: rows.length });
  };
  const { ask, end } = asker(model, root, draw);
  draw();
  const ended = onLookChange(root, draw);
  return () => {
    end();
    ended();
  };
}

export default { render };
