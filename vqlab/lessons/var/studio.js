import { asker, element, numberList, slider, soon, widgetRoot, writeNumbers } from "../../classroom/widget.js";
import { drawPixels, onLookChange, sharpContext, themeColours } from "../../classroom/canvas.js";

// [[1, 1], [2, 2], …] -> the number of the first token of each scale: [0, 1, 5, …].
export function firsts(sides) {
  let sum = 0;
  return sides.map(([height, width]) => {
    sum += height * width;
    return sum - height * width;
  });
}

function render({ model, el }) {
  const { sliders, sides, alt } = model.get("setup");
  const root = widgetRoot(el);
  const start = firsts(sides);
  const total = start.at(-1) + sides.at(-1)[0] * sides.at(-1)[1];
  const values = { ...model.get("answer").values };
  let { token } = model.get("answer");

  const controls = element("div", { style: "display:grid;grid-template-columns:repeat(auto-fit,minmax(360px,1fr));gap:6px 28px" },
    ...sliders.map((each) => slider({ ...each, value: values[each.name] }, (value) => {
      values[each.name] = value;
      ask({ values, token });
    })));
  const which = slider({ zh: "看哪个 token", en: "token to look at", min: 0, max: total - 1, step: 1, value: token },
    (value) => look(value));
  const look = (n) => {
    token = n;
    which.querySelector("input").value = n;
    which.querySelector("output").textContent = n;
    ask({ values, token });
  };

  const columns = sides.map(([height, width], k) => {
    const name = `${height} × ${width}`;
    const picture = element("canvas", { role: "img", "aria-label": `写到 ${name} 的图 the picture up to ${name}` });
    picture.style.cssText = "width:104px;image-rendering:pixelated;display:block";
    const grid = element("canvas", { role: "img", "aria-label": `${name} 的 token the tokens of ${name}` });
    grid.style.cssText = "width:104px;height:104px;cursor:pointer;display:block;margin-top:6px";
    grid.addEventListener("pointerdown", (event) => {
      const [column, row] = [Math.floor((event.offsetX / 104) * width), Math.floor((event.offsetY / 104) * height)];
      if (row >= 0 && column >= 0 && row < height && column < width) look(start[k] + row * width + column);
    });
    return { picture, grid, figure: element("figure", {}, element("figcaption", {}, name), picture, grid) };
  });
  const belief = element("canvas", { role: "img", "aria-label":
    "这个 token 的近邻码字：替换后的图、两种概率 codes near this token: the picture with each of them, two probabilities" });
  belief.style.cssText = "width:100%;height:236px;display:block";
  const legend = element("p", { class: "vq-legend" }, ["框：模型给这一类的概率；实心：加上旋钮之后，真正抽签用的。最上面是抽中的。",
    "Frame: what the model gave it for this class; filled: after the sliders, what was drawn from. The drawn code is on top."]);
  const numbers = numberList();
  root.append(controls,
    element("div", { class: "vq-row vq-top" },
      element("div", { class: "vq-row", role: "group", "aria-label": alt, style: "flex:none;gap:8px 14px" },
        ...columns.map(({ figure }) => figure)),
      element("div", { class: "vq-side", style: "flex:1 1 300px;min-width:280px;gap:4px" }, belief, legend)),
    which, numbers);

  const draw = () => {
    const answer = model.get("answer");
    const [width, height] = answer.size;
    columns.forEach(({ picture }, k) => drawPixels(picture, model.get("pixels"), k * width * height * 3, width, height));
    drawGrids();
    drawBelief();
    write();
    Object.assign(root.dataset, { answered: answer.request, token: answer.token, tokens: answer.tokens.join(" ") });
  };
  const drawGrids = () => {
    const answer = model.get("answer");
    columns.forEach(({ grid }, k) => {
      const { context, width, height } = sharpContext(grid);
      if (!width) return;
      const theme = themeColours(grid);
      const [rows, across] = sides[k];
      const [w, h] = [width / across, height / rows];
      context.font = `${Math.min(13, 0.42 * w)}px sans-serif`;
      context.textAlign = "center";
      context.textBaseline = "middle";
      for (let place = 0; place < rows * across; place += 1) {
        const n = start[k] + place, p = answer.probabilities[n];
        const [x, y] = [(place % across) * w, Math.floor(place / across) * h];
        context.fillStyle = "#0072b2";
        context.globalAlpha = 0.12 + 0.88 * p;
        context.fillRect(x + 0.5, y + 0.5, w - 1, h - 1);
        context.globalAlpha = 1;
        context.fillStyle = p > 0.5 ? "#ffffff" : theme.text;
        context.fillText(String(answer.tokens[n]), x + w / 2, y + h / 2);
      }
      const chosen = answer.token - start[k];
      if (chosen < 0 || chosen >= rows * across) return;
      context.strokeStyle = "#d55e00";
      context.lineWidth = 3;
      context.strokeRect((chosen % across) * w + 1.5, Math.floor(chosen / across) * h + 1.5, w - 3, h - 3);
    });
  };
  const thumb = document.createElement("canvas");
  const drawBelief = () => {
    const answer = model.get("answer");
    const { context, width, height } = sharpContext(belief);
    if (!width) return;
    const theme = themeColours(belief);
    const [w, h] = answer.size;
    const line = height / answer.codes.length;
    const side = line - 3;
    const left = side + 40;
    const most = Math.max(0.1, ...answer.drawn_from, ...answer.belief); // the longest bar fills the room
    const room = (width - left - 44) / most;
    context.imageSmoothingEnabled = false;
    context.font = "12px sans-serif";
    context.textBaseline = "middle";
    answer.codes.forEach((code, i) => {
      const y = i * line;
      drawPixels(thumb, model.get("pixels"), (sides.length + i) * w * h * 3, w, h);
      context.drawImage(thumb, 0, y, side, side);
      context.fillStyle = theme.text;
      context.textAlign = "right";
      context.fillText(String(code), side + 32, y + side / 2);
      context.fillStyle = i ? "#56b4e9" : "#d55e00";
      context.fillRect(left, y + 4, room * answer.drawn_from[i], side - 8);
      context.strokeStyle = theme.text;
      context.lineWidth = 1;
      context.strokeRect(left, y + 4, Math.max(1, room * answer.belief[i]), side - 8);
      context.fillStyle = theme.text;
      context.textAlign = "left";
      const longest = Math.max(answer.drawn_from[i], answer.belief[i]);
      context.fillText(`${(100 * answer.drawn_from[i]).toFixed(0)} %`, left + room * longest + 6, y + side / 2);
    });
  };
  const write = soon(() => {
    const answer = model.get("answer");
    const chance = answer.drawn_from.reduce((sum, p) => sum + p, 0);
    writeNumbers(numbers, [
      [["这个 token 抽中的码字", "code this token drew"], `${answer.codes[0]}`],
      [["可以抽到的码字", "codes it could have drawn"], `${answer.possible}`],
      [["这几个近邻合起来", "these neighbours together"], `${(100 * chance).toFixed(0)} %`],
      [["平均每个 token 的意外", "mean surprise a token"], [`${answer.bits.toFixed(2)} 比特`, `${answer.bits.toFixed(2)} bits`]],
    ]);
  });
  const { ask, end } = asker(model, root, draw);
  draw();
  const ended = onLookChange(root, () => {
    drawGrids();
    drawBelief();
  });
  return () => {
    end();
    ended();
  };
}

export default { render };
