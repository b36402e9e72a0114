// What one mail does otherwise than the house: colours and typeface.

import { button, h } from "../segments/elements.js";

/** Draws the form of a style; `changed(again)` after every change. */
export function drawStyle(style, { words, look, fonts }, changed) {
  const holder = document.querySelector("[data-style]");
  const colour = (name) => {
    const now = style[name];
    const field = h("input", { type: "color", class: "form-control form-control-color", id: `style-${name}`, value: now ?? look[name],
      oninput: (event) => { style[name] = event.target.value; changed(); } });
    return h("div", { class: "zl-field mc-colour" }, h("label", { for: `style-${name}` }, words[name]), field,
      now && button(words.follow_house, "close", () => { style[name] = null; changed(true); }));
  };
  const font = h("select", { class: "form-select", id: "style-font", onchange: (event) => { style.font = event.target.value || null; changed(); } },
    h("option", { value: "" }, words.follow_house), fonts.map((name) => h("option", { value: name }, words[`typeface_${name}`])));
  font.value = style.font ?? "";
  holder.replaceChildren(h("div", { class: "mc-colours" }, ["colour", "button_colour", "text_colour", "background"].map(colour)),
    h("div", { class: "zl-field" }, h("label", { for: "style-font" }, words.font), font));
}
