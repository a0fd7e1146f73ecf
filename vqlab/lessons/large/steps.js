import { asker, button, element, radios, widgetRoot } from "../../classroom/widget.js";
import { onLookChange, sharpContext, themeColours } from "../../classroom/canvas.js";

function render({ model, el }) {
  const { sizes, dims } = model.get("setup");
  const root = widgetRoot(el);
  const values = { ...model.get("answer").values };
  const canvas = element("canvas", { role: "img" });
  canvas.style.cssText = `width:100%;height:${34 + 34 * model.get("answer").times.length}px;display:block`;
  const choose = (key) => (value) => {
    values[key] = value;
    ask({ values });
  };
  const again = button(["再测一次", "measure again"], () => ask({ values }));
  const list = element("p", { class: "vq-legend", role: "status" });
  root.append(
    radios(["码字 K", "codes K"], sizes.map((each) => [each, String(each), String(each)]), values.codes, choose("codes")),
    radios(["维数 D", "dimensions D"], dims.map((each) => [each, String(each), String(each)]), values.dim, choose("dim")),
    element("div", { class: "vq-row" }, again, list), canvas);

  const draw = () => {
    const { times, request, alt } = model.get("answer");
    canvas.ariaLabel = alt;
    list.replaceChildren(element("span", {}, ["单位：乘积的时间；现在测的，在你的机器上",
      "in units of the product's time; measured now, on your machine"]));
    Object.assign(root.dataset, { answered: request, times: JSON.stringify(times) });
    const { context, width, height } = sharpContext(canvas);
    if (!width) return;
    const theme = themeColours(canvas);
    const [left, right, bottom] = [190, 60, 26];
    const longest = Math.max(...times.map(([, time]) => time));
    const x = (time) => left + (time / longest) * (width - left - right);
    const row = (height - bottom) / times.length;
    context.font = "13px sans-serif";
    context.textBaseline = "middle";
    times.forEach(([name, time], i) => {
      const y = i * row;
      context.fillStyle = i ? "#0072b2" : "#e69f00";
      context.globalAlpha = 0.85;
      context.fillRect(left, y + 5, Math.max(1, x(time) - left), row - 10);
      context.globalAlpha = 1;
      context.fillStyle = theme.text;
      context.textAlign = "right";
      context.fillText(name, left - 10, y + row / 2);
      context.textAlign = "left";
      context.fillText(time.toFixed(2), x(time) + 6, y + row / 2);
    });
    context.strokeStyle = theme.text;
    context.setLineDash([4, 4]);
    context.beginPath();
    context.moveTo(x(1), 0);
    context.lineTo(x(1), height - bottom);
    context.stroke();
    context.setLineDash([]);
    context.textAlign = "center";
    context.fillText("1 × 乘积 product", x(1), height - bottom / 2);
  };
  const { ask, end } = asker(model, root, draw);
  draw();
  const ended = onLookChange(canvas, draw);
  return () => {
    end();
    ended();
  };
}

export default { render };
