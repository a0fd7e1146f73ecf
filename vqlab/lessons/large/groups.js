import { element, numberList, slider, widgetRoot, writeNumbers } from "../../classroom/widget.js";
import { numbersOf, onLookChange, sharpContext, themeColours } from "../../classroom/canvas.js";

// As opened_groups and slow_work in groups.py, with the minima and the best of the row.
export function twoLevels(row, groups, slack) {
  const size = row.length / groups;
  const minima = Array.from({ length: groups }, (_, g) => Math.min(...row.slice(g * size, (g + 1) * size)));
  const best = Math.min(...minima);
  const opened = minima.map((minimum) => minimum <= best + slack);
  const candidates = row.reduce((count, score) => count + (score <= best + slack), 0);
  return { minima, best, opened, candidates, winner: row.indexOf(best),
    work: groups + opened.filter(Boolean).length * size };
}

function render({ model, el }) {
  const { alt, vectors, codes } = model.get("setup");
  const all = numbersOf(model.get("scores"), Float32Array);
  const root = widgetRoot(el);
  const state = { vector: 0, power: 3, slack: 0 };
  const powers = Math.log2(codes);

  const canvas = element("canvas", { role: "img", "aria-label": alt });
  canvas.style.cssText = "width:100%;height:270px;display:block";
  const numbers = numberList();
  const groupSlider = slider({ zh: "组数 G", en: "groups G", min: 0, max: powers, step: 1, value: state.power },
    (value) => {
      state.power = value;
      say();
      draw();
    });
  const say = () => {
    groupSlider.querySelector("output").textContent = String(2 ** state.power);
    groupSlider.querySelector("input").setAttribute("aria-valuetext", String(2 ** state.power));
  };
  say();
  root.append(
    groupSlider,
    slider({ zh: "舍入的界（放大了看）", en: "rounding bound (magnified)", min: 0, max: 1, step: 0.02, value: 0 },
      (value) => {
        state.slack = value;
        draw();
      }),
    slider({ zh: "哪个向量", en: "which vector", min: 0, max: vectors - 1, step: 1, value: 0 }, (value) => {
      state.vector = value;
      draw();
    }),
    canvas, numbers, element("p", { class: "vq-legend" }, [
      "点：到每个码字的距离²（只画近的三成）。绿色短横：各组的最小值。朱红虚线：最小值，和它加上舍入的界。斜线橙底：要打开的组。",
      "Dots: squared distance to each code (the nearest three tenths). Green bars: each group's minimum. Dashed vermilion: the best, and best plus "
      + "bound. Hatched orange: the groups to open."]));

  const draw = () => {
    const row = Array.from(all.subarray(state.vector * codes, (state.vector + 1) * codes));
    const groups = 2 ** state.power;
    const size = codes / groups;
    const highest = [...row].sort((a, b) => a - b)[Math.floor(0.3 * codes)]; // the lower third: there it is decided
    const slack = state.slack * 0.5 * highest;
    const { minima, best, opened, candidates, winner, work } = twoLevels(row, groups, slack);
    const count = opened.filter(Boolean).length;
    writeNumbers(numbers, [
      [["打开的组", "groups opened"], `${count} / ${groups}`],
      [["要逐个找位置的分数", "scores searched for a position"], `${groups} + ${count} × ${size} = ${work}`],
      [["一层时", "with one level"], codes],
      [["候选", "candidates"], candidates],
      [["赢家", "winner"], winner],
    ]);
    Object.assign(root.dataset, { groups, opened: count, work, winner, candidates, vector: state.vector });

    const { context, width, height } = sharpContext(canvas);
    if (!width) return;
    const theme = themeColours(canvas);
    const [left, right, top, bottom] = [44, 12, 8, 30];
    const x = (code) => left + (code / codes) * (width - left - right);
    const y = (score) => height - bottom - (score / highest) * (height - top - bottom);
    opened.forEach((open, g) => {
      if (!open) return;
      const [start, end] = [x(g * size), Math.max(x((g + 1) * size), x(g * size) + 1.5)];
      context.save();
      context.beginPath();
      context.rect(start, top, end - start, height - top - bottom);
      context.clip();
      context.fillStyle = "rgba(230, 159, 0, 0.28)";
      context.fillRect(start, top, end - start, height);
      context.strokeStyle = "rgba(230, 159, 0, 0.9)";
      context.lineWidth = 1;
      context.beginPath();
      for (let at = start - height; at < end; at += 12) {
        context.moveTo(at, height - bottom);
        context.lineTo(at + height, -bottom);
      }
      context.stroke();
      context.restore();
    });
    context.strokeStyle = theme.text;
    context.globalAlpha = groups > 128 ? 0.12 : 0.3;
    context.lineWidth = 1;
    context.beginPath();
    for (let g = 0; g <= groups; g++) {
      context.moveTo(x(g * size), top);
      context.lineTo(x(g * size), height - bottom);
    }
    context.stroke();
    context.globalAlpha = 1;
    row.forEach((score, code) => {
      if (score > highest) return;
      context.fillStyle = score <= best + slack ? "#d55e00" : theme.text;
      context.globalAlpha = score <= best + slack ? 1 : opened[Math.floor(code / size)] ? 0.8 : 0.3;
      context.fillRect(x(code + 0.5) - 1.2, y(score) - 1.2, 2.4, 2.4);
    });
    context.globalAlpha = 1;
    context.strokeStyle = "#009e73";
    context.lineWidth = 2.5;
    context.beginPath();
    minima.forEach((minimum, g) => {
      if (minimum > highest) return;
      context.moveTo(x(g * size), y(minimum));
      context.lineTo(x((g + 1) * size), y(minimum));
    });
    context.stroke();
    context.strokeStyle = "#d55e00";
    context.lineWidth = 1.5;
    context.setLineDash([6, 4]);
    context.beginPath();
    for (const level of slack ? [best, best + slack] : [best]) {
      context.moveTo(left, y(level));
      context.lineTo(width - right, y(level));
    }
    context.stroke();
    context.setLineDash([]);
    context.beginPath();
    context.arc(x(winner + 0.5), y(best), 6, 0, 7);
    context.stroke();
    context.fillStyle = theme.text;
    context.font = "12px sans-serif";
    context.textAlign = "center";
    context.textBaseline = "alphabetic";
    for (let tick = 0; tick <= 4; tick++) context.fillText(String((tick * codes) / 4), Math.min(x((tick * codes) / 4), width - 20), height - 15);
    context.fillText("码字 code", (left + width) / 2, height - 2);
    context.save();
    context.translate(12, (top + height - bottom) / 2);
    context.rotate(-Math.PI / 2);
    context.fillText("距离² distance²", 0, 0);
    context.restore();
    context.textAlign = "right";
    for (const share of [0, 0.5, 1]) {
      context.fillText(String(Number((share * highest).toPrecision(2))), left - 5, y(share * highest) + (share === 1 ? 10 : 4));
    }
  };
  draw();
  return onLookChange(canvas, draw);
}

export default { render };
