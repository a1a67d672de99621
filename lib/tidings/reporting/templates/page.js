(() => {
  const root = document.documentElement;
  const system = matchMedia("(prefers-color-scheme: dark)");
  const button = document.querySelector("button.mode");
  const isDark = () => (root.dataset.theme ? root.dataset.theme === "dark" : system.matches);
  const label = () => { button.textContent = isDark() ? "Light" : "Dark"; };
  button.hidden = false;
  button.setAttribute("aria-label", "Switch between light and dark");
  button.addEventListener("click", () => {
    root.dataset.theme = isDark() ? "light" : "dark";
    try { localStorage.setItem("tidings-mode", root.dataset.theme); } catch { /* lasts for this page only */ }
    label();
  });
  system.addEventListener("change", label);
  label();

  // The contents are folded where they would push everything else away.
  const contents = document.querySelector("nav.contents > details");
  if (contents) contents.open = matchMedia("(min-width: 601px)").matches;

  // A link into something folded opens it.
  const named = (hash) => {
    // Anybody may link to "#%", which is no encoded name.
    try { return decodeURIComponent(hash); } catch { return hash; }
  };
  const unfold = () => {
    const target = location.hash && document.getElementById(named(location.hash.slice(1)));
    for (let at = target; at; at = at.parentElement) if (at.tagName === "DETAILS") at.open = true;
  };
  addEventListener("hashchange", unfold);
  unfold();

  // By kind and name: HTML that a notebook printed may have elements of the same name.
  const data = document.querySelector('script[type="application/json"]#charts');
  if (!data || !window.vegaEmbed) return;
  const { config, charts } = JSON.parse(data.textContent);
  // As wide as the box, also when the window changes. Not Vega-Lite's "container": it warns about every bar chart.
  const widen = (chart) => {
    if (typeof chart.width !== "number") return chart;
    const { width, signals = [], ...rest } = chart;
    const size = `isFinite(containerSize()[0]) ? containerSize()[0] : ${width}`;
    const signal = { name: "width", init: size, on: [{ update: size, events: "window:resize" }] };
    return { ...rest, signals: [signal, ...signals], autosize: { type: "fit-x", contains: "padding" } };
  };
  const draw = async (id, spec) => {
    const box = document.querySelector(`div.item[id="${id}"] .td-vega`);
    if (!box) return;
    if (spec.facet && spec.columns && typeof spec.spacing === "number") {
      // Small multiples: as many side by side as the box holds, so that a phone shows one column.
      const columns = Math.max(1, Math.min(spec.columns, Math.floor(box.clientWidth / 220)));
      const width = Math.floor((box.clientWidth - 56) / columns) - spec.spacing;
      spec = { ...spec, columns, spec: { ...spec.spec, width } };
    }
    const live = document.createElement("div");
    live.className = "live";
    // The box says what the picture shows; its marks would only be read out one by one.
    live.ariaHidden = "true";
    const still = [...box.children];
    // The still picture goes only when the live one stands, so that a failure leaves something to see.
    box.append(live);
    for (const part of still) part.style.display = "none";
    try {
      // ast: expressions are interpreted, so that the policy can forbid code made at run time.
      await vegaEmbed(live, spec, { config, patch: widen, mode: "vega-lite", renderer: "svg", actions: false, ast: true });
      for (const part of still) part.remove();
    } catch (error) {
      live.remove();
      for (const part of still) part.style.display = "";
      console.error(`${id} was not drawn: ${error}`);
    }
  };
  Promise.all(Object.entries(charts).map(([id, spec]) => draw(id, spec))).then(() => {
    root.dataset.drawn = Math.round(performance.now());
  });
})();
