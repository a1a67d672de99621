// Before the first paint: the mode the reader chose, if the browser lets a file remember it.
(() => {
  let mode = null;
  try { mode = localStorage.getItem("tidings-mode"); } catch { /* storage is off for files in some browsers */ }
  if (mode === "light" || mode === "dark") document.documentElement.dataset.theme = mode;
})();
