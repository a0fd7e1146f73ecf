import { asker, button, element, figure, numberList, radios, slider, soon, widgetRoot, writeNumbers } from "../../classroom/widget.js";
import { numbersOf, onLookChange, sharpContext } from "../../classroom/canvas.js";
import { codeBook, frame, tokenBoard } from "./board.js";

const VERMILION = "#d55e00";
const MODES = [["code", "一个码字", "one code"], ["stamp", "一块", "a piece"], ["pick", "取一块", "pick a piece"],
  ["erase", "橡皮", "eraser"]];

/**
 * The tokens on the way from one to another, without the first.
 * @param {import("./board.js").Place} from
 * @param {import("./board.js").Place} to
 */
export function between(from, to) {
  const steps = Math.max(Math.abs(to.row - from.row), Math.abs(to.column - from.column));
  return Array.from({ length: steps }, (_, i) => ({
    row: Math.round(from.row + ((i + 1) / steps) * (to.row - from.row)),
    column: Math.round(from.column + ((i + 1) / steps) * (to.column - from.column)) }));
}

/**
 * Where a piece is laid on a way, so that one ends where the next begins; not where it lies already, on the way's start.
 * @param {import("./board.js").Place[]} way
 * @param {import("./board.js").Place} first where one was laid, at the beginning of the stroke
 * @param {number} height of the piece
 * @param {number} width
 */
export function sideBySide(way, first, height, width) {
  const snap = (/** @type {number} */ to, /** @type {number} */ from, /** @type {number} */ step) =>
    from + step * Math.round((to - from) / step);
  const snapped = way.map(({ row, column }) => ({ row: snap(row, first.row, height), column: snap(column, first.column, width) }));
  return snapped.filter(({ row, column }, i) => i && (row !== snapped[i - 1].row || column !== snapped[i - 1].column));
}

/** @param {import("../../classroom/widget.js").Props} props */
function render({ model, el }) {
  const { codes, order, files, alt } = model.get("setup");
  const root = widgetRoot(el);
  const book = codeBook(model.get("patches"), codes);
  let mode = "code";
  let size = 3;
  const vivid = (/** @type {number} */ code) => Math.max(...book.colour(code)) - Math.min(...book.colour(code));
  let chosen = order.reduce((best, code, place) => (vivid(code) > vivid(order[best]) ? place : best), 0); // in the palette
  let tokens = new Uint16Array(0);
  let [rows, columns] = [0, 0];
  let last = null; // the token painted last in this stroke, and its first
  let first = null;

  // what is done while Python computes goes with the next message, all of it
  const pending = [];
  const content = { get acts() { return pending.splice(0); } };
  const tell = (...acts) => {
    pending.push(...acts);
    ask(content);
  };

  const brush = () => {
    const stamp = model.get("answer").brush;
    return mode === "stamp" && stamp.length ? [stamp.length, stamp[0].length] : [size, size];
  };
  const corner = ({ row, column }) => {
    const [height, width] = brush();
    return [row - Math.floor((height - 1) / 2), column - Math.floor((width - 1) / 2)];
  };
  const dab = (place) => {
    const at = corner(place);
    if (mode === "code") return ["code", ...at, size, order[chosen]];
    if (mode === "erase") return ["erase", ...at, size];
    return ["stamp", ...at];
  };
  const press = (place) => {
    if (mode === "pick") {
      last = null;
      tell(["pick", ...corner(place), size]);
      setMode("stamp");
      return;
    }
    first = last = place;
    tell(["stroke"], dab(place));
  };
  const drag = (place) => {
    if (!last) return; // a piece was picked
    let places = between(last, place);
    if (mode === "stamp") { // side by side, not one over the other
      const [height, width] = brush();
      places = sideBySide([last, ...places], first, height, width);
    }
    last = place;
    if (places.length) tell(...places.map(dab));
  };
  const outline = (context, side, place) => {
    if (!place) return;
    const [height, width] = brush();
    const [top, left] = corner(place);
    context.setLineDash(mode === "pick" ? [5, 3] : []);
    frame(context, left * side, top * side, width * side, height * side, mode === "erase" ? "#0072b2" : VERMILION);
  };
  const acts = { press, drag, draw: outline };
  const picture = tokenBoard(["照片：在上面画", "The picture: paint on it"], acts);
  const map = tokenBoard(["token 图：在上面画", "The map of tokens: paint on it"], { ...acts, cell: 1 });
  const boards = [picture, map];

  const across = codes > 1024 ? 64 : 32;
  const palette = element("canvas", { role: "slider", tabindex: 0, "aria-label": "调色板：选一个码字 palette: choose a code",
    "aria-valuemin": 0, "aria-valuemax": codes - 1 });
  palette.style.cssText = `display:block;width:100%;aspect-ratio:${across} / ${Math.ceil(codes / across)};cursor:pointer;touch-action:none`;
  const drawPalette = () => {
    const { context, width } = sharpContext(palette);
    const side = width / across;
    /** @returns {[number, number]} */
    const at = (place) => [(place % across) * side, Math.floor(place / across) * side];
    order.forEach((code, place) => book.draw(context, code, ...at(place), side));
    frame(context, ...at(chosen), side, side, VERMILION);
  };
  const choose = (place) => {
    chosen = Math.min(codes - 1, Math.max(0, place));
    palette.setAttribute("aria-valuenow", String(chosen));
    palette.setAttribute("aria-valuetext", `码字 code ${order[chosen]}`);
    root.dataset.code = order[chosen];
    setMode("code");
    drawPalette();
  };
  const point = (event) => {
    const frameOf = palette.getBoundingClientRect();
    const column = Math.floor(((event.clientX - frameOf.left) / frameOf.width) * across);
    const row = Math.floor(((event.clientY - frameOf.top) / frameOf.width) * across);
    if (column >= 0 && column < across) choose(row * across + column);
  };
  palette.addEventListener("pointerdown", (event) => {
    palette.setPointerCapture(event.pointerId);
    point(event);
  });
  palette.addEventListener("pointermove", (event) => palette.hasPointerCapture(event.pointerId) && point(event));
  palette.addEventListener("keydown", (event) => {
    const step = { ArrowLeft: -1, ArrowRight: 1, ArrowUp: -across, ArrowDown: across, Home: -codes, End: codes }[event.key];
    if (!step) return;
    event.preventDefault();
    choose(chosen + step);
  });

  const shown = element("canvas", { role: "img", "aria-label": "画笔 brush" });
  shown.style.cssText = "width:48px;height:48px;flex:none";
  const drawBrush = () => {
    const { context, width } = sharpContext(shown);
    const stamp = model.get("answer").brush;
    const map_ = mode === "code" ? [[order[chosen]]] : mode === "stamp" ? stamp : [];
    const side = width / Math.max(1, map_.length, map_[0]?.length ?? 1);
    map_.forEach((line, row) => line.forEach((code, column) => book.draw(context, code, column * side, row * side, side)));
  };
  const modes = radios(["画笔", "Brush"], MODES, mode, (to) => setMode(to));
  const setMode = (to) => {
    mode = to === "stamp" && !model.get("answer").brush.length && !pending.length && !root.hasAttribute("aria-busy") ? "pick" : to;
    root.dataset.mode = mode;
    /** @type {HTMLInputElement} */ (modes.querySelector(`input[value=${mode}]`)).checked = true;
    drawBrush();
    boards.forEach((board) => board.mark());
  };
  const sizes = slider({ zh: "画笔边长", en: "brush side", min: 1, max: 8, step: 1, value: size }, (value) => {
    size = value;
    boards.forEach((board) => board.mark());
  });
  /** @type {[string[], string][]} */
  const acting = [[["↶ 撤销", "↶ Undo"], "undo"], [["↷ 重做", "↷ Redo"], "redo"], [["全部复原", "Reset"], "reset"]];
  const [undo, redo, reset] = acting.map(([text, name]) => button(text, () => tell([name])));
  root.addEventListener("keydown", (event) => {
    if (!(event.ctrlKey || event.metaKey)) return;
    const key = event.key.toLowerCase();
    if (key !== "z" && key !== "y") return;
    event.preventDefault();
    tell([key === "y" || event.shiftKey ? "redo" : "undo"]);
  });

  const numbers = numberList();
  root.append(
    element("div", { class: "vq-row" }, shown, element("div", { class: "vq-side", style: "gap:4px" }, modes, sizes),
      undo, redo, reset),
    element("div", { class: "vq-row vq-top", role: "group", "aria-label": alt },
      element("div", { style: "flex:1 1 520px;min-width:260px;max-width:620px" }, figure("vq-picture", ["照片", "picture"], picture.box)),
      element("div", { class: "vq-side", style: "flex:1 1 260px;min-width:240px" },
        figure("vq-picture", ["token 图", "token map"], map.box),
        figure("vq-picture", ["调色板：全部码字", "palette: all codes"], palette))),
    numbers,
    element("p", { class: "vq-legend" }, [
      "在照片或 token 图上拖动来画。键盘：方向键移动（Shift 一次 8 格），空格落笔；Ctrl+Z 撤销，Ctrl+Y 重做。",
      "Drag on the picture or the map to paint. Keys: the arrows move (with Shift by 8), the space bar paints; Ctrl+Z undoes, Ctrl+Y redoes."]));

  const write = soon(() => {
    const { changed, more } = model.get("answer");
    const signed = `${more > 0 ? "+" : more < 0 ? "−" : ""}${Math.abs(more)}`;
    const file = [["文件的增减", "its file changes by"], more === null ? "…" : [`${signed} 字节`, `${signed} bytes`]];
    writeNumbers(numbers, [[["改过的 token", "tokens changed"], `${changed} / ${rows * columns}`], ...(files ? [file] : [])]);
  });
  let pause = 0; // a timer
  const draw = () => {
    const answer = model.get("answer");
    if (files && answer.more === null) { // coding takes longer than drawing: not while one paints
      clearTimeout(pause);
      pause = setTimeout(() => tell(["weigh"]), 600);
    }
    const [top, left, height, width] = answer.window;
    if (rows !== answer.size[0] || columns !== answer.size[1]) {
      [rows, columns] = answer.size;
      tokens = new Uint16Array(rows * columns);
      boards.forEach((board) => board.resize(rows, columns));
      if (height !== rows || width !== columns) tell(["whole"]); // a second view, opened after something was painted
    }
    if (height) {
      picture.put(model.get("pixels"), answer.window);
      const part = numbersOf(model.get("tokens"), Uint16Array);
      const colours = new Uint8Array(3 * part.length);
      part.forEach((code, i) => {
        tokens[(top + Math.floor(i / width)) * columns + left + (i % width)] = code;
        colours.set(book.colour(code), 3 * i);
      });
      map.put(new DataView(colours.buffer), answer.window);
    }
    undo.disabled = !answer.undo;
    redo.disabled = !answer.redo;
    reset.disabled = !answer.changed;
    Object.assign(root.dataset, { answered: answer.request, changed: answer.changed, more: answer.more ?? "" });
    if (mode === "stamp") drawBrush();
    write();
  };
  const { ask, end } = asker(model, root, draw);
  draw();
  choose(chosen);
  const ended = [...boards.map((board) => board.watch()), onLookChange(palette, () => {
    drawPalette();
    drawBrush();
  })];
  return () => {
    clearTimeout(pause);
    end();
    ended.forEach((stop) => stop());
  };
}

export default { render };
