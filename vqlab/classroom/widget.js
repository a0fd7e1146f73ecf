// What every widget of the lessons needs. This text stands before the widget's own in one ES module.

// Events end here, in the bubble phase: the controls get them, the notebook does not
// (or `b`, pressed on a slider, would insert a cell).
function keepEvents(root) {
  for (const type of ["keydown", "keypress", "keyup", "pointerdown", "mousedown", "dblclick", "paste"]) {
    root.addEventListener(type, (event) => event.stopPropagation());
  }
}

// element("p", {class: "vq-error", role: "alert"}, "text", otherElement, [zh, en])
function element(tag, attributes = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  made.append(...children.map((child) => (Array.isArray(child) ? span(...child) : child)));
  return made;
}

// Both languages; the lesson's switch hides one of them.
function span(zh, en) {
  if (zh === en) return document.createTextNode(zh);
  const pair = document.createElement("span");
  pair.append(element("span", { lang: "zh" }, String(zh)), " ", element("span", { lang: "en" }, String(en)));
  return pair;
}

// The root of a widget, to be filled.
function widgetRoot(el) {
  const root = element("div", { class: "vq-widget" });
  keepEvents(root);
  el.append(root);
  return root;
}

// A slider with its label and read-out. `report(value)` is called while it moves.
function slider({ zh, en, min, max, step, value }, report) {
  const digits = (String(step).split(".")[1] || "").length;
  const show = (number) => Number(number).toFixed(digits);
  const input = element("input", { type: "range", min, max, step, value, "aria-label": `${zh} ${en}` });
  const output = element("output", {}, show(value));
  input.addEventListener("input", () => {
    output.textContent = show(input.value);
    report(Number(input.value));
  });
  return element("label", { class: "vq-slider" }, [zh, en], input, output);
}

// However often it is called, `write` runs 80 ms after the first call: texts, which lay out the page, wait for a pause
// between pictures.
function soon(write) {
  let timer = 0;
  return () => {
    timer ||= setTimeout(() => {
      timer = 0;
      write();
    }, 80);
  };
}

// However often it is called, `draw` runs once before the next picture on the screen.
function onceAFrame(draw) {
  let waiting = false;
  return () => {
    if (waiting) return;
    waiting = true;
    requestAnimationFrame(() => {
      waiting = false;
      draw();
    });
  };
}

// Questions to Python, one at a time: while an answer is awaited, only the newest question is remembered.
// `ask(content)` sends it with its number; `draw()` runs when `answer` has come; `end()` stops listening.
function asker(model, root, draw) {
  let { request } = model.get("answer");
  let waiting = false;
  let newest = null;
  const ask = (content) => {
    newest = content;
    if (waiting) return;
    waiting = true;
    newest = null;
    request += 1;
    root.setAttribute("aria-busy", "true");
    model.send({ ...content, request });
  };
  const answered = () => {
    waiting = false;
    root.removeAttribute("aria-busy");
    if (newest) ask(newest); // first, so that Python computes while this draws
    draw();
  };
  model.on("change:answer", answered);
  return { ask, end: () => model.off("change:answer", answered) };
}

// The theme's colours, as they are now; read once for each theme, since reading them may restyle the page.
let themeRead = { name: null };
function themeColours(el) {
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
function onLookChange(el, redraw) {
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
function sharpContext(canvas) {
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
function drawPixels(canvas, view, start, width, height) {
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
function plane(low, high, label) {
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
