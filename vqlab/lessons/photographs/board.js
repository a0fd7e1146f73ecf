// A picture whose tokens are pointed at, one by one, by mouse, finger or keyboard.

import { element, onceAFrame, soon } from "../../classroom/widget.js";
import { imageOf, onLookChange, sharpContext } from "../../classroom/canvas.js";

export const PATCH = 4; // pixels a token's side
const STEPS = { ArrowLeft: [0, -1], ArrowRight: [0, 1], ArrowUp: [-1, 0], ArrowDown: [1, 0] };

/** @typedef {{row: number, column: number}} Place of a token */

/**
 * `box` to put in the page; `resize(rows, columns)` in tokens; `put(view, window)` draws raw RGB bytes on a window of
 * tokens, [top, left, height, width]; `mark()` has the marks drawn over the picture again; `place` is where the cursor
 * is, `move(place)` puts it elsewhere.
 * @param {import("../../classroom/widget.js").Text} label
 * @param {object} acts
 * @param {number} [acts.cell] pixels of the picture a token's side
 * @param {(place: Place) => void} acts.press a click, Enter or the space bar
 * @param {(place: Place) => void} [acts.drag] the pointer has moved to another token while it is down
 * @param {(place: Place) => void} [acts.walk] the arrow keys have moved to another token
 * @param {(context: CanvasRenderingContext2D, side: number, place: Place | null) => void} acts.draw the marks; `side` of
 *   a token in CSS pixels; the place is null where neither pointer nor keyboard is on the picture
 */
export function tokenBoard([zh, en], { cell = PATCH, press, drag, walk, draw }) {
  const base = element("canvas", { "aria-hidden": "true" });
  const over = element("canvas", { role: "slider", tabindex: 0, "aria-label": `${zh} ${en}`, "aria-valuemin": 0 });
  base.style.cssText = `display:block;width:100%;image-rendering:${cell === 1 ? "pixelated" : "auto"}`;
  over.style.cssText = "position:absolute;inset:0;width:100%;height:100%;touch-action:none;cursor:crosshair";
  const box = element("div", { style: "position:relative;width:100%" }, base, over);
  let [rows, columns] = [1, 1];
  let place = { row: 0, column: 0 };
  let inside = false;
  let down = false;

  const mark = onceAFrame(() => {
    const { context, width } = sharpContext(over);
    if (width) draw(context, width / columns, inside || over.matches(":focus-visible") ? place : null);
  });
  const at = (event) => {
    const bounds = over.getBoundingClientRect();
    const clip = (share, count) => Math.min(count - 1, Math.max(0, Math.floor(share * count)));
    return { row: clip((event.clientY - bounds.top) / bounds.height, rows),
      column: clip((event.clientX - bounds.left) / bounds.width, columns) };
  };
  const move = (to) => {
    place = { row: Math.min(rows - 1, Math.max(0, to.row)), column: Math.min(columns - 1, Math.max(0, to.column)) };
    say();
    mark();
  };
  const say = soon(() => {
    const [row, column] = [place.row + 1, place.column + 1];
    over.setAttribute("aria-valuenow", String(place.row * columns + place.column));
    over.setAttribute("aria-valuetext", `第 ${row} 行第 ${column} 列 row ${row}, column ${column}`);
  });
  over.addEventListener("pointerdown", (event) => {
    if (event.button) return; // the mouse's main button, a finger, a pen
    over.setPointerCapture(event.pointerId);
    down = true;
    move(at(event));
    press(place);
  });
  // the browser holds `pointermove` back until the next frame; a question to Python need not wait for that
  over.addEventListener("onpointerrawupdate" in over ? "pointerrawupdate" : "pointermove", (event) => {
    const to = at(event);
    if (inside && to.row === place.row && to.column === place.column) return;
    inside = true;
    move(to);
    if (down) drag?.(place);
  });
  over.addEventListener("lostpointercapture", () => { down = false; });
  over.addEventListener("pointerleave", () => {
    inside = false;
    mark();
  });
  over.addEventListener("focus", mark);
  over.addEventListener("blur", mark);
  over.addEventListener("keydown", (event) => {
    const way = STEPS[event.key];
    if (!way && event.key !== "Enter" && event.key !== " ") return;
    event.preventDefault(); // the page would scroll
    if (way) {
      const step = event.shiftKey ? 8 : 1;
      move({ row: place.row + step * way[0], column: place.column + step * way[1] });
      walk?.(place);
    } else press(place);
  });

  return {
    box, over, mark, move,
    get place() { return place; },
    resize: (/** @type {number} */ high, /** @type {number} */ wide) => {
      [rows, columns] = [high, wide];
      Object.assign(base, { width: wide * cell, height: high * cell });
      over.setAttribute("aria-valuemax", String(rows * columns - 1));
      move(place);
    },
    put: (/** @type {DataView} */ view, /** @type {number[]} */ [top, left, height, width]) => {
      base.getContext("2d").putImageData(imageOf(view, 0, width * cell, height * cell), left * cell, top * cell);
    },
    watch: () => onLookChange(over, mark),
  };
}

/**
 * A frame that is seen on any picture: dark within light.
 * @param {CanvasRenderingContext2D} context
 * @param {number} x
 * @param {number} y
 * @param {number} width
 * @param {number} height
 * @param {string} colour
 */
export function frame(context, x, y, width, height, colour) {
  context.lineWidth = 4;
  context.strokeStyle = "#ffffff";
  context.strokeRect(x, y, width, height);
  context.lineWidth = 2;
  context.strokeStyle = colour;
  context.strokeRect(x, y, width, height);
}

/**
 * Codes as the patches that the decoder makes of them, (codes, 4, 4) RGB: `image(code)` to be drawn enlarged, `colour`
 * its mean, [red, green, blue].
 * @param {DataView} view
 * @param {number} codes
 */
export function codeBook(view, codes) {
  const bytes = 3 * PATCH * PATCH;
  const sheet = new OffscreenCanvas(PATCH * codes, PATCH);
  const context = sheet.getContext("2d");
  /** @type {number[][]} */
  const colours = [];
  for (let code = 0; code < codes; code += 1) {
    const image = imageOf(view, code * bytes, PATCH, PATCH);
    context.putImageData(image, PATCH * code, 0);
    colours.push([0, 1, 2].map((channel) => {
      let sum = 0;
      for (let i = channel; i < image.data.length; i += 4) sum += image.data[i];
      return Math.round(sum / PATCH ** 2);
    }));
  }
  return {
    colour: (/** @type {number} */ code) => colours[code],
    /** @type {(to: CanvasRenderingContext2D, code: number, x: number, y: number, side: number) => void} */
    draw: (to, code, x, y, side) => {
      to.imageSmoothingEnabled = false;
      to.drawImage(sheet, PATCH * code, 0, PATCH, PATCH, x, y, side, side);
    },
  };
}
