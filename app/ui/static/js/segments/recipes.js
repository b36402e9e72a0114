// The gallery of ready-made segments: fields for genres, postcodes and so on propose what is there, and each card says how
// many people it holds with the numbers as they are typed, before anything is made of it.

import { csrfToken } from "../requests.js";
import { newName } from "./live.js";
import "./suggestions.js";

const PATIENCE_MS = 500;
const language = document.documentElement.lang;
const numbers = new Intl.NumberFormat(language);

for (const card of document.querySelectorAll("form[data-recipe]")) {
  const button = card.querySelector("[data-count-recipe]");
  const told = card.querySelector("[data-told]");
  const name = newName();
  let timer = 0, asking = null;

  async function count() {
    asking?.abort();
    asking = new AbortController();
    if (!card.checkValidity()) { told.textContent = ""; return; }
    const body = new URLSearchParams(new FormData(card));
    body.set("asked_by", name);
    card.setAttribute("aria-busy", "true");
    try {
      const answer = await fetch(card.dataset.recipe, { method: "POST", body, signal: asking.signal, headers: { "X-CSRFToken": csrfToken(), Accept: "application/json" } });
      if (!answer.ok) throw new Error(String(answer.status));
      show(await answer.json());
    } catch (error) {
      if (error.name === "AbortError") return;
      told.textContent = "";
    }
    card.removeAttribute("aria-busy");
  }

  function show({ count: people, of, told: sentence, problems }) {
    if (problems) { told.textContent = Object.values(problems).join(" "); return; }
    const strong = document.createElement("strong");
    if (people !== undefined) strong.textContent = `${numbers.format(people)} / ${numbers.format(of)}`;
    told.replaceChildren(strong, ` ${sentence}`);
  }

  button.hidden = false;
  button.addEventListener("click", () => (card.reportValidity() ? count() : undefined));
  card.addEventListener("input", () => {
    clearTimeout(timer);
    timer = setTimeout(count, PATIENCE_MS);
  });
}
