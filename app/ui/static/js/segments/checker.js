// "Is this person in it, and why (not)?": find somebody by name or address, then see every condition ticked or crossed.

import { csrfToken } from "../requests.js";

const PATIENCE_MS = 300;

/** `root` is a [data-checker]; `rule` gives the rule as it is now. */
export function checker(root, rule) {
  const input = root.querySelector("[data-who]");
  const answer = root.querySelector("[data-answer]");
  let timer = 0;
  let asking = null;
  let person = null;

  async function ask(body) {
    asking?.abort();
    asking = new AbortController();
    try {
      const response = await fetch(root.dataset.url, {
        method: "POST", signal: asking.signal,
        headers: { "Content-Type": "application/json", "X-CSRFToken": csrfToken() },
        body: JSON.stringify({ rule: rule(), ...body }),
      });
      if (response.ok) answer.innerHTML = await response.text(); // our own server's fragment, escaped there
    } catch (error) {
      if (error.name !== "AbortError") throw error;
    }
  }

  input.addEventListener("input", () => {
    person = null;
    clearTimeout(timer);
    timer = setTimeout(() => ask({ q: input.value }), PATIENCE_MS);
  });
  input.addEventListener("keydown", (event) => { if (event.key === "Enter") event.preventDefault(); });
  answer.addEventListener("click", (event) => {
    const chosen = event.target.closest("[data-person]");
    if (!chosen) return;
    person = Number(chosen.dataset.person);
    input.value = chosen.firstChild.textContent.trim();
    ask({ contact_id: person });
  });
  return { again: () => { if (person) ask({ contact_id: person }); } };
}
