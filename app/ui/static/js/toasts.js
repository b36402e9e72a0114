// Good news leaves by itself after a while, unless somebody is reading it; bad news stays until it is closed.

const SHOWN_MS = 7000;

document.addEventListener("click", (event) => {
  event.target.closest("[data-dismisses]")?.closest(".zl-toast")?.remove();
});

function watch(toast) {
  if (!toast.hasAttribute("data-leaves") || toast.dataset.watched) return;
  toast.dataset.watched = "yes";
  let timer = 0;
  const start = () => { timer = setTimeout(() => toast.remove(), SHOWN_MS); };
  const stop = () => clearTimeout(timer);
  for (const name of ["mouseenter", "focusin"]) toast.addEventListener(name, stop);
  for (const name of ["mouseleave", "focusout"]) toast.addEventListener(name, start);
  start();
}

const toasts = document.getElementById("toasts");
if (toasts) {
  for (const toast of toasts.children) watch(toast);
  new MutationObserver(() => { for (const toast of toasts.children) watch(toast); }).observe(toasts, { childList: true });
}
