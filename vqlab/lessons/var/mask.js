import { element, radios, slider, span, widgetRoot } from "../../classroom/widget.js";
import { onLookChange, sharpContext, themeColours } from "../../classroom/canvas.js";

const GREEN = "#009e73", BLUE = "#0072b2", VERMILION = "#d55e00";

// The token number n of all scales -> its scale, row and column, from 0; sides are 1, 2, …
export function locate(sides, n) {
  let scale = 0;
  for (; n >= sides[scale] ** 2; scale += 1) n -= sides[scale] ** 2;
  return { scale, row: Math.floor(n / sides[scale]), column: n % sides[scale] };
}

// Why a pair is visible or not, in both languages.
export function reason(rule, yes, from, to) {
  if (rule === "all") return ["没有掩码，谁都看得见谁", "there is no mask, everybody sees everybody"];
  if (rule === "token") {
    return yes ? ["在一长串 token 里它不排在后面", "in the one long row of tokens it does not come later"]
      : ["在一长串 token 里它排在后面", "in the one long row of tokens it comes later"];
  }
  if (from.scale === to.scale) return ["同一个尺度，互相看得见", "the same scale: both ways"];
  return yes ? ["那个尺度更粗，已经写好了", "that scale is coarser and already written"]
    : ["那个尺度更细，还没写出来", "that scale is finer and not yet written"];
}

function render({ model, el }) {
  const { sides, rules, alt } = model.get("setup");
  const root = widgetRoot(el);
  const total = sides.reduce((sum, n) => sum + n * n, 0);
  let rule = rules[0];
  let who = Math.min(7, total - 1);
  let whom = Math.min(10, total - 1);
  let open = true; // a question is open: the pair is chosen, its answer not shown
  let whole = false;
  let right = 0, asked = 0;
  let known = new Set(); // the pairs that have been answered, of this rule

  const choices = radios(["规则", "rule"], rules.map(({ name, text }) => [name, ...text]), rule.name, (name) => {
    rule = rules.find((each) => each.name === name);
    known = new Set();
    open = false;
    choose(who, whom);
  });
  const whoSlider = slider({ zh: "谁在看（编号）", en: "who looks (number)", min: 0, max: total - 1, step: 1, value: who },
    (value) => choose(value, whom));
  const whomSlider = slider({ zh: "看谁（编号）", en: "at whom (number)", min: 0, max: total - 1, step: 1, value: whom },
    (value) => choose(who, value));
  const matrix = element("canvas", { role: "img", "aria-label": alt });
  matrix.style.cssText = "width:300px;height:300px;cursor:crosshair;display:block;flex:none";
  const grids = element("canvas", { role: "img", "aria-label":
    "两排方格：上排是谁在看，下排是看谁 two rows of grids: above who looks, below at whom" });
  grids.style.cssText = "width:100%;height:240px;cursor:pointer;display:block";
  const yes = element("button", { type: "button", class: "vq-yes" }, ["看得见", "it may"]);
  const no = element("button", { type: "button", class: "vq-no" }, ["看不见", "it may not"]);
  const next = element("button", { type: "button", class: "vq-next" }, ["考考我", "ask me"]);
  const tick = element("input", { type: "checkbox" });
  const says = element("p", { class: "vq-status", role: "status" });
  const side = element("div", { style: "flex:1 1 300px;min-width:260px" }, grids);
  root.append(choices, whoSlider, whomSlider,
    element("div", { class: "vq-row" }, next, yes, no,
      element("label", { class: "vq-tick" }, tick, ["显示整个掩码", "show the whole mask"])),
    says, element("div", { class: "vq-row vq-top" }, matrix, side),
    element("p", { class: "vq-legend" }, [
      "点方阵或右边的格子，也可以用滑块。朱红框：谁在看；蓝色虚线框：看谁；绿色：看得见。",
      "Click the square or the grids on the right, or use the sliders. Vermilion frame: who looks; dashed blue frame: "
      + "at whom; green: visible."]));

  const allowed = (a, b) => Boolean(rule.rows[a][b]);
  const name = (n) => {
    const { scale, row, column } = locate(sides, n);
    return [`${sides[scale]} × ${sides[scale]} 的第 ${row + 1} 行第 ${column + 1} 列`,
      `${sides[scale]} × ${sides[scale]}, row ${row + 1}, column ${column + 1}`];
  };
  const set = (label, value) => {
    label.querySelector("input").value = value;
    label.querySelector("output").textContent = value;
  };
  const choose = (a, b, question = false) => {
    [who, whom, open] = [a, b, question];
    set(whoSlider, who);
    set(whomSlider, whom);
    if (!open) known.add(who * total + whom);
    say();
    draw();
  };
  const answer = (said) => {
    if (!open) return;
    asked += 1;
    const good = said === allowed(who, whom);
    if (good) right += 1;
    open = false;
    known.add(who * total + whom);
    say(good ? ["✓ 对。", "✓ Right. "] : ["✗ 不对。", "✗ No. "]);
    draw();
  };
  yes.addEventListener("click", () => answer(true));
  no.addEventListener("click", () => answer(false));
  next.addEventListener("click", () => {
    let pair = 0;
    for (let tries = 0; tries < 50; tries += 1) { // a new pair, unless nearly all have been answered
      pair = Math.floor(Math.random() * total * total);
      if (!known.has(pair)) break;
    }
    choose(Math.floor(pair / total), pair % total, true);
  });
  tick.addEventListener("change", () => {
    whole = tick.checked;
    draw();
  });

  const say = (verdict = ["", ""]) => {
    const [from, to] = [name(who), name(whom)];
    yes.disabled = no.disabled = !open;
    const may = allowed(who, whom);
    Object.assign(root.dataset, { who, whom, open, allowed: open ? "" : may, right, asked, rule: rule.name });
    if (open) {
      says.replaceChildren(span(`${from[0]}，看得见 ${to[0]}吗？`, `${from[1]}: may it see ${to[1]}?`));
      return;
    }
    const why = reason(rule.name, may, locate(sides, who), locate(sides, whom));
    const score = asked ? [`（${asked} 题答对 ${right}）`, ` (${right} of ${asked} right)`] : ["", ""];
    says.replaceChildren(span(
      `${verdict[0]}${from[0]}${may ? "看得见" : "看不见"} ${to[0]}：${why[0]}。${score[0]}`,
      `${verdict[1]}${from[1]}: it ${may ? "may" : "may not"} see ${to[1]}: ${why[1]}.${score[1]}`));
  };

  // the square
  const label = 26; // pixels for the scales' names, above and on the left
  const cell = (size) => (size - label) / total;
  const pickPair = (event) => {
    const size = cell(300);
    const [a, b] = [event.offsetY, event.offsetX].map((x) => Math.floor((x - label) / size));
    if (a >= 0 && b >= 0 && a < total && b < total) choose(a, b);
  };
  matrix.addEventListener("pointerdown", pickPair);
  matrix.addEventListener("pointermove", (event) => event.buttons && pickPair(event));
  const drawMatrix = () => {
    const { context, width } = sharpContext(matrix);
    if (!width) return;
    const theme = themeColours(matrix);
    const size = cell(width);
    const at = (n) => label + n * size;
    for (let a = 0; a < total; a += 1) {
      for (let b = 0; b < total; b += 1) {
        const shown = (whole && !open) || known.has(a * total + b);
        if (!shown) continue;
        context.fillStyle = allowed(a, b) ? GREEN : theme.faint;
        context.fillRect(at(b) + 0.5, at(a) + 0.5, size - 1, size - 1);
        if (allowed(a, b)) continue;
        context.strokeStyle = theme.text; // a cross, for those who don't see the colour
        context.globalAlpha = 0.35;
        context.lineWidth = 0.8;
        context.beginPath();
        context.moveTo(at(b) + 2, at(a) + 2);
        context.lineTo(at(b + 1) - 2, at(a + 1) - 2);
        context.stroke();
        context.globalAlpha = 1;
      }
    }
    context.font = "11px sans-serif";
    context.fillStyle = context.strokeStyle = theme.text;
    context.textAlign = "center";
    context.textBaseline = "middle";
    context.lineWidth = 1;
    let start = 0;
    for (const n of [...sides, 0]) {
      context.globalAlpha = 0.5;
      context.beginPath();
      context.moveTo(at(start), label);
      context.lineTo(at(start), width);
      context.moveTo(label, at(start));
      context.lineTo(width, at(start));
      context.stroke();
      context.globalAlpha = 1;
      if (!n) break;
      context.fillText(`${n}²`, at(start + n * n / 2), label / 2);
      context.fillText(`${n}²`, label / 2, at(start + n * n / 2));
      start += n * n;
    }
    context.fillStyle = theme.faint;
    context.globalAlpha = 0.5;
    context.fillRect(label, at(who), total * size, size);
    context.fillRect(at(whom), label, size, total * size);
    context.globalAlpha = 1;
    if (!open) {
      context.fillStyle = allowed(who, whom) ? GREEN : theme.back;
      context.fillRect(at(whom), at(who), size, size);
    }
    context.strokeStyle = VERMILION;
    context.lineWidth = 3;
    context.strokeRect(at(whom) - 1, at(who) - 1, size + 2, size + 2);
    if (open) {
      context.fillStyle = theme.text;
      context.fillText("?", at(whom) + size / 2, at(who) + size / 2);
    }
  };

  // the grids: above who looks, below at whom
  let boxes = [];
  const pickPlace = (event) => {
    boxes.forEach(({ x, y, size, first, n, row }) => {
      const column = Math.floor(((event.offsetX - x) / size) * n), line = Math.floor(((event.offsetY - y) / size) * n);
      if (column < 0 || line < 0 || column >= n || line >= n) return;
      const at = first + line * n + column;
      choose(row ? who : at, row ? at : whom);
    });
  };
  grids.addEventListener("pointerdown", pickPlace);
  grids.addEventListener("pointermove", (event) => event.buttons && pickPlace(event));
  const drawGrids = () => {
    const { context, width, height } = sharpContext(grids);
    if (!width) return;
    const theme = themeColours(grids);
    const gap = 12, head = 20;
    const size = Math.min((width - gap * (sides.length + 1)) / sides.length, height / 2 - head - 6);
    context.font = "12px sans-serif";
    context.textAlign = "left";
    boxes = [];
    [0, 1].forEach((row) => {
      const top = row * (height / 2) + head;
      context.fillStyle = theme.text;
      context.fillText(row ? "看谁 at whom" : "谁在看 who looks", gap, top - 7);
      let first = 0;
      sides.forEach((n, k) => {
        const x = gap + k * (size + gap);
        const small = size / n;
        boxes.push({ x, y: top, size, first, n, row });
        for (let place = 0; place < n * n; place += 1) {
          const left = x + (place % n) * small, up = top + Math.floor(place / n) * small;
          const seen = allowed(who, first + place);
          if (row && !open) {
            context.fillStyle = seen ? GREEN : theme.faint;
            context.globalAlpha = seen ? 0.85 : 0.4;
            context.fillRect(left, up, small, small);
            context.globalAlpha = 1;
          }
          context.strokeStyle = theme.text;
          context.globalAlpha = 0.4;
          context.lineWidth = 1;
          context.strokeRect(left, up, small, small);
          if (row && !open && !seen) {
            context.beginPath();
            context.moveTo(left + 3, up + 3);
            context.lineTo(left + small - 3, up + small - 3);
            context.stroke();
          }
          context.globalAlpha = 1;
        }
        first += n * n;
      });
    });
    [who, whom].forEach((chosen, row) => {
      const { scale, row: line, column } = locate(sides, chosen);
      const { x, y, size: whole_, n } = boxes[row * sides.length + scale];
      const small = whole_ / n;
      /** @type {[number, number, number, number]} */
      const frame = [x + column * small, y + line * small, small, small];
      context.strokeStyle = theme.back; // beneath the dashes, or they would drown in green
      context.lineWidth = 5;
      context.strokeRect(...frame);
      context.strokeStyle = row ? BLUE : VERMILION;
      context.setLineDash(row ? [5, 3] : []);
      context.lineWidth = 3;
      context.strokeRect(...frame);
      context.setLineDash([]);
    });
  };
  const draw = () => {
    drawMatrix();
    drawGrids();
  };
  say();
  draw();
  return onLookChange(grids, draw);
}

export default { render };
