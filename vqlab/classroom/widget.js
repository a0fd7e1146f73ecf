// What every widget is made of: elements in both languages, controls, timing, questions to Python.

/** @typedef {string[]} Text Chinese, English */
/** @typedef {import("@anywidget/types").AnyModel<any>} Model */
/** @typedef {import("@anywidget/types").RenderProps<any>} Props what anywidget hands to `render` */

// Events end here, in the bubble phase: the controls get them, the notebook does not
// (or `b`, pressed on a slider, would insert a cell).
function keepEvents(root) {
  for (const type of ["keydown", "keypress", "keyup", "pointerdown", "mousedown", "dblclick", "paste"]) {
    root.addEventListener(type, (event) => event.stopPropagation());
  }
}

/**
 * element("p", {class: "vq-error", role: "alert"}, "text", otherElement, [zh, en])
 * @param {string} tag
 * @param {Record<string, string | number | boolean>} attributes
 * @param {...(string | Node | Text)} children
 * @returns {any} the element: the caller knows its kind
 */
export function element(tag, attributes = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, String(value));
  made.append(...children.map((child) => (Array.isArray(child) ? span(...child) : child)));
  return made;
}

/**
 * Both languages; the lesson's switch hides one of them.
 * @param {...string} text Chinese, English
 */
export function span(...[zh, en]) {
  if (zh === en) return document.createTextNode(zh);
  const pair = document.createElement("span");
  pair.append(element("span", { lang: "zh" }, zh), " ", element("span", { lang: "en" }, en));
  return pair;
}

/**
 * The root of a widget, to be filled.
 * @param {HTMLElement} el
 * @returns {HTMLElement}
 */
export function widgetRoot(el) {
  const root = element("div", { class: "vq-widget" });
  keepEvents(root);
  el.append(root);
  return root;
}

/**
 * A button with its text in both languages.
 * @param {Text} text
 * @param {() => void} act
 * @returns {HTMLButtonElement}
 */
export function button(text, act) {
  const made = element("button", { type: "button" }, text);
  made.addEventListener("click", act);
  return made;
}

/**
 * A figure with its caption above; what stands in the caption's row after the text, such as a read-out, comes as
 * `[[zh, en], output]`.
 * @param {string} kind its class: "vq-chart", "vq-picture"
 * @param {Text | (Text | Node)[]} caption
 * @param {...Node} drawn
 * @returns {HTMLElement}
 */
export function figure(kind, caption, ...drawn) {
  const row = /** @type {(Text | Node)[]} */ (Array.isArray(caption[0]) ? caption : [caption]);
  return element("figure", { class: kind }, element("figcaption", {}, ...row), ...drawn);
}

/**
 * A list of labels with their numbers, which `writeNumbers` fills.
 * @returns {HTMLElement}
 */
export function numberList() {
  return element("dl", { class: "vq-numbers" });
}

/**
 * Fill a `numberList` anew.
 * @param {HTMLElement} list
 * @param {any[][]} rows each a label, [zh, en], and its number or text
 */
export function writeNumbers(list, rows) {
  list.replaceChildren(...rows.map(([label, value]) => element("div", {}, element("dt", {}, label),
    element("dd", {}, typeof value === "number" ? String(value) : value))));
}

/**
 * A slider with its label and read-out. `report(value)` is called while it moves.
 * @param {{zh: string, en: string, min: number, max: number, step: number, value: number}} setup
 * @param {(value: number) => void} report
 * @returns {HTMLElement}
 */
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

/**
 * However often it is called, `write` runs 80 ms after the first call: texts, which lay out the page, wait for a pause
 * between pictures.
 * @param {() => void} write
 */
export function soon(write) {
  let timer = 0;
  return () => {
    timer ||= setTimeout(() => {
      timer = 0;
      write();
    }, 80);
  };
}

/**
 * However often it is called, `draw` runs once before the next picture on the screen.
 * @param {() => void} draw
 */
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

/**
 * Questions to Python, one at a time: while an answer is awaited, only the newest question is remembered.
 * `ask(content)` sends it with its number; `draw()` runs when `answer` has come; `end()` stops listening.
 * @param {Model} model
 * @param {HTMLElement} root
 * @param {() => void} draw
 */
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

/**
 * Radio buttons in a row; `report(value)` is called for the one that is chosen.
 * @param {Text} legend
 * @param {any[][]} choices value, Chinese, English
 * @param {any} chosen
 * @param {(value: any) => void} report
 * @returns {HTMLElement}
 */
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
