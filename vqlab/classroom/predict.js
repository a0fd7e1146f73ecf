import { element, span, widgetRoot } from "./widget.js";

let predictions = 0; // so that the radio buttons of two predictions are two groups

// The answers to a prediction stand in other cells, in `<details class="vq-answer KEY">`. This opens those of its own
// notebook once it is committed or one of them was opened, also those that a cell run again puts there anew, and writes
// the prediction beside the truth. `said(value)` is the value as a pair of texts. Returns what is to be called when the
// prediction changes, and what ends it.
function answersOf(model, root, said) {
  const { key, options } = model.get("setup");
  const opened = new WeakSet(); // whoever folds one again is left alone
  let notebook = null;

  const compare = (truth, committed) => {
    if (truth.querySelector(".vq-yours")) return;
    const right = options.length ? committed === Number(truth.dataset.truth)
      : Number(committed.toPrecision(6)) === Number(truth.dataset.truth);
    truth.prepend(element("div", { class: "vq-yours" }, ["你的预测：", "Your prediction:"], " ",
      element("strong", {}, said(committed))));
    truth.querySelector(".vq-verdict").replaceChildren(right ? span("✓ 你猜中了。", "✓ As you predicted.")
      : span("≠ 和你猜的不一样，想一想为什么。", "≠ Not as you predicted: think about why."));
  };
  const update = () => {
    const committed = model.get("committed");
    if (!notebook || (committed === null && !model.get("shown"))) return;
    for (const answer of notebook.querySelectorAll(`details.${key}`)) {
      if (!opened.has(answer)) answer.open = true;
      opened.add(answer);
      if (committed === null) continue;
      for (const truth of answer.querySelectorAll(".vq-truth[data-truth]")) compare(truth, committed);
    }
  };
  const toggled = ({ target }) => {
    if (!target.open || !target.matches(`details.${key}`) || model.get("shown")) return;
    model.set("shown", true);
    model.save_changes();
    update();
  };
  const changes = new MutationObserver(update);
  const leave = () => {
    changes.disconnect();
    notebook?.removeEventListener("toggle", toggled, true);
  };
  const attached = new ResizeObserver(() => { // a widget is made first and put into the page later
    const around = root.closest(".jp-Notebook");
    if (!around || around === notebook) return;
    leave();
    notebook = around;
    notebook.addEventListener("toggle", toggled, true); // it does not bubble
    changes.observe(notebook, { childList: true, subtree: true });
    update();
  });
  attached.observe(root);
  return [update, () => {
    attached.disconnect();
    leave();
  }];
}

function render({ model, el }) {
  const { question, options, minimum, maximum, step, unit } = model.get("setup");
  const root = widgetRoot(el);
  const group = `vq-predict-${++predictions}-${Math.random()}`;
  const title = element("p", { class: "vq-title" }, [`先猜一猜：${question[0]}`, `Predict first: ${question[1]}`]);
  const radios = options.map((option, i) => element("input", { type: "radio", name: group, value: i }));
  const number = element("input", { type: "number", min: minimum, max: maximum, step, "aria-label": question.join(" ") });
  const choices = options.length
    ? options.map((option, i) => element("label", { class: "vq-option" }, radios[i], option))
    : [element("label", { class: "vq-row" }, number, unit, element("span", {}, `(${minimum} … ${maximum})`))];
  const commit = element("button", { type: "button" }, ["提交", "commit"]);
  const status = element("p", { class: "vq-status", role: "status" });
  root.classList.add("vq-predict");
  root.setAttribute("role", "group");
  root.setAttribute("aria-label", question.join(" "));
  root.append(title, ...choices, element("div", { class: "vq-row" }, commit, status));

  const said = (value) => (options.length ? options[value]
    : unit.map((name) => `${Number(value.toPrecision(6))} ${name}`.trim()));
  const [updateAnswers, leaveAnswers] = answersOf(model, root, said);

  const chosen = () => {
    if (options.length) {
      const i = radios.findIndex((radio) => radio.checked);
      return i < 0 ? null : i;
    }
    const value = number.valueAsNumber;
    return value >= minimum && value <= maximum ? value : null; // NaN is neither
  };
  const draw = () => {
    const committed = model.get("committed");
    const locked = committed !== null;
    if (locked && options.length) radios[committed].checked = true;
    if (locked && !options.length) number.value = committed;
    for (const input of [...radios, number]) input.disabled = locked;
    commit.hidden = locked;
    root.classList.toggle("vq-locked", locked);
    if (locked) status.replaceChildren(span("✓ 已提交。往下看答案。", "✓ Committed. The answer is below."));
    updateAnswers();
  };
  const submit = () => {
    if (model.get("committed") !== null) return;
    if (chosen() === null) {
      status.replaceChildren(options.length ? span("请先选一项。", "Choose one first.")
        : span(`请输入 ${minimum} 到 ${maximum} 之间的数。`, `Type a number from ${minimum} to ${maximum}.`));
      (options.length ? radios[0] : number).focus();
      return;
    }
    model.set("committed", chosen());
    model.save_changes();
    draw();
  };
  commit.addEventListener("click", submit);
  for (const input of [...radios, number]) {
    input.addEventListener("keydown", (event) => { if (event.key === "Enter") submit(); });
  }
  draw();
  model.on("change:committed", draw); // another view of the same prediction
  model.on("change:shown", updateAnswers);
  return () => {
    model.off("change:committed", draw);
    model.off("change:shown", updateAnswers);
    leaveAnswers();
  };
}

export default { render };
