// What widgets draw: pixels, planes with handles, all in the theme's colours.

import { element, soon } from "./widget.js";

// The theme's colours, as they are now; read once for each theme, since reading them may restyle the page.
let themeRead = { name: null };
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

// Calls `redraw` when the theme or the element's size changes, or when it scrolls into view (JupyterLab gives
// what is out of view no size, so it cannot be drawn there); returns what ends that.
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

// Only when it changes, since it empties the canvas and lays out the page.
function resize(canvas, columns, rows) {
  if (canvas.width !== columns || canvas.height !== rows) Object.assign(canvas, { width: columns, height: rows });
}

// The canvas's context in CSS pixels, sharp on any screen, cleared. Asking for the size lays out the page, in the
// midst of a drag: so it is asked once, and an observer tells when it changes.
const canvasSizes = new WeakMap();
const sizeObserver = new ResizeObserver((entries) => entries.forEach(({ target }) => measure(target)));
function measure(canvas) {
  canvasSizes.set(canvas, [canvas.clientWidth, canvas.clientHeight]);
}
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

// Raw RGB bytes (a DataView) onto a canvas, one canvas pixel a pixel; CSS makes it larger.
export function drawPixels(canvas, view, start, width, height) {
  const rgb = new Uint8Array(view.buffer, view.byteOffset + start, width * height * 3);
  const image = new ImageData(width, height);
  for (let from = 0, to = 0; from < rgb.length; from += 3, to += 4) {
    image.data[to] = rgb[from];
    image.data[to + 1] = rgb[from + 1];
    image.data[to + 2] = rgb[from + 2];
    image.data[to + 3] = 255;
  }
  resize(canvas, width, height);
  canvas.getContext("2d").putImageData(image, 0, 0);
}

// A square of the plane, both axes from low to high: `box` to put in the page, `canvas` to draw on, and
// `handle(label, [x, y], move)` for a point that can be dragged, and moved with the arrow keys (Shift: finely).
// A handle's `place([x, y])` puts it elsewhere without calling `move`.
export function plane(low, high, label) {
  const canvas = element("canvas", { role: "img", "aria-label": label });
  const box = element("div", { class: "vq-plane" }, canvas);
  const inside = (x) => Math.min(high, Math.max(low, x));

  const handle = ([zh, en], at, move) => {
    let [x, y] = at;
    const grip = element("div", { class: "vq-handle", role: "slider", tabindex: 0, "aria-label": `${zh} ${en}`,
      "aria-valuemin": low, "aria-valuemax": high, title: `${zh} ${en}` });
    const place = (point) => {
      [x, y] = point.map(inside);
      const share = (distance) => `${((distance / (high - low)) * 100).toFixed(3)}cqw`; // of the box's width
      grip.style.transform = `translate(${share(x - low)}, ${share(high - y)})`; // left and top would lay out the page
      say();
    };
    const say = soon(() => {
      grip.setAttribute("aria-valuenow", x.toFixed(2));
      grip.setAttribute("aria-valuetext", `x ${x.toFixed(2)}, y ${y.toFixed(2)}`);
    });
    const go = (point) => {
      place(point);
      move([x, y]);
    };
    grip.addEventListener("pointerdown", (event) => grip.setPointerCapture(event.pointerId));
    grip.addEventListener("pointermove", (event) => {
      if (!grip.hasPointerCapture(event.pointerId)) return;
      const square = canvas.getBoundingClientRect();
      go([low + ((event.clientX - square.left) / square.width) * (high - low),
        high - ((event.clientY - square.top) / square.height) * (high - low)]);
    });
    grip.addEventListener("keydown", (event) => {
      const way = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1] }[event.key];
      if (!way) return;
      event.preventDefault(); // the page would scroll
      const step = ((high - low) / 100) * (event.shiftKey ? 0.2 : 1);
      go([x + way[0] * step, y + way[1] * step]);
    });
    place(at);
    box.append(grip);
    return { place, grip };
  };
  return { box, canvas, handle };
}
