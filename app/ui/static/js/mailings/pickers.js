// Small dialogs to pick something: a personal field, a link, a picture, activities.

import { button, h, icon } from "../segments/elements.js";
import { csrfToken } from "../requests.js";

const dialog = document.getElementById("dialog");
const PATIENCE_MS = 250;
const IMAGE_BYTES_MAX = 20 * 1024 * 1024;

function open(title, words, ...content) {
  const back = document.activeElement;
  dialog.replaceChildren(h("div", { class: "mc-dialog-head" }, h("h2", { id: "dialog-title" }, title),
    h("button", { type: "button", class: "btn btn-quiet btn-sm", "aria-label": words.close, onclick: () => dialog.close() }, icon("close"))), ...content);
  dialog.onclose = () => { if (document.activeElement === document.body) back?.focus?.(); };
  dialog.showModal();
}

export async function getJson(url) {
  const answer = await fetch(url, { headers: { Accept: "application/json" } });
  if (!answer.ok) throw new Error(String(answer.status));
  return answer.json();
}

export function pickField({ fields, words }, insert) {
  const chosen = h("select", { class: "form-select", id: "field-name", size: 8 }, fields.map((field) => h("option", { value: field.name }, field.sample ? `${field.label} (${field.sample})` : field.label)));
  chosen.selectedIndex = 0;
  const fallback = h("input", { class: "form-control", id: "field-fallback", maxLength: 80 });
  const done = () => { dialog.close(); insert(chosen.value, fallback.value.trim()); };
  chosen.addEventListener("dblclick", done);
  open(words.person, words, h("form", { onsubmit: (event) => { event.preventDefault(); done(); } },
    h("div", { class: "zl-field" }, h("label", { for: "field-name" }, words.which), chosen),
    h("div", { class: "zl-field" }, h("label", { for: "field-fallback" }, words.fallback), fallback),
    h("div", { class: "zl-form-actions" }, h("button", { type: "submit", class: "btn btn-primary" }, words.insert))));
  chosen.focus();
}

export function pickLink({ words }, now, choose) {
  const field = h("input", { class: "form-control", id: "link-url", type: "text", inputMode: "url", value: now, placeholder: "https://", maxLength: 2000 });
  open(words.link_to, words, h("form", { onsubmit: (event) => { event.preventDefault(); dialog.close(); choose(tidy(field.value)); } },
    h("div", { class: "zl-field" }, h("label", { for: "link-url" }, words.address_of_link), field),
    h("div", { class: "zl-form-actions" }, now && button(words.unlink, "close", () => { dialog.close(); choose(""); }, "btn-quiet"),
      h("button", { type: "submit", class: "btn btn-primary" }, words.insert))));
  field.select();
}

/** A bare domain or address becomes a link. */
export function tidy(url) {
  const text = url.trim();
  if (/^[^\s@/:]+@[^\s@/]+\.[a-z]{2,}$/i.test(text)) return `mailto:${text}`;
  return /^[\w-]+(\.[\w-]+)+(\/\S*)?$/.test(text) ? `https://${text}` : text;
}

export async function uploadImage(file, words) {
  if (file.size > IMAGE_BYTES_MAX) throw new Error(words.too_large);
  const body = new FormData();
  body.append("image", file);
  let answer;
  try {
    answer = await fetch("/mailings/images", { method: "POST", body, headers: { "X-CSRFToken": csrfToken() } });
  } catch {
    throw new Error(words.trouble);
  }
  const said = await answer.json().catch(() => ({}));
  if (!answer.ok) throw new Error(said.title ?? (answer.status === 413 ? words.too_large : words.trouble));
  return said;
}

export function pickImage({ words }, choose) {
  const wrong = h("p", { class: "zl-error", hidden: true, role: "alert" });
  const done = (image) => { dialog.close(); choose(image); };
  const take = async (file) => {
    if (!file) return;
    wrong.hidden = true;
    box.setAttribute("aria-busy", "true");
    try { done(await uploadImage(file, words)); } catch (problem) { wrong.hidden = false; wrong.textContent = problem.message; }
    box.removeAttribute("aria-busy");
  };
  const input = h("input", { type: "file", accept: ".png,.jpg,.jpeg,.webp,.gif", class: "form-control", "aria-label": words.choose_image, onchange: () => take(input.files[0]) });
  const box = h("div", { class: "mc-drop-file", ondragover: (event) => { event.preventDefault(); box.classList.add("is-over"); },
    ondragleave: () => box.classList.remove("is-over"), ondrop: (event) => { event.preventDefault(); box.classList.remove("is-over"); take(event.dataTransfer.files[0]); } },
  h("p", {}, icon("upload"), words.drop_file), input);
  const recent = h("div", { class: "mc-recent" });
  open(words.choose_image, words, box, wrong, recent);
  input.focus();
  getJson("/mailings/images").then(({ images }) => {
    if (!images.length) return;
    recent.append(h("h3", { class: "seg-small-head" }, words.recent_images), h("div", { class: "mc-recent-list" }, images.map((image) =>
      h("button", { type: "button", class: "mc-recent-one", onclick: () => done(image) }, h("img", { src: image.url, alt: image.alt || image.name, loading: "lazy" })))));
  }).catch(() => {});
}

export function pickActivity({ words, language }, choose) {
  const list = h("ul", { class: "mc-found" });
  let timer = 0, asked = 0;
  const look = async () => {
    const mine = (asked += 1);
    try {
      const { activities } = await getJson(`/mailings/programme?language=${language}&q=${encodeURIComponent(field.value)}`);
      if (mine !== asked) return;
      list.replaceChildren(...(activities.length ? activities.map(line) : [h("li", { class: "zl-soft" }, words.nothing_found)]));
    } catch { list.replaceChildren(h("li", { class: "zl-error" }, words.trouble)); }
  };
  const line = (one) => h("li", {}, h("button", { type: "button", onclick: () => { dialog.close(); choose(one); } },
    h("strong", {}, one.title), h("span", {}, [one.when, one.venue, one.is_cancelled && words.cancelled, one.is_past && words.over].filter(Boolean).join(" · "))));
  const field = h("input", { class: "form-control", type: "search", "aria-label": words.find_activity, placeholder: words.find_activity,
    oninput: () => { clearTimeout(timer); timer = setTimeout(look, PATIENCE_MS); } });
  open(words.find_activity, words, field, list);
  field.focus();
  look();
}
