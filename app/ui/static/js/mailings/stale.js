// Two people wrote in one mailing: whoever saves second chooses, and nobody's words are lost.

import { csrfToken } from "../requests.js";

/** Says that it cannot be saved any more. `read()` gives what this person wrote; `saving` is left on purpose. */
export function showStale(details, { id, words, canChoose, saving, read }) {
  const notice = document.getElementById("stale");
  notice.querySelector("[data-words]").textContent = details.title;
  const [theirs, mine] = [notice.querySelector("[data-theirs]"), notice.querySelector("[data-mine]")];
  theirs.textContent = words.load_theirs;
  mine.textContent = words.copy_mine;
  theirs.hidden = !canChoose;
  theirs.onclick = () => { saving.leave(); location.reload(); };
  mine.onclick = () => keepMine({ id, words, saving, read });
  notice.hidden = false;
  notice.focus();
}

/** What somebody wrote while another saved becomes a mailing of its own. */
async function keepMine({ id, words, saving, read }) {
  const answer = await fetch(`/mailings/${id}/mine`, { method: "POST", headers: { "Content-Type": "application/json", "X-CSRFToken": csrfToken() },
    body: JSON.stringify({ content: read() }) }).catch(() => null);
  const said = await answer?.json().catch(() => null);
  if (!answer?.ok || !said) { document.getElementById("saved").textContent = words.trouble; return; }
  saving.leave();
  location.assign(said.url);
}
