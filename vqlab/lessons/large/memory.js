import { element, numberList, radios, slider, widgetRoot, writeNumbers } from "../../classroom/widget.js";
import { onLookChange, sharpContext, themeColours } from "../../classroom/canvas.js";

// As memory_of in memory.py: bytes of each part.
export function memoryOf(n, k, d, itemsize, chunk) {
  return { vectors: n * d * itemsize, codebook: k * d * itemsize, indices: n * 8,
    chunk: Math.min(n, Math.max(1, Math.floor(chunk / k))) * k * itemsize, scores: n * k * itemsize,
    differences: n * k * d * itemsize };
}

// As bytes_said in memory.py.
export function bytesSaid(number) {
  const units = ["B", "KiB", "MiB", "GiB", "TiB", "PiB"];
  let unit = 0;
  while (number >= 1024 && unit < units.length - 1) {
    number /= 1024;
    unit += 1;
  }
  return `${Number(number.toPrecision(3))} ${units[unit]}`;
}

function render({ model, el }) {
  const setup = model.get("setup");
  const { parts, machines, precisions, chunk, alt } = setup;
  const root = widgetRoot(el);
  const power = { n: Math.log2(setup.n), k: Math.log2(setup.k), d: Math.log2(setup.d) };
  let itemsize = 4;

  const canvas = element("canvas", { role: "img", "aria-label": alt });
  canvas.style.cssText = "width:100%;height:262px;display:block";
  const numbers = numberList();
  const powerSlider = (key, zh, en, min, max) => {
    const made = slider({ zh, en, min, max, step: 1, value: power[key] }, (value) => {
      power[key] = value;
      say();
      draw();
    });
    const [input, output] = [made.querySelector("input"), made.querySelector("output")];
    const say = () => { // the number itself, not its power
      output.textContent = String(2 ** power[key]);
      input.setAttribute("aria-valuetext", String(2 ** power[key]));
    };
    say();
    return made;
  };
  root.append(
    powerSlider("n", "向量 N", "vectors N", 6, 24),
    powerSlider("k", "码字 K", "codes K", 4, 20),
    powerSlider("d", "维数 D", "dimensions D", 1, 10),
    radios(["每个数", "each number"], precisions.map(([name, size]) => [size, name, name]), itemsize, (size) => {
      itemsize = size;
      draw();
    }),
    canvas, numbers);

  const draw = () => {
    const [n, k, d] = [2 ** power.n, 2 ** power.k, 2 ** power.d];
    const memory = memoryOf(n, k, d, itemsize, chunk);
    const inputs = memory.vectors + memory.codebook;
    const times = memory.scores / inputs;
    const fits = machines.find(([size]) => memory.scores < size);
    writeNumbers(numbers, [
      [["分数矩阵", "the matrix of scores"], bytesSaid(memory.scores)],
      [["是输入的", "times its inputs"], `× ${Number(times.toPrecision(3))}`],
      [["放得下的最小机器", "smallest machine it fits"], fits ? [fits[1], fits[2]] : ["都放不下", "none of them"]],
    ]);
    Object.assign(root.dataset, { n, k, d, itemsize, scores: memory.scores });

    const { context, width, height } = sharpContext(canvas);
    if (!width) return;
    const theme = themeColours(canvas);
    const [left, right, top, bottom] = [178, 76, 34, 24];
    const [low, high] = [10, 56]; // powers of two of bytes: 1 KiB … 64 PiB
    const x = (bytes) => left + ((Math.log2(bytes) - low) / (high - low)) * (width - left - right);
    const row = (height - top - bottom) / parts.length;
    context.font = "12px sans-serif";
    context.textBaseline = "middle";
    for (let decade = low; decade <= high; decade += 10) {
      context.strokeStyle = theme.faint;
      context.lineWidth = 1;
      context.beginPath();
      context.moveTo(x(2 ** decade), top);
      context.lineTo(x(2 ** decade), height - bottom);
      context.stroke();
      context.fillStyle = theme.text;
      context.textAlign = "center";
      context.fillText(bytesSaid(2 ** decade), x(2 ** decade), height - bottom / 2);
    }
    const beyond = machines[machines.length - 1][0];
    parts.forEach(([name, zh, en], i) => {
      const [y, end] = [top + i * row, Math.max(left + 2, x(memory[name]))];
      const tooLarge = memory[name] > beyond;
      const colour = tooLarge ? "#d55e00" : name === "scores" || name === "differences" ? "#e69f00" : "#0072b2";
      context.fillStyle = colour;
      context.globalAlpha = 0.8;
      context.fillRect(left, y + 0.16 * row, end - left, 0.68 * row);
      context.globalAlpha = 1;
      if (tooLarge) { // hatched too, for those who don't see the colour
        context.strokeStyle = theme.back;
        context.lineWidth = 2;
        context.save();
        context.beginPath();
        context.rect(left, y + 0.16 * row, end - left, 0.68 * row);
        context.clip();
        context.beginPath();
        for (let at = left - row; at < end; at += 9) {
          context.moveTo(at, y + row);
          context.lineTo(at + row, y);
        }
        context.stroke();
        context.restore();
      }
      context.fillStyle = theme.text;
      context.textAlign = "right";
      context.fillText(zh, left - 8, y + 0.32 * row);
      context.fillText(en, left - 8, y + 0.72 * row);
    });
    machines.forEach(([size, zh, en], i) => {
      context.strokeStyle = theme.text;
      context.lineWidth = 1.5;
      context.setLineDash([5, 4]);
      context.beginPath();
      context.moveTo(x(size), top - 4);
      context.lineTo(x(size), height - bottom);
      context.stroke();
      context.setLineDash([]);
      context.fillStyle = theme.text;
      context.textAlign = /** @type {CanvasTextAlign[]} */ (["right", "center", "left"])[i];
      const at = x(size) + [4, 6, 2][i];
      if (zh !== en) context.fillText(zh, at, 8);
      context.fillText(en, at, zh === en ? 15 : 22);
    });
    context.textAlign = "left";
    parts.forEach(([name], i) => { // last, on a ground of their own: the machines' lines would cross them out
      const [said, at, y] = [bytesSaid(memory[name]), Math.max(left + 2, x(memory[name])) + 6, top + (i + 0.5) * row];
      context.fillStyle = theme.back;
      context.fillRect(at - 3, y - 8, context.measureText(said).width + 6, 16);
      context.fillStyle = theme.text;
      context.fillText(said, at, y);
    });
  };
  draw();
  return onLookChange(canvas, draw);
}

export default { render };
