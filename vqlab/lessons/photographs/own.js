import { asker, element, figure, numberList, radios, slider, soon, span, widgetRoot, writeNumbers } from "../../classroom/widget.js";
import { drawPixels } from "../../classroom/canvas.js";

const PART = 1_000_000; // bytes a message: Jupyter's server takes no larger ones than ten million

/** @param {import("../../classroom/widget.js").Props} props */
function render({ model, el }) {
  const { names, rate_weights: weights, most_bytes: most, longest, alt } = model.get("setup");
  const root = widgetRoot(el);
  let { at } = model.get("answer");

  const error = element("p", { class: "vq-error", role: "alert" });
  const complain = (zh, en, detail) => error.replaceChildren(span(zh, en), ` ${detail}`);
  const take = async (file) => {
    if (!file) return;
    if (file.size > most) {
      complain(`⚠ 文件太大：最多 ${most / 1e6} MB。`, `⚠ The file is too large: at most ${most / 1e6} MB.`, file.name);
      return;
    }
    const bytes = await file.arrayBuffer();
    const parts = Math.max(1, Math.ceil(bytes.byteLength / PART));
    for (let part = 0; part < parts; part += 1) {
      model.send({ part }, undefined, [bytes.slice(part * PART, (part + 1) * PART)]);
    }
    tell({ file: file.name });
  };
  const input = element("input", { type: "file", accept: "image/png,image/jpeg,image/webp" });
  input.addEventListener("change", () => {
    take(input.files[0]);
    input.value = ""; // the same file may be chosen again
  });
  const zone = element("label", { class: "vq-row", style:
    "border:2px dashed var(--jp-border-color1, #bdbdbd);border-radius:6px;padding:10px 14px;cursor:pointer" },
  element("strong", {}, ["把自己的照片拖到这里，或选一个文件：", "Drop a photograph of your own here, or choose a file:"]), input,
  element("span", { class: "vq-legend" }, [
    `长边缩到 ${longest} 像素。文件只交给这个笔记本的内核：内核在你自己的电脑上，它就不离开这台电脑；在 Binder 上，它会到 Binder 的服务器。`,
    `The longer side becomes ${longest} pixels. The file goes to this notebook's kernel and nowhere else: with the kernel `
    + "on your own computer it never leaves it; on Binder it goes to Binder's server."]));
  const over = (/** @type {boolean} */ is) => { zone.style.borderColor = is ? "#0072b2" : ""; };
  for (const type of ["dragenter", "dragover", "dragleave", "drop"]) {
    root.addEventListener(type, (/** @type {any} */ event) => {
      event.preventDefault(); // the browser would open the file, the notebook might take it
      event.stopPropagation();
      over(type === "dragover" || type === "dragenter");
      if (type === "drop") take(event.dataTransfer.files[0]);
    });
  }
  const busy = element("p", { role: "status", style: "min-height:1.4em" });
  const sign = () => { // the search takes a second or two, and nothing else would say so
    busy.replaceChildren(...(root.hasAttribute("aria-busy")
      ? [span("正在按 λ 选 token、写文件、再读回来……", "Choosing tokens by λ, writing the file, reading it again …")] : []));
  };
  const tell = (content) => {
    ask(content);
    sign();
  };
  const choices = radios(["现成的", "Ready"], names.map(([zh, en], i) => [i, zh, en]), -1, (chosen) => tell({ chosen }));
  const control = slider({ zh: "λ：一比特抵多少平方距离", en: "λ: squared distance that a bit is worth", min: 0, max: weights.length - 1, step: 1,
    value: at }, (value) => {
    at = value;
    label();
    tell({ at });
  });
  const label = () => {
    control.querySelector("output").textContent = String(weights[at]);
    control.querySelector("input").setAttribute("aria-valuetext", `λ = ${weights[at]}`);
  };

  const columns = [["原图", "original"], ["我们的文件", "our file"], ["一样大的 JPEG", "JPEG as large"]].map(([zh, en]) => {
    const canvas = element("canvas", { role: "img", "aria-label": `${zh} ${en}` });
    canvas.style.cssText = "width:100%;image-rendering:auto;border-radius:2px";
    const note = element("output", {});
    return { canvas, note, framed: figure("vq-picture", [[zh, en], note], canvas) };
  });
  columns.forEach(({ framed }) => { framed.style.cssText = "flex:1 1 250px;max-width:512px"; });
  const numbers = numberList();
  root.append(zone, choices, control, busy, error,
    element("div", { class: "vq-row vq-top", role: "group", "aria-label": alt }, ...columns.map(({ framed }) => framed)), numbers);

  const write = soon(() => {
    const answer = model.get("answer");
    const [height, width] = answer.size;
    const none = ["没有这么小的", "none is so small"];
    const file = (count, decibels) => `${count} B, ${decibels.toFixed(1)} dB`;
    columns[0].note.textContent = `${height} × ${width}`;
    columns[1].note.textContent = file(answer.bytes, answer.psnr);
    columns[2].note.replaceChildren(answer.jpeg ? file(answer.jpeg[0], answer.jpeg[1]) : span(...none));
    columns[2].canvas.hidden = !answer.jpeg;
    writeNumbers(numbers, [
      [["照片", "picture"], answer.name],
      [["token 数", "tokens"], answer.tokens],
      [["用到的码字", "codes used"], answer.codes],
      [["比特/像素", "bits per pixel"], answer.rate.toFixed(3)],
      [["JPEG 要一样的 dB", "JPEG for the same dB"], answer.as_good ? `${answer.as_good[0]} B`
        : ["做不到（质量 95 以内）", "out of reach (up to quality 95)"]],
    ]);
  });
  const draw = () => {
    const answer = model.get("answer");
    const [height, width] = answer.size;
    error.replaceChildren();
    if (answer.error) {
      complain("⚠ 这个文件读不成照片：要没有损坏的 JPEG、PNG 或 WebP，不超过 5000 万像素。原来的照片还在。",
        "⚠ This file could not be read as a photograph: it takes a whole JPEG, PNG or WebP of at most 50 million pixels. "
        + "The photograph before it is still here.", answer.error);
    }
    drawPixels(columns[0].canvas, model.get("original"), 0, width, height);
    drawPixels(columns[1].canvas, model.get("pixels"), 0, width, height);
    if (answer.jpeg) drawPixels(columns[2].canvas, model.get("pixels"), 3 * width * height, width, height);
    const ready = names.findIndex(([zh, en]) => zh === answer.name[0] && en === answer.name[1]);
    choices.querySelectorAll("input").forEach((each, i) => { each.checked = i === ready; });
    Object.assign(root.dataset, { answered: answer.request, name: answer.name[1], bytes: answer.bytes, psnr: answer.psnr, at: answer.at });
    sign(); // another question may have gone out already
    write();
  };
  const { ask, end } = asker(model, root, draw);
  label();
  draw();
  return end;
}

export default { render };
