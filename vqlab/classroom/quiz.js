import { element, span, widgetRoot } from "./widget.js";

/** @param {import("./widget.js").Props} props */
function render({ model, el }) {
  const questions = model.get("setup");
  // For each question the options chosen, in order: kept in the page's model, for all views, never sent to Python.
  const chosenSoFar = () => model.get("chosen") ?? questions.map(() => []);
  const root = widgetRoot(el);
  root.classList.add("vq-quiz");
  const score = element("p", { class: "vq-status", role: "status" });
  const drawn = questions.map(({ text, options }, q) => {
    const parts = options.map((option, i) => {
      const mark = element("span", { class: "vq-mark", "aria-hidden": "true" }, "ABCDEFGH"[i]);
      const button = element("button", { type: "button", "aria-pressed": "false" }, mark, option.text);
      const why = element("div", { class: "vq-why", role: "status" });
      button.addEventListener("click", () => choose(q, i));
      return { option, mark, button, why };
    });
    root.append(element("div", { role: "group", "aria-label": text.join(" ") },
      element("p", { class: "vq-title" }, `${q + 1}. `, text),
      ...parts.flatMap(({ button, why }) => [button, why])));
    return parts;
  });
  root.append(score);

  const choose = (q, i) => {
    const chosen = chosenSoFar().map((list) => [...list]);
    if (chosen[q].includes(i)) return;
    chosen[q].push(i);
    model.set("chosen", chosen); // its listener draws
  };
  const draw = () => {
    const chosen = chosenSoFar();
    drawn.forEach((parts, q) => parts.forEach(({ option, mark, button, why }, i) => {
      if (!chosen[q].includes(i) || why.hasChildNodes()) return;
      mark.textContent = option.right ? "✓" : "✗";
      button.classList.add(option.right ? "vq-right" : "vq-wrong");
      button.setAttribute("aria-pressed", "true");
      why.append(span(...option.why.map((text) => `${mark.textContent} ${text}`)));
    }));
    const right = (list, q) => list.some((i) => questions[q].options[i].right);
    const first = chosen.filter((list, q) => list.length && questions[q].options[list[0]].right).length;
    if (chosen.every(right)) {
      score.replaceChildren(span(`全部答完：${questions.length} 题中 ${first} 题一次答对。`,
        `All answered: ${first} of ${questions.length} right at the first try.`));
    }
  };
  draw();
  model.on("change:chosen", draw);
  return () => model.off("change:chosen", draw);
}

export default { render };
