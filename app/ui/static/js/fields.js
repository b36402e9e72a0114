// Small comforts of fields. Every one of them works without this script too, only less comfortably.

// <button data-copies="id"> puts the value of a field on the clipboard and says so.
document.addEventListener("click", async (event) => {
  const button = event.target.closest("[data-copies]");
  if (!button) return;
  const field = document.getElementById(button.dataset.copies);
  try {
    await navigator.clipboard.writeText(field.value);
    button.querySelector("[data-text]").textContent = button.dataset.copied;
  } catch {
    field.select();
  }
});

// A form with data-sends-on-change is sent when a choice in it changes (filters, the language).
document.addEventListener("change", (event) => {
  const form = event.target.closest("form[data-sends-on-change]");
  if (form && event.target.matches("select, [type=checkbox], [type=radio], [type=date]")) form.requestSubmit();
});

// Dropping a file on the box is choosing it.
for (const kind of ["dragover", "dragleave", "drop"]) {
  document.addEventListener(kind, (event) => {
    const box = event.target.closest?.(".zl-drop");
    if (!box) return;
    event.preventDefault();
    box.classList.toggle("is-over", kind === "dragover");
    const input = box.querySelector("input[type=file]");
    if (kind === "drop" && event.dataTransfer.files.length) {
      input.files = event.dataTransfer.files;
      input.dispatchEvent(new Event("change", { bubbles: true }));
    }
  });
}

// A form that is sent twice by an impatient hand is sent once. (After a while it may be sent again: the answer may have
// been a download, which leaves the page where it is.)
const IMPATIENCE_MS = 4000;
document.addEventListener("submit", (event) => {
  const form = event.target;
  if (form.method !== "post" || form.matches("[hx-post], [hx-put], [hx-delete]")) return;
  if (form.dataset.sent) { event.preventDefault(); return; }
  form.dataset.sent = "yes";
  setTimeout(() => delete form.dataset.sent, IMPATIENCE_MS);
});
addEventListener("pageshow", () => {
  for (const form of document.querySelectorAll("form[data-sent]")) delete form.dataset.sent;
});

// After a refused form, the first field to mend has the focus.
document.querySelector('[aria-invalid="true"]')?.focus();
