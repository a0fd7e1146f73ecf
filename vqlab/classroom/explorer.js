import { asker, element, figure, numberList, slider, span, widgetRoot, writeNumbers } from "./widget.js";
import { drawPixels } from "./canvas.js";

/** @param {import("./widget.js").Props} props */
function render({ model, el }) {
  const { sliders, pictures, alt } = model.get("setup");
  const root = widgetRoot(el);
  const values = { ...model.get("answer").values };

  const canvases = pictures.map(([zh, en]) => element("canvas", { role: "img", "aria-label": `${zh} ${en}` }));
  const numbers = numberList();
  const error = element("p", { class: "vq-error", role: "alert" });
  root.append(
    ...sliders.map((each) => slider({ ...each, value: values[each.name] }, (value) => {
      values[each.name] = value;
      ask({ values });
    })),
    element("div", { class: "vq-row", role: "group", "aria-label": alt }, ...canvases.map((canvas, i) =>
      figure("vq-picture", pictures[i], canvas))),
    numbers,
    error,
  );

  const draw = () => {
    const answer = model.get("answer");
    error.replaceChildren(...(answer.error
      ? [span("⚠ 这组数值算不出来：", "⚠ These values could not be computed:"), ` ${answer.error}`] : []));
    if (!answer.error) {
      let start = 0;
      answer.sizes.forEach(([width, height, scale], i) => {
        drawPixels(canvases[i], model.get("pixels"), start, width, height);
        canvases[i].style.width = `${width * scale}px`;
        start += width * height * 3;
      });
      writeNumbers(numbers, answer.numbers);
    }
    root.dataset.answered = answer.request;
  };
  const { ask, end } = asker(model, root, draw);
  draw();
  return end;
}

export default { render };
