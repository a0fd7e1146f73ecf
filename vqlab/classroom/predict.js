function render({ model, el }) {
  const { question, options } = model.get("setup");
  const root = widgetRoot(el);
  root.append(element("p", {}, question), ...options.map((option) => element("p", {}, option)));
}

export default { render };
