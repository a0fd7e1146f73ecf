import { asker, element, soon, span, widgetRoot } from "../../classroom/widget.js";
import { diamond, disc, onLookChange, plane } from "../../classroom/canvas.js";

const PLANE = { z_e: "#e69f00", code: "#009e73", target: "#cc79a7" };

function arrow(context, [x0, y0], [x1, y1], colour, width, dashes = []) {
  const length = Math.hypot(x1 - x0, y1 - y0);
  if (length < 1) return;
  const [ux, uy] = [(x1 - x0) / length, (y1 - y0) / length];
  const head = Math.min(12, length * 0.6);
  context.strokeStyle = context.fillStyle = colour;
  context.lineWidth = width;
  context.setLineDash(dashes);
  context.beginPath();
  context.moveTo(x0, y0);
  context.lineTo(x1 - ux * head * 0.8, y1 - uy * head * 0.8);
  context.stroke();
  context.setLineDash([]);
  context.beginPath();
  context.moveTo(x1, y1);
  context.lineTo(x1 - ux * head - uy * head * 0.5, y1 - uy * head + ux * head * 0.5);
  context.lineTo(x1 - ux * head + uy * head * 0.5, y1 - uy * head - ux * head * 0.5);
  context.fill();
}

/** @param {import("../../classroom/widget.js").Props} props */
function render({ model, el }) {
  const { ways, codes, span: reach, step, alt } = model.get("setup");
  const root = widgetRoot(el);
  const first = model.get("answer");
  const points = { z_e: first.z_e, target: first.target };
  let chosen = Math.min(1, ways.length - 1);

  const { box, canvas, handle, open } = plane(-reach, reach, alt);
  handle(["编码器输出 z_e，方向键移动", "encoder output z_e, arrow keys move it"], points.z_e, (point) => {
    points.z_e = point;
    ask(points);
  });
  handle(["目标 t，方向键移动", "target t, arrow keys move it"], points.target, (point) => {
    points.target = point;
    ask(points);
  });

  const group = `vq-way-${Math.random().toString(36).slice(2)}`;
  const rows = ways.map((way, i) => {
    const radio = element("input", { type: "radio", name: group, "aria-label": way });
    radio.checked = i === chosen;
    radio.addEventListener("change", () => {
      chosen = i;
      draw();
    });
    const cells = { value: element("td"), encoder: element("td"), code: element("td") };
    const row = element("tr", {}, element("td", {}, element("label", {}, radio, " ", element("code", {}, way))),
      ...Object.values(cells));
    return { row, cells };
  });
  const table = element("table", { class: "vq-ways" },
    element("thead", {}, element("tr", {},
      element("th", { scope: "col" }, ["解码器拿到", "the decoder gets"]),
      element("th", { scope: "col" }, ["它的值", "its value"]),
      element("th", { scope: "col" }, ["z_e 收到的梯度", "gradient at z_e"]),
      element("th", { scope: "col" }, ["z_q 收到的梯度", "gradient at z_q"]))),
    element("tbody", {}, ...rows.map(({ row }) => row)));
  const legend = element("p", { class: "vq-legend" }, [
    "虚线：解码器想让输入去的方向。实线：真正到达 z_e（橙）或码字（绿）的推动。箭头 = −½ 梯度；十字是原点。",
    "Dashed: where the decoder wants its input to go. Solid: the push that really reaches z_e (orange) or the code "
    + "(green). Arrow = −½ gradient; the cross is the origin."]);
  const error = element("p", { class: "vq-error", role: "alert" });
  root.append(element("div", { class: "vq-row vq-top" }, box, element("div", { class: "vq-side" }, table, legend)),
    error);

  const pair = (vector) => (vector ? `(${vector.map((x) => (Math.abs(x) < 5e-3 ? 0 : x).toFixed(2)
    .replace("-", "−")).join(", ")})` : null);
  const draw = () => {
    const answer = model.get("answer");
    const pen = open();
    if (!pen) return;
    const { context, theme, width, at } = pen;
    const z_q = codes[answer.index];
    const found = answer.results[chosen];

    context.strokeStyle = theme.faint;
    context.strokeRect(0.5, 0.5, width - 1, width - 1);
    const [ox, oy] = at([0, 0]);
    context.lineWidth = 1;
    context.beginPath();
    for (const end of [answer.z_e, z_q]) {
      context.moveTo(ox, oy);
      context.lineTo(...at(end));
    }
    context.stroke();
    context.strokeStyle = theme.text;
    context.beginPath();
    context.moveTo(ox - 5, oy);
    context.lineTo(ox + 5, oy);
    context.moveTo(ox, oy - 5);
    context.lineTo(ox, oy + 5);
    context.stroke();

    codes.forEach((code, k) => {
      const [x, y] = at(code);
      const half = k === answer.index ? 7 : 4;
      context.fillStyle = PLANE.code;
      context.fillRect(x - half, y - half, 2 * half, 2 * half);
    });
    const [zx, zy] = at(answer.z_e);
    disc(context, zx, zy, 8, PLANE.z_e);
    const [tx, ty] = at(answer.target);
    context.fillStyle = PLANE.target;
    diamond(context, tx, ty, 9);
    context.fill();

    const push = (from, gradient, colour, size, dashes) => {
      if (gradient) arrow(context, at(from), at(from.map((x, i) => x - step * gradient[i])), colour, size, dashes);
    };
    push(z_q, found.code, PLANE.code, 5);
    push(answer.z_e, found.encoder, PLANE.z_e, 4);
    push(found.value, found.asked, theme.text, 1.6, [5, 4]);

    context.font = "14px sans-serif";
    context.textBaseline = "bottom";
    context.lineWidth = 3;
    context.strokeStyle = theme.back;
    context.fillStyle = theme.text;
    const names = { z_e: at(answer.z_e), z_q: at(z_q), t: at(answer.target) };
    for (const [name, [x, y]] of Object.entries(names)) {
      context.textAlign = x > width - 40 ? "right" : "left";
      const shift = context.textAlign === "right" ? -10 : 10;
      context.strokeText(name, x + shift, Math.max(18, y - 5));
      context.fillText(name, x + shift, Math.max(18, y - 5));
    }

    write();
  };
  const write = soon(() => {
    const answer = model.get("answer");
    error.replaceChildren(...(answer.error ? [span("⚠ 算不出来：", "⚠ Could not be computed:"), ` ${answer.error}`] : []));
    rows.forEach(({ row, cells }, i) => {
      row.classList.toggle("vq-chosen", i === chosen);
      const result = answer.results[i];
      cells.value.textContent = pair(result.value);
      for (const part of ["encoder", "code"]) {
        cells[part].replaceChildren(pair(result[part]) || span("没有路", "no path"));
      }
    });
    root.dataset.answered = answer.request;
  });
  const { ask, end } = asker(model, root, draw);
  draw();
  const ended = onLookChange(canvas, draw);
  return () => {
    end();
    ended();
  };
}

export default { render };
