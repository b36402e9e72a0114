// Menus that open from a button: one at a time, walked through with the arrows, closed with Escape or a click elsewhere.

import { h, icon } from "./elements.js";

let open = null;

/** A button with a menu. items: [{label, hint, symbol, isOff, onpick}]. */
export function menuButton(opener, items) {
  const menu = h("div", { class: "seg-menu", hidden: true, role: "menu" }, items.map((item) =>
    h("button", { type: "button", role: "menuitem", class: item.hint ? "" : "is-plain", "aria-disabled": item.isOff ? "true" : undefined,
      onclick: () => { if (!item.isOff) { closeMenu(false); item.onpick(); } } },
    item.symbol && icon(item.symbol), item.hint ? h("strong", {}, item.label) : item.label, item.hint && h("span", {}, item.hint))));
  opener.setAttribute("aria-haspopup", "menu");
  opener.setAttribute("aria-expanded", "false");
  opener.addEventListener("click", () => toggle(opener, menu));
  return [opener, menu];
}

export function closeMenu(giveFocusBack) {
  if (!open) return;
  open.menu.hidden = true;
  open.opener.setAttribute("aria-expanded", "false");
  if (giveFocusBack) open.opener.focus();
  open = null;
}

function toggle(opener, menu) {
  const wasOpen = open?.menu === menu;
  closeMenu(false);
  if (wasOpen) return;
  open = { opener, menu };
  menu.hidden = false;
  opener.setAttribute("aria-expanded", "true");
  menu.querySelector("button")?.focus({ preventScroll: true });
  menu.scrollIntoView({ block: "nearest" });
}

const STEPS = { ArrowDown: (at, all) => (at + 1) % all, ArrowUp: (at, all) => (at - 1 + all) % all, Home: () => 0, End: (_at, all) => all - 1 };

document.addEventListener("keydown", (event) => {
  if (event.key === "Escape" && open) { event.preventDefault(); closeMenu(true); return; }
  if (!open?.menu.contains(event.target)) return;
  if (event.key === "Tab") { closeMenu(false); return; }
  const step = STEPS[event.key];
  if (!step) return;
  event.preventDefault();
  const items = [...open.menu.children];
  items[step(items.indexOf(event.target), items.length)].focus();
});

document.addEventListener("click", (event) => {
  if (open && !open.menu.contains(event.target) && !open.opener.contains(event.target)) closeMenu(false);
});
