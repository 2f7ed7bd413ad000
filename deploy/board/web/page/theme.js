// Theme: the colours that were picked, before anything is drawn; without a pick the system's, as it changes.
(() => {
  const KEY = "driftline-theme";
  const system = matchMedia("(prefers-color-scheme: dark)");
  const read = () => {
    try { return localStorage.getItem(KEY) || ""; } catch { return ""; }
  };
  const show = (theme) => {
    document.documentElement.dataset.theme = theme || (system.matches ? "dark" : "light");
    window.dispatchEvent(new Event("themechange"));
  };
  show(read());
  system.addEventListener("change", () => show(read()));
  document.addEventListener("DOMContentLoaded", () => {
    const select = document.getElementById("theme");
    if (!select) return;
    select.value = read();
    select.addEventListener("change", () => {
      try { localStorage.setItem(KEY, select.value); } catch { /* it holds for this page */ }
      show(select.value);
    });
  });
})();
