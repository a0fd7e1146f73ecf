function render({ model, el }) {
  const root = widgetRoot(el);
  for (const { text, options } of model.get("setup")) {
    root.append(element("p", {}, text), ...options.map((option) => element("p", {}, option.text)));
  }
}

export default { render };
