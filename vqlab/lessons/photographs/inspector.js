import { asker, element, figure, numberList, radios, widgetRoot, writeNumbers } from "../../classroom/widget.js";
import { numbersOf, onLookChange, sharpContext, themeColours } from "../../classroom/canvas.js";
import { PATCH, codeBook, frame, tokenBoard } from "./board.js";

const GRID = 8; // tokens to each side of the pointer
const LAYERS = [["uses", "#0072b2", "■", "同一码字的 token", "tokens with this code"],
  ["sees", "#e69f00", "┅", "它看到的像素", "pixels it sees"], ["draws", "#009e73", "□", "它画到的像素", "pixels it draws"]];

/** @param {import("../../classroom/widget.js").Props} props */
function render({ model, el }) {
  const { codes, size: [rows, columns], alt } = model.get("setup");
  const root = widgetRoot(el);
  const book = codeBook(model.get("patches"), codes);
  const tokens = numbersOf(model.get("tokens"), Uint16Array);
  const shown = { uses: true, sees: true, draws: true };
  let marked = model.get("answer").code; // whose uses are shown: the token's own code, or a neighbour of it
  const bytes = 3 * PATCH * PATCH * rows * columns;

  const showPicture = (which) => {
    const all = model.get("pictures");
    board.put(new DataView(all.buffer, all.byteOffset + which * bytes, bytes), [0, 0, rows, columns]);
    picked = which;
  };
  let picked = 0;

  // what a token sees or draws, tinted: as strong as its weight
  const tints = {};
  const tint = (name, [, , height, width], start) => {
    const weights = new Uint8Array(model.get("weights").buffer, model.get("weights").byteOffset + start, height * width);
    const colour = LAYERS.find(([layer]) => layer === name)[1];
    const image = new ImageData(width, height);
    weights.forEach((weight, i) => image.data.set([1, 3, 5].map((at) => parseInt(colour.slice(at, at + 2), 16))
      .concat(0.6 * weight), 4 * i));
    tints[name] = new OffscreenCanvas(width, height);
    tints[name].getContext("2d").putImageData(image, 0, 0);
  };

  const drawMarks = (context, side, place) => {
    const answer = model.get("answer");
    const scale = side / PATCH;
    /** @returns {[number, number, number, number]} */
    const box = ([top, left, height, width]) => [left * scale, top * scale, width * scale, height * scale];
    if (place) { // the grid around the pointer, while one looks for a token
      const [top, left] = [Math.max(0, place.row - GRID), Math.max(0, place.column - GRID)];
      const [bottom, right] = [Math.min(rows, place.row + GRID + 1), Math.min(columns, place.column + GRID + 1)];
      context.strokeStyle = "rgba(255, 255, 255, 0.5)";
      context.lineWidth = 1;
      context.beginPath();
      for (let row = top; row <= bottom; row += 1) { context.moveTo(left * side, row * side); context.lineTo(right * side, row * side); }
      for (let column = left; column <= right; column += 1) {
        context.moveTo(column * side, top * side);
        context.lineTo(column * side, bottom * side);
      }
      context.stroke();
    }
    context.imageSmoothingEnabled = false;
    for (const name of ["draws", "sees"]) {
      if (!shown[name]) continue;
      context.drawImage(tints[name], ...box(answer[name]));
      context.setLineDash(name === "sees" ? [5, 3] : []);
      frame(context, ...box(answer[name]), LAYERS.find(([layer]) => layer === name)[1]);
      context.setLineDash([]);
    }
    if (shown.uses) {
      tokens.forEach((code, i) => {
        if (code !== marked) return;
        const [x, y] = [(i % columns) * side, Math.floor(i / columns) * side];
        context.fillStyle = "#ffffff";
        context.fillRect(x, y, side, side);
        context.fillStyle = LAYERS[0][1];
        context.fillRect(x + 1, y + 1, side - 2, side - 2);
      });
    }
    frame(context, answer.column * side, answer.row * side, side, side, "#d55e00");
    if (place) frame(context, place.column * side, place.row * side, side, side, "#000000");
  };
  const pick = (place) => ask(place);
  const board = tokenBoard(["照片：点一个 token", "The picture: click a token"], { press: pick, drag: pick, walk: pick,
    draw: drawMarks });

  const ticks = LAYERS.map(([name, colour, sign, zh, en]) => {
    const input = element("input", { type: "checkbox", value: name });
    input.checked = true;
    input.addEventListener("change", () => {
      shown[name] = input.checked;
      board.mark();
    });
    return element("label", { class: "vq-tick" }, input, element("span", { style: `color:${colour}`, "aria-hidden": "true" }, sign), [zh, en]);
  });
  const which = radios(["背景", "Picture"], [[0, "原图", "original"], [1, "由 token 画回的", "drawn from the tokens"]], 0,
    (value) => showPicture(value));

  const patches = [["原图在这里", "original here"], ["画回的在这里", "drawn here"], ["这个码字，四周都是它", "the code among its like"]]
    .map(([zh, en]) => {
      const canvas = element("canvas", { role: "img", "aria-label": `${zh} ${en}` });
      canvas.style.cssText = "width:72px;height:72px;display:block;image-rendering:pixelated";
      return { canvas, framed: element("figure", { style: "width:96px" }, canvas, element("figcaption", { style: "font-size:0.9em" }, [zh, en])) };
    });
  const near = element("div", { class: "vq-row", style: "gap:6px", role: "group",
    "aria-label": "码本里最近的码字 the nearest codes in the codebook" });
  const numbers = numberList();
  root.append(
    element("div", { class: "vq-row" }, which),
    element("div", { class: "vq-row" }, ...ticks),
    element("div", { class: "vq-row vq-top", role: "group", "aria-label": alt },
      element("div", { style: "flex:1 1 520px;min-width:260px;max-width:600px" }, board.box),
      element("div", { class: "vq-side", style: "flex:1 1 290px;min-width:260px" }, numbers,
        element("div", { class: "vq-row", style: "gap:10px;align-items:flex-start" }, ...patches.map(({ framed }) => framed)),
        figure("", ["码本里最近的 8 个码字，和到它们的距离；点一个，看它用在哪里",
          "The 8 nearest codes in the codebook and how far they are; click one to see where it is used"], near))),
    element("p", { class: "vq-legend" }, ["点照片，或用方向键走（Shift 一次 8 格）。颜色越浓，那个像素对它的影响越大，或被它改得越多。",
      "Click the picture, or walk with the arrow keys (with Shift by 8). The stronger the colour, the more a pixel bears on the "
      + "token, or is changed by it."]));

  const drawPatches = () => {
    const { row, column, code } = model.get("answer");
    const whole = model.get("pictures");
    patches.forEach(({ canvas }, i) => {
      const { context, width } = sharpContext(canvas);
      if (i === 2) {
        book.draw(context, code, 0, 0, width);
        return;
      }
      const rgb = new Uint8Array(whole.buffer, whole.byteOffset + i * bytes, bytes);
      const side = width / PATCH;
      for (let y = 0; y < PATCH; y += 1) {
        for (let x = 0; x < PATCH; x += 1) {
          const at = 3 * ((PATCH * row + y) * PATCH * columns + PATCH * column + x);
          context.fillStyle = `rgb(${rgb[at]}, ${rgb[at + 1]}, ${rgb[at + 2]})`;
          context.fillRect(x * side, y * side, side + 0.5, side + 0.5);
        }
      }
    });
  };
  let places = []; // of the neighbours' patches
  const drawNear = () => places.forEach(({ canvas, code }) => {
    const { context, width } = sharpContext(canvas);
    if (width) book.draw(context, code, 0, 0, width);
    canvas.style.outline = code === marked ? `3px solid ${LAYERS[0][1]}` : `1px solid ${themeColours(canvas).faint}`;
  });
  const mark = (code) => {
    marked = code;
    root.dataset.marked = String(code);
    root.dataset.uses = String(tokens.reduce((sum, each) => sum + Number(each === code), 0));
    const { code: own, gap, row, column } = model.get("answer");
    const uses = `${root.dataset.uses} / ${tokens.length}`;
    writeNumbers(numbers, [
      [["位置", "place"], [`第 ${row + 1} 行第 ${column + 1} 列`, `row ${row + 1}, column ${column + 1}`]],
      [["token 编号", "token number"], own],
      [code === own ? ["用它的 token", "tokens with it"] : [`用 ${code} 的 token`, `tokens with ${code}`], uses],
      [["z_e 到它", "z_e to its code"], gap.toFixed(2)],
    ]);
    drawNear();
    board.mark();
  };
  const draw = () => {
    const answer = model.get("answer");
    tint("sees", answer.sees, 0);
    tint("draws", answer.draws, answer.sees[2] * answer.sees[3]);
    places = answer.neighbours.map((code, i) => {
      const canvas = element("canvas", { "aria-hidden": "true" });
      canvas.style.cssText = "width:40px;height:40px;display:block";
      const made = element("button", { type: "button", style: "padding:3px", "aria-label":
        `码字 ${code}，距离 ${answer.distances[i].toFixed(2)} code ${code}, distance ${answer.distances[i].toFixed(2)}` },
      canvas, element("span", { style: "font-size:0.85em" }, answer.distances[i].toFixed(2)));
      made.addEventListener("click", () => mark(code));
      return { canvas, code, made };
    });
    near.replaceChildren(...places.map(({ made }) => made));
    drawPatches();
    mark(answer.code);
    Object.assign(root.dataset, { answered: answer.request, row: answer.row, column: answer.column, code: answer.code });
    board.over.setAttribute("aria-description", `码字 code ${answer.code}`);
  };
  const { ask, end } = asker(model, root, draw);
  board.resize(rows, columns);
  board.move(model.get("answer"));
  showPicture(picked);
  draw();
  const ended = [board.watch(), onLookChange(near, () => {
    drawPatches();
    drawNear();
  })];
  return () => {
    end();
    ended.forEach((stop) => stop());
  };
}

export default { render };
