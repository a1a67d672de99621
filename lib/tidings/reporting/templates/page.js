(() => {
  const root = document.documentElement;
  const system = matchMedia("(prefers-color-scheme: dark)");
  const button = document.querySelector("button.mode");
  const isDark = () => (root.dataset.theme ? root.dataset.theme === "dark" : system.matches);
  const label = () => { button.textContent = isDark() ? button.dataset.light : button.dataset.dark; };
  button.hidden = false;
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
})();
