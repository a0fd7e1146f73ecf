// What widgets draw: pixels, charts, planes with handles, all in the theme's colours.

import { element, soon } from "./widget.js";

/** @typedef {import("./widget.js").Text} Text */
/** @typedef {number[]} Point x, y */
/** @typedef {[number, number]} Pair as what comes back, which can be spread */
/** @typedef {CanvasRenderingContext2D | OffscreenCanvasRenderingContext2D} Context */
/** @typedef {{name: string | null, text: string, faint: string, back: string}} Theme */

/** @type {Theme} */
let themeRead = { name: null, text: "", faint: "", back: "" };

/**
 * The theme's colours, as they are now; read once for each theme, since reading them may restyle the page.
 * @param {HTMLElement} el
 */
export function themeColours(el) {
  const name = `${document.body.dataset.jpThemeName}`;
  if (themeRead.name !== name || !el.isConnected) {
    const style = getComputedStyle(el);
    const colour = (variable, otherwise) => style.getPropertyValue(variable).trim() || otherwise;
    themeRead = {
      name: el.isConnected ? name : null,
      text: colour("--jp-ui-font-color1", "#212121"),
      faint: colour("--jp-border-color2", "#e0e0e0"),
      back: colour("--jp-layout-color0", "#ffffff"),
    };
  }
  return themeRead;
}

/**
 * Calls `redraw` when the theme or the element's size changes, or when it scrolls into view (JupyterLab gives
 * what is out of view no size, so it cannot be drawn there); returns what ends that.
 * @param {HTMLElement} el
 * @param {() => void} redraw
 */
export function onLookChange(el, redraw) {
  const theme = new MutationObserver(redraw);
  theme.observe(document.body, { attributeFilter: ["data-jp-theme-name", "data-jp-theme-light"] });
  const size = new ResizeObserver(redraw);
  size.observe(el);
  const view = new IntersectionObserver(redraw);
  view.observe(el);
  return () => {
    theme.disconnect();
    size.disconnect();
    view.disconnect();
  };
}

/**
 * Only when it changes, since it empties the canvas and lays out the page.
 * @param {HTMLCanvasElement} canvas
 * @param {number} columns
 * @param {number} rows
 */
function resize(canvas, columns, rows) {
  if (canvas.width !== columns || canvas.height !== rows) Object.assign(canvas, { width: columns, height: rows });
}

// Asking for a canvas's size lays out the page, in the midst of a drag: so it is asked once, and an observer tells
// when it changes.
/** @type {WeakMap<Element, Pair>} */
const canvasSizes = new WeakMap();
const sizeObserver = new ResizeObserver((entries) => entries.forEach(({ target }) => measure(target)));

/** @param {Element} canvas */
function measure(canvas) {
  canvasSizes.set(canvas, [canvas.clientWidth, canvas.clientHeight]);
}

/**
 * The canvas's context in CSS pixels, sharp on any screen, cleared.
 * @param {HTMLCanvasElement} canvas
 */
export function sharpContext(canvas) {
  if (!canvasSizes.has(canvas)) {
    sizeObserver.observe(canvas);
    measure(canvas);
  }
  const [width, height] = canvasSizes.get(canvas);
  const ratio = window.devicePixelRatio || 1;
  resize(canvas, Math.round(width * ratio), Math.round(height * ratio));
  const context = canvas.getContext("2d");
  context.reset();
  context.scale(ratio, ratio);
  return { context, width, height };
}

/**
 * Raw RGB bytes as an image.
 * @param {DataView} view
 * @param {number} start the first byte
 * @param {number} width in pixels
 * @param {number} height in pixels
 */
export function imageOf(view, start, width, height) {
  const rgb = new Uint8Array(view.buffer, view.byteOffset + start, width * height * 3);
  const image = new ImageData(width, height);
  for (let from = 0, to = 0; from < rgb.length; from += 3, to += 4) {
    image.data[to] = rgb[from];
    image.data[to + 1] = rgb[from + 1];
    image.data[to + 2] = rgb[from + 2];
    image.data[to + 3] = 255;
  }
  return image;
}

/**
 * Raw RGB bytes onto a canvas, one canvas pixel a pixel; CSS makes it larger.
 * @param {HTMLCanvasElement} canvas
 * @param {DataView} view
 * @param {number} start the first byte
 * @param {number} width in pixels
 * @param {number} height in pixels
 */
export function drawPixels(canvas, view, start, width, height) {
  const image = imageOf(view, start, width, height);
  resize(canvas, width, height);
  canvas.getContext("2d").putImageData(image, 0, 0);
}

/**
 * The numbers of a binary trait, copied: `numbersOf(view, Float32Array)`.
 * @template Numbers
 * @param {DataView} view
 * @param {new (buffer: ArrayBuffer) => Numbers} Kind
 * @returns {Numbers}
 */
export function numbersOf(view, Kind) {
  return new Kind(/** @type {ArrayBuffer} */ (view.buffer.slice(view.byteOffset, view.byteOffset + view.byteLength)));
}

/**
 * A path around (x, y), to be filled or stroked: a diamond.
 * @param {Context} context
 * @param {number} x
 * @param {number} y
 * @param {number} size from its centre to a corner
 */
export function diamond(context, x, y, size) {
  context.beginPath();
  for (const [dx, dy] of [[0, -size], [size, 0], [0, size], [-size, 0]]) context.lineTo(x + dx, y + dy);
  context.closePath();
}

/**
 * A filled disc.
 * @param {Context} context
 * @param {number} x
 * @param {number} y
 * @param {number} radius
 * @param {string} colour
 */
export function disc(context, x, y, radius, colour) {
  context.fillStyle = colour;
  context.beginPath();
  context.arc(x, y, radius, 0, 7);
  context.fill();
}

/**
 * Three to six round numbers from low to high.
 * @param {number} low
 * @param {number} high
 */
export function ticks(low, high) {
  const rough = (high - low) / 3;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map((factor) => factor * power).find((size) => size >= rough * (1 - 1e-9));
  const first = Math.ceil(low / step - 1e-9);
  const last = Math.floor(high / step + 1e-9);
  return Array.from({ length: last - first + 1 }, (_, i) => Number(((first + i) * step).toPrecision(6)));
}

/**
 * A chart's axes: a faint grid with its numbers. Returns the context, `px` and `py` (from a value to its place),
 * `line([[x, y], …], colour)` and `dot([x, y], colour)`; null where the canvas has no size.
 * @param {HTMLCanvasElement} canvas
 * @param {object} axes
 * @param {Pair} axes.x the first and the last value of the x axis
 * @param {Pair} axes.y likewise
 * @param {number[]} [axes.xs] where its numbers stand
 * @param {number[]} [axes.ys] likewise
 * @param {number} [axes.left] the margins, in CSS pixels
 * @param {number} [axes.right]
 * @param {number} [axes.top]
 * @param {number} [axes.bottom]
 * @param {boolean} [axes.upright] whether the grid has upright lines too
 * @param {(value: number) => string} [axes.name] how the numbers of the y axis are written
 */
export function chart(canvas, { x, y, xs = ticks(...x), ys = ticks(...y), left = 40, right = 12, top = 8, bottom = 18,
  upright = true, name = String }) {
  const { context, width, height } = sharpContext(canvas);
  if (!width) return null;
  const theme = themeColours(canvas);
  const px = (/** @type {number} */ value) => left + ((value - x[0]) / (x[1] - x[0])) * (width - left - right);
  const py = (/** @type {number} */ value) => height - bottom - ((value - y[0]) / (y[1] - y[0])) * (height - bottom - top);
  context.font = "11px sans-serif";
  context.lineWidth = 1;
  context.strokeStyle = theme.faint;
  context.fillStyle = theme.text;
  context.textAlign = "right";
  context.textBaseline = "middle";
  for (const value of ys) {
    context.strokeRect(left, py(value), width - left - right, 0);
    context.fillText(name(value), left - 5, py(value));
  }
  context.textAlign = "center";
  context.textBaseline = "top";
  for (const value of xs) {
    if (upright) context.strokeRect(px(value), top, 0, height - bottom - top);
    context.fillText(String(value), px(value), height - bottom + 4);
  }
  /** @type {(points: number[][], colour: string, size?: number, dashes?: number[]) => void} */
  const line = (points, colour, size = 2, dashes = []) => {
    context.strokeStyle = colour;
    context.lineWidth = size;
    context.setLineDash(dashes);
    context.beginPath();
    for (const point of points) context.lineTo(px(point[0]), py(point[1]));
    context.stroke();
    context.setLineDash([]);
  };
  /** @type {(point: number[], colour: string, radius?: number) => void} */
  const dot = (point, colour, radius = 3.5) => disc(context, px(point[0]), py(point[1]), radius, colour);
  return { context, theme, width, height, px, py, line, dot };
}

/** @type {WeakMap<HTMLCanvasElement, {key: string, layer: OffscreenCanvas}>} */
const layers = new WeakMap();

/**
 * What never moves, drawn once for each size of the canvas and each `look`, then laid on it.
 * @param {HTMLCanvasElement} canvas opened for drawing before
 * @param {string | boolean} look
 * @param {(layer: OffscreenCanvasRenderingContext2D) => void} paint draws it in CSS pixels on a layer of its own
 */
export function drawStill(canvas, look, paint) {
  const key = `${canvas.width} ${canvas.height} ${look}`;
  const [width, height] = canvasSizes.get(canvas); // known since `sharpContext`
  if (layers.get(canvas)?.key !== key) {
    const layer = new OffscreenCanvas(canvas.width, canvas.height);
    const context = layer.getContext("2d");
    context.scale(canvas.width / width, canvas.height / height);
    paint(context);
    layers.set(canvas, { key, layer });
  }
  canvas.getContext("2d").drawImage(layers.get(canvas).layer, 0, 0, width, height);
}

/**
 * The convex cell of each code inside the box: cut by the bisector with every other code. A code that lies on an
 * earlier one gets none.
 * @param {ArrayLike<number>} codes x and y in turn
 * @param {Point} low the box's corner with the lowest x and y
 * @param {Point} high the opposite corner
 * @returns {Point[][]} each code's corners
 */
export function voronoiCells(codes, [left, bottom], [right, top]) {
  const number = codes.length / 2;
  return Array.from({ length: number }, (_, i) => {
    /** @type {Point[]} */
    let cell = [[left, bottom], [right, bottom], [right, top], [left, top]];
    const [x, y] = [codes[2 * i], codes[2 * i + 1]];
    for (let j = 0; j < number && cell.length; j += 1) {
      if (j === i) continue;
      const [nx, ny] = [codes[2 * j] - x, codes[2 * j + 1] - y];
      if (!nx && !ny) {
        if (j < i) cell = [];
        continue;
      }
      const limit = nx * (x + nx / 2) + ny * (y + ny / 2);
      /** @type {(point: Point) => number} */
      const side = ([px, py]) => px * nx + py * ny - limit; // at most 0: nearer to i
      /** @type {Point[]} */
      const cut = [];
      cell.forEach((point, at) => {
        const next = cell[(at + 1) % cell.length];
        const [a, b] = [side(point), side(next)];
        if (a <= 0) cut.push(point);
        if ((a < 0 && b > 0) || (a > 0 && b < 0)) {
          const t = a / (a - b);
          cut.push([point[0] + t * (next[0] - point[0]), point[1] + t * (next[1] - point[1])]);
        }
      });
      cell = cut;
    }
    return cell;
  });
}

/**
 * A rectangle of the plane. `box` to put in the page; `open()` to draw on it: the context, the theme, and `at(point)`,
 * a point's place on the canvas (null where it has no size); `handle(label, point, move)` for a point that can be
 * dragged, and moved with the arrow keys (Shift: finely). A handle's `place(point, note)` puts it elsewhere without
 * calling `move`; the note is said after its coordinates.
 * @param {number | Point} low the corner with the lowest x and y; one number for a square
 * @param {number | Point} high the opposite corner
 * @param {string} label what the canvas shows
 */
export function plane(low, high, label) {
  const [[x0, y0], [x1, y1]] = [low, high].map((corner) => /** @type {Point} */ (Array.isArray(corner) ? corner : [corner, corner]));
  const canvas = element("canvas", { role: "img", "aria-label": label });
  const box = element("div", { class: "vq-plane" }, canvas);
  /** @type {(point: Point) => Pair} */
  const inside = ([x, y]) => [Math.min(x1, Math.max(x0, x)), Math.min(y1, Math.max(y0, y))];
  /** @type {(distance: number) => string} */
  const share = (distance) => `${((distance / (x1 - x0)) * 100).toFixed(3)}cqw`; // of the box's width

  const open = () => {
    const { context, width, height } = sharpContext(canvas);
    if (!width) return null;
    /** @type {(point: Point) => Pair} */
    const at = ([x, y]) => [((x - x0) / (x1 - x0)) * width, ((y1 - y) / (y1 - y0)) * height];
    return { context, theme: themeColours(canvas), width, height, at };
  };

  /**
   * `settle` is called when a drag or a key's step is over; with it, the handle's element stays where it is during a
   * drag, and only `move` is called: the widget draws the point itself, since moving elements makes JupyterLab lay out
   * the page for every picture.
   * @param {Text} label
   * @param {Point} point where it starts
   * @param {(point: Pair) => void} move
   * @param {{step?: number, fine?: number, settle?: () => void, look?: string}} [options] the arrow keys' steps, in
   *   the plane's units; a class for the element
   */
  const handle = ([zh, en], point, move, { step = (x1 - x0) / 100, fine = step / 5, settle = null, look = "" } = {}) => {
    let [x, y] = point;
    let more = "";
    const grip = element("div", { class: `vq-handle ${look}`.trim(), role: "slider", tabindex: 0, "aria-label": `${zh} ${en}`,
      "aria-valuemin": x0, "aria-valuemax": x1, title: `${zh} ${en}` });
    /** @type {(to: Point, note?: string) => void} */
    const place = (to, note = more) => {
      [x, y] = inside(to);
      more = note;
      grip.style.transform = `translate(${share(x - x0)}, ${share(y1 - y)})`; // left and top would lay out the page
      say();
    };
    const say = soon(() => {
      grip.setAttribute("aria-valuenow", x.toFixed(2));
      grip.setAttribute("aria-valuetext", `x ${x.toFixed(2)}, y ${y.toFixed(2)}${more && `, ${more}`}`);
    });
    grip.addEventListener("pointerdown", (event) => grip.setPointerCapture(event.pointerId));
    grip.addEventListener("pointermove", (event) => {
      if (!grip.hasPointerCapture(event.pointerId)) return;
      const frame = canvas.getBoundingClientRect();
      [x, y] = inside([x0 + ((event.clientX - frame.left) / frame.width) * (x1 - x0),
        y1 - ((event.clientY - frame.top) / frame.height) * (y1 - y0)]);
      if (!settle) place([x, y]);
      move([x, y]);
    });
    if (settle) {
      grip.addEventListener("lostpointercapture", () => {
        place([x, y]);
        settle();
      });
    }
    grip.addEventListener("keydown", (event) => {
      const way = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1] }[event.key];
      if (!way) return;
      event.preventDefault(); // the page would scroll
      const by = event.shiftKey ? fine : step;
      place([x + way[0] * by, y + way[1] * by]); // at once, with its focus ring
      move([x, y]);
      if (settle) settle();
    });
    place(point);
    box.append(grip);
    return { place, grip };
  };
  return { box, canvas, open, handle };
}
