import { button, element, figure, numberList, slider, span, widgetRoot, writeNumbers } from "../../classroom/widget.js";
import { chart, diamond, disc, onLookChange, plane } from "../../classroom/canvas.js";

// The nearest code of each vector, the lowest index on ties, as vqlab.nearest_code says.
function nearestCodes(vectors, codes) {
  return vectors.map(([x, y]) => {
    let best = 0, least = Infinity;
    codes.forEach(([a, b], k) => {
      const distance = (x - a) ** 2 + (y - b) ** 2;
      if (distance < least) [best, least] = [k, distance];
    });
    return best;
  });
}

// One step of gradient descent, as Chase.step in chase.py has it from autograd.
function chaseStep({ z_e, codes, targets }, beta, rate) {
  const chosen = nearestCodes(z_e, codes);
  const pull = codes.map(() => [0, 0]);
  chosen.forEach((k, i) => [0, 1].forEach((d) => { pull[k][d] += codes[k][d] - z_e[i][d]; }));
  return {
    targets,
    z_e: z_e.map((z, i) => z.map((x, d) => {
      const code = codes[chosen[i]][d];
      return x - rate * ((code - targets[i][d]) + beta * (x - code)); // straight through + commitment
    })),
    codes: codes.map((code, k) => code.map((x, d) => x - rate * pull[k][d])),
  };
}

function chaseNumbers({ z_e, codes, targets }) {
  const chosen = nearestCodes(z_e, codes);
  const mean = (from, to) => chosen.reduce((sum, k, i) =>
    sum + Math.hypot(from(k, i)[0] - to(k, i)[0], from(k, i)[1] - to(k, i)[1]), 0) / chosen.length;
  return { chosen, gap: mean((k, i) => z_e[i], (k) => codes[k]), error: mean((k) => codes[k], (k, i) => targets[i]) };
}

/** @param {import("../../classroom/widget.js").Props} props */
function render({ model, el }) {
  const { z_e, codes, targets, rate, span: reach, beta: firstBeta, largest, alt } = model.get("setup");
  const root = widgetRoot(el);
  let state, steps, switched, history;
  let beta = firstBeta;
  let playing = false, frame = 0, last = 0;

  const { box, canvas, open } = plane(-reach, reach, alt);
  const curves = element("canvas", { role: "img",
    "aria-label": "z_e 到码字的距离与重建误差随步数变化的曲线 distance from z_e to its code, and error, over the steps" });
  const restart = () => {
    state = { z_e, codes, targets };
    steps = switched = 0;
    const { gap, error } = chaseNumbers(state);
    history = [[gap, error]];
    draw();
  };
  const advance = () => {
    const before = nearestCodes(state.z_e, state.codes);
    state = chaseStep(state, beta, rate);
    const { chosen, gap, error } = chaseNumbers(state);
    switched += chosen.filter((k, i) => k !== before[i]).length;
    steps += 1;
    history.push([gap, error]);
  };
  const tick = (now) => {
    if (!playing) return;
    if (now - last >= 40) { // 25 steps a second
      last = now;
      advance();
      draw();
    }
    frame = requestAnimationFrame(tick);
  };
  const play = (yes) => {
    playing = yes;
    playButton.replaceChildren(yes ? span("暂停 (P)", "Pause (P)") : span("播放 (P)", "Play (P)"));
    cancelAnimationFrame(frame);
    if (yes) frame = requestAnimationFrame(tick);
  };
  const one = () => {
    play(false);
    advance();
    draw();
  };
  const playButton = button(["播放 (P)", "Play (P)"], () => play(!playing));
  const buttons = element("div", { class: "vq-row" }, playButton,
    button(["走一步 (S)", "One step (S)"], one), button(["从头开始 (R)", "Restart (R)"], () => restart()));
  root.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const act = { p: () => play(!playing), s: one, r: restart }[event.key.toLowerCase()];
    if (act) act();
  });

  const numbers = numberList();
  const betaSlider = slider({ zh: "承诺的权重 β", en: "commitment weight β", min: 0, max: largest, step: 0.05,
    value: beta }, (value) => {
    beta = value; // the next step is the first to differ
  });
  root.append(betaSlider, buttons, element("div", { class: "vq-row vq-top" }, box,
    element("div", { class: "vq-side" }, numbers,
      figure("vq-chart", ["实线（橙）：z_e 到码字的距离；虚线：误差", "solid (orange): distance z_e to code; dashed: error"],
        curves),
      element("p", { class: "vq-legend" }, [
        "橙圆：z_e，连着它选的码字（绿方块）。紫菱形：目标。解码器是恒等映射。",
        "Orange circles: z_e, tied to the code they chose (green squares). Purple diamonds: targets. The decoder is "
        + "the identity."]))));

  const draw = () => {
    const { chosen, gap, error } = chaseNumbers(state);
    writeNumbers(numbers, [
      [["步数", "step"], steps], [["z_e 到码字的距离", "distance z_e to code"], gap.toFixed(3)],
      [["误差（码字到目标）", "error (code to target)"], error.toFixed(3)],
      [["累计换码字次数", "changes of code so far"], switched],
    ]);
    Object.assign(root.dataset, { step: steps, gap, error, switched, playing });

    const pen = open();
    if (!pen) return;
    const { context, theme, width, at } = pen;
    context.strokeStyle = theme.faint;
    context.strokeRect(0.5, 0.5, width - 1, width - 1);
    context.strokeStyle = theme.text;
    context.lineWidth = 0.8;
    context.beginPath();
    state.z_e.forEach((z, i) => {
      context.moveTo(...at(z));
      context.lineTo(...at(state.codes[chosen[i]]));
    });
    context.stroke();
    context.fillStyle = "#cc79a7";
    for (const target of targets) {
      diamond(context, ...at(target), 5);
      context.fill();
    }
    for (const z of state.z_e) disc(context, ...at(z), 5, "#e69f00");
    context.fillStyle = "#009e73";
    for (const code of state.codes) {
      const [x, y] = at(code);
      context.fillRect(x - 7, y - 7, 14, 14);
    }
    drawHistory();
  };
  const drawHistory = () => {
    const axes = chart(curves, { x: [0, Math.max(100, history.length - 1)],
      y: [0, Math.max(1, ...history.flat()) * 1.05], left: 30, top: 6, right: 10 });
    if (!axes) return;
    axes.line(history.map(([, error], i) => [i, error]), axes.theme.text, 2, [4, 3]);
    axes.line(history.map(([gap], i) => [i, gap]), "#e69f00");
  };
  restart();
  const ended = onLookChange(canvas, draw);
  return () => {
    play(false);
    ended();
  };
}

export { chaseNumbers, chaseStep, nearestCodes };
export default { render };
