// What htmx sends and how it takes refusals.

/** The token every POST, PUT and DELETE must carry. */
export function csrfToken() {
  return document.querySelector('meta[name="csrf-token"]')?.content ?? "";
}

document.addEventListener("htmx:configRequest", (event) => {
  event.detail.headers["X-CSRFToken"] = csrfToken();
});

// Our own refusals are fragments with a place to go (422 in place, others as a toast). Anything else that failed came
// from something between us and the browser, and must not replace part of the page.
document.addEventListener("htmx:beforeSwap", (event) => {
  const { xhr } = event.detail;
  if (xhr.status >= 400 && xhr.status !== 422 && !xhr.getResponseHeader("HX-Retarget")) {
    event.detail.shouldSwap = false;
    showTrouble();
  }
});

document.addEventListener("htmx:sendError", showTrouble);
document.addEventListener("htmx:timeout", showTrouble);

function showTrouble() {
  const toasts = document.getElementById("toasts");
  const template = document.getElementById("trouble");
  if (toasts && template && !toasts.querySelector("[data-trouble]")) {
    toasts.append(template.content.cloneNode(true));
  }
}
