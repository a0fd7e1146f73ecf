import { element, span, widgetRoot } from "./widget.js";

let predictions = 0; // so that the radio buttons of two predictions are two groups

/** @param {import("./widget.js").Props} props */
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
  return () => model.off("change:committed", draw);
}

export default { render };
