function render({ model, el }) {
  const { sliders, pictures, alt } = model.get("setup");
  const root = widgetRoot(el);
  const values = { ...model.get("answer").values };
  let request = model.get("answer").request;
  let waiting = false; // for Python's answer; meanwhile only the newest values are remembered
  let newer = false;

  const send = () => {
    if (waiting) {
      newer = true;
      return;
    }
    waiting = true;
    newer = false;
    request += 1;
    root.setAttribute("aria-busy", "true");
    model.send({ values, request });
  };
  const sendSoon = onceAFrame(send);

  const canvases = pictures.map(([zh, en]) => element("canvas", { role: "img", "aria-label": `${zh} ${en}` }));
  const numbers = element("dl", { class: "vq-numbers" });
  const error = element("p", { class: "vq-error", role: "alert" });
  root.append(
    ...sliders.map((each) => slider({ ...each, value: values[each.name] }, (value) => {
      values[each.name] = value;
      sendSoon();
    })),
    element("div", { class: "vq-row", role: "group", "aria-label": alt }, ...canvases.map((canvas, i) =>
      element("figure", { class: "vq-picture" }, element("figcaption", {}, pictures[i]), canvas))),
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
      numbers.replaceChildren(...answer.numbers.map(([label, value]) =>
        element("div", {}, element("dt", {}, label), element("dd", {}, value))));
    }
    root.dataset.answered = answer.request;
  };
  const answered = () => {
    draw();
    waiting = false;
    root.removeAttribute("aria-busy");
    if (newer) send();
  };
  draw();
  model.on("change:answer", answered);
  return () => model.off("change:answer", answered);
}

export default { render };
