// The page of one segment: checking a person against its rule, and a dialog that closes once the file is on its way.
import { checker } from "./checker.js";

for (const root of document.querySelectorAll("[data-checker]")) checker(root, () => JSON.parse(root.dataset.rule));
document.getElementById("export-segment")?.querySelector("form").addEventListener("submit", (event) => {
  setTimeout(() => event.target.closest("dialog").close());
});
