// The page about columns: shows what a choice asks for, and hides what it does not.

function update(column) {
  const chosen = column.querySelector("[data-meaning]").value;
  for (const part of column.querySelectorAll("[data-when]")) {
    part.hidden = part.dataset.when !== chosen;
  }
  const consent = column.querySelector("[data-consent]").value;
  for (const part of column.querySelectorAll("[data-when-consent]")) {
    part.hidden = !part.dataset.whenConsent.split(" ").includes(consent);
  }
  column.classList.toggle("is-ignored", chosen === "ignore");
}

for (const column of document.querySelectorAll("[data-column]")) {
  update(column);
  column.addEventListener("change", () => update(column));
}
