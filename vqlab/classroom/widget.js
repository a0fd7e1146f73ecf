// What every widget is made of: elements in both languages, controls, timing, questions to Python.

// Events end here, in the bubble phase: the controls get them, the notebook does not
// (or `b`, pressed on a slider, would insert a cell).
function keepEvents(root) {
  for (const type of ["keydown", "keypress", "keyup", "pointerdown", "mousedown", "dblclick", "paste"]) {
    root.addEventListener(type, (event) => event.stopPropagation());
  }
}

// element("p", {class: "vq-error", role: "alert"}, "text", otherElement, [zh, en])
export function element(tag, attributes = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  made.append(...children.map((child) => (Array.isArray(child) ? span(...child) : child)));
  return made;
}

// Both languages; the lesson's switch hides one of them.
export function span(zh, en) {
  if (zh === en) return document.createTextNode(zh);
  const pair = document.createElement("span");
  pair.append(element("span", { lang: "zh" }, String(zh)), " ", element("span", { lang: "en" }, String(en)));
  return pair;
}

// The root of a widget, to be filled.
export function widgetRoot(el) {
  const root = element("div", { class: "vq-widget" });
  keepEvents(root);
  el.append(root);
  return root;
}

// A slider with its label and read-out. `report(value)` is called while it moves.
export function slider({ zh, en, min, max, step, value }, report) {
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
export function soon(write) {
  let timer = 0;
  return () => {
    timer ||= setTimeout(() => {
      timer = 0;
      write();
    }, 80);
  };
}

// However often it is called, `draw` runs once before the next picture on the screen.
export function onceAFrame(draw) {
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
export function asker(model, root, draw) {
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

// Radio buttons in a row: choices are [value, zh, en]; `report(value)` is called for the one that is chosen.
export function radios(legend, choices, chosen, report) {
  const name = `vq-${Math.random().toString(36).slice(2)}`;
  const inputs = choices.map(([value, zh, en]) => {
    const input = element("input", { type: "radio", name, value });
    input.checked = value === chosen;
    input.addEventListener("change", () => report(value));
    return element("label", {}, input, " ", zh === en ? zh : [zh, en]);
  });
  return element("div", { class: "vq-row", role: "radiogroup", "aria-label": legend.join(" ") },
    element("strong", {}, legend), ...inputs);
}
