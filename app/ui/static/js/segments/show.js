// The page of one segment: checking a person against its rule.
import { checker } from "./checker.js";

for (const root of document.querySelectorAll("[data-checker]")) checker(root, () => JSON.parse(root.dataset.rule));
