// Runs before the page is drawn, so that a chosen theme does not flash. Without a choice the system's holds.
"use strict";
(() => {
  const order = ["system", "light", "dark"];
  const names = { system: "Theme: system", light: "Theme: light", dark: "Theme: dark" };
  let chosen = "system";
  try {
    chosen = localStorage.getItem("theme") || chosen;
  } catch {
    // Storage may be forbidden; then the choice holds for this visit.
  }
  const apply = () => {
    if (!order.includes(chosen)) chosen = "system";
    document.documentElement.dataset.theme = chosen;
  };
  apply();
  addEventListener("DOMContentLoaded", () => {
    const button = document.getElementById("theme");
    const name = () => {
      button.textContent = names[chosen];
    };
    name();
    button.addEventListener("click", () => {
      chosen = order[(order.indexOf(chosen) + 1) % order.length];
      apply();
      name();
      try {
        localStorage.setItem("theme", chosen);
      } catch {
        // As above.
      }
    });
  });
})();
