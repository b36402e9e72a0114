// Writing with a little formatting. What leaves is our own few tags; what comes in, typed or pasted, is read node by node
// and never as HTML. A personal field is one thing to step over or take out: it cannot be broken in two.

import { h, icon } from "../segments/elements.js";

const FIELD = /\{\{\s*([a-z_]+(?:\.[\w-]+)?|attributes\["[^"]+"\])\s*(?:or\s*"([^"]*)"\s*)?\}\}/g;
const BLOCKS = { P: "p", DIV: "p", H1: "h2", H2: "h2", H3: "h3", H4: "h3", H5: "h3", H6: "h3", UL: "ul", OL: "ol", LI: "li" };
const INLINE = { B: "strong", STRONG: "strong", I: "em", EM: "em", BR: "br" };
const SILENT = ["SCRIPT", "STYLE", "HEAD", "TITLE", "TEMPLATE", "IFRAME", "OBJECT", "SVG", "TEXTAREA", "SELECT", "META", "LINK"];

export const fieldText = (name, fallback) => {
  const [room, ...rest] = name.split(".");
  const said = /^[a-z_]+(\.[A-Za-z_][\w]*)?$/.test(name) ? name : `${room}["${rest.join(".")}"]`;
  return fallback ? `{{ ${said} or "${fallback.replaceAll('"', "”")}" }}` : `{{ ${said} }}`;
};

export class RichText {
  /** `onchange(html)` after every change; `pick` opens the pickers: {field(insert), link(now, choose)}. */
  constructor({ html, label, words, labels, onchange, pick, key }) {
    Object.assign(this, { words, labels, onchange, pick });
    this.area = h("div", { class: "mc-area form-control", contenteditable: "true", role: "textbox", "aria-multiline": "true",
      "aria-label": label, "data-key": key, "data-hint": words.write_here,
      oninput: () => this.#changed(), onpaste: (event) => this.#paste(event), onkeydown: (event) => this.#key(event),
      onblur: () => { this.range = this.#range(); } });
    this.area.append(...this.#drawn(html));
    this.element = h("div", { class: "mc-rich" }, this.#toolbar(), this.area);
    this.#showEmpty();
  }

  get html() {
    return [...this.area.childNodes].map((node) => written(node)).join("");
  }

  #toolbar() {
    const tool = (label, face, act, keys) => h("button", { type: "button", class: "btn btn-quiet btn-sm mc-tool", title: label, "aria-label": label,
      "aria-keyshortcuts": keys, onmousedown: (event) => event.preventDefault(), onclick: () => { this.#focus(); act(); this.#changed(); } }, face);
    const { words } = this;
    return h("div", { class: "mc-tools", role: "toolbar", "aria-label": words.write },
      tool(words.bold, h("strong", {}, "B"), () => document.execCommand("bold"), "Control+B"),
      tool(words.italic, h("em", {}, "I"), () => document.execCommand("italic"), "Control+I"),
      tool(words.heading, h("span", {}, "H"), () => this.#toggleBlock("h3")),
      tool(words.bullets, h("span", {}, "•–"), () => document.execCommand("insertUnorderedList")),
      tool(words.numbers, h("span", {}, "1."), () => document.execCommand("insertOrderedList")),
      tool(words.address_of_link, icon("link"), () => this.#link(), "Control+K"),
      h("button", { type: "button", class: "btn btn-quiet btn-sm", onmousedown: (event) => event.preventDefault(),
        onclick: () => { this.range = this.#range(); this.pick.field((name, fallback) => this.insertField(name, fallback)); } }, icon("person"), words.person));
  }

  insertField(name, fallback) {
    this.#focus();
    const chip = this.#chip(fieldText(name, fallback), name, fallback);
    const range = this.#range();
    range.deleteContents();
    range.insertNode(chip);
    range.setStartAfter(chip);
    range.collapse(true);
    getSelection().removeAllRanges();
    getSelection().addRange(range);
    this.#changed();
  }

  #link() {
    const range = (this.range = this.#range());
    const now = range.startContainer.parentElement?.closest("a") ?? null;
    this.pick.link(now?.getAttribute("href") ?? "", (url) => {
      this.#focus();
      if (now) { getSelection().selectAllChildren(now); }
      if (!url) document.execCommand("unlink");
      else if (getSelection().isCollapsed) this.#insertText(url, url);
      else document.execCommand("createLink", false, url);
      this.#changed();
    });
  }

  #insertText(text, href) {
    const range = this.#range();
    const node = h("a", {}, text);
    node.setAttribute("href", href);
    range.insertNode(node);
  }

  #toggleBlock(tag) {
    const isOn = this.#range().startContainer.parentElement?.closest(tag);
    document.execCommand("formatBlock", false, isOn ? "p" : tag);
  }

  #focus() {
    if (document.activeElement === this.area) return;
    this.area.focus();
    if (this.range && this.area.contains(this.range.startContainer)) {
      getSelection().removeAllRanges();
      getSelection().addRange(this.range);
    }
  }

  #range() {
    const selection = getSelection();
    if (selection.rangeCount && this.area.contains(selection.getRangeAt(0).startContainer)) return selection.getRangeAt(0).cloneRange();
    if (this.range && this.area.contains(this.range.startContainer)) return this.range;
    const range = document.createRange();
    range.selectNodeContents(this.area.lastElementChild ?? this.area);
    range.collapse(false);
    return range;
  }

  #key(event) {
    if ((event.ctrlKey || event.metaKey) && !event.altKey && event.key.toLowerCase() === "k") {
      event.preventDefault();
      this.#link();
    }
  }

  #paste(event) {
    event.preventDefault();
    const html = event.clipboardData.getData("text/html");
    const text = event.clipboardData.getData("text/plain");
    const nodes = html ? this.#drawn(html) : text.split(/\n{2,}/).map((part) => h("p", {}, part.split("\n").flatMap((line, at) => (at ? [h("br"), line] : [line]))));
    const holder = h("div", {}, nodes);
    const isOneLine = nodes.length === 1 && nodes[0].tagName === "P";
    document.execCommand("insertHTML", false, isOneLine ? nodes[0].innerHTML : holder.innerHTML); // built from our own nodes
    this.#changed();
  }

  #changed() {
    if (this.area.firstChild && this.area.firstChild.nodeType === Node.TEXT_NODE && !this.isComposing) document.execCommand("formatBlock", false, "p");
    this.#showEmpty();
    this.onchange(this.html);
  }

  #showEmpty() {
    this.area.classList.toggle("is-empty", this.area.textContent.trim() === "" && !this.area.querySelector(".mc-chip, li"));
  }

  /** Nodes of our own for any HTML. */
  #drawn(html) {
    const nodes = this.#read(new DOMParser().parseFromString(html, "text/html").body);
    const found = [];
    let line = null;
    for (const node of nodes) {
      const isBlock = node.nodeType === Node.ELEMENT_NODE && ["P", "H2", "H3", "UL", "OL"].includes(node.tagName);
      if (isBlock) { line = null; found.push(node); continue; }
      if (!line && node.nodeType === Node.TEXT_NODE && !node.textContent.trim()) continue;
      if (!line) found.push(line = h("p"));
      line.append(node);
    }
    return found;
  }

  #read(parent) {
    const found = [];
    for (const node of parent.childNodes) {
      if (node.nodeType === Node.TEXT_NODE) { found.push(...this.#withChips(node.textContent)); continue; }
      if (node.nodeType !== Node.ELEMENT_NODE || SILENT.includes(node.tagName)) continue;
      const inner = this.#read(node);
      const tag = BLOCKS[node.tagName] ?? INLINE[node.tagName];
      if (node.dataset?.text) found.push(...this.#withChips(node.dataset.text));
      else if (node.tagName === "A" && /^(https?:|mailto:|tel:|\{\{)/i.test(node.getAttribute("href") ?? "")) {
        const link = h("a", {}, inner);
        link.setAttribute("href", node.getAttribute("href"));
        found.push(link);
      } else if (tag && !(tag === "p" && inner.some((each) => ["P", "UL", "OL", "H2", "H3"].includes(each.tagName)))) found.push(h(tag, {}, inner));
      else found.push(...inner);
    }
    return found;
  }

  #withChips(text) {
    const found = [];
    let from = 0;
    for (const match of text.matchAll(FIELD)) {
      if (match.index > from) found.push(document.createTextNode(text.slice(from, match.index)));
      const name = match[1].replace(/^attributes\["(.*)"\]$/, "attributes.$1");
      found.push(this.#chip(match[0], name, match[2] ?? ""));
      from = match.index + match[0].length;
    }
    if (from < text.length) found.push(document.createTextNode(text.slice(from)));
    return found;
  }

  #chip(text, name, fallback) {
    const label = this.labels[name] ?? name;
    return h("span", { class: "mc-chip", contenteditable: "false", "data-text": text, title: text }, fallback ? `${label} / ${fallback}` : label);
  }
}

const escaped = (text) => text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;").replaceAll('"', "&quot;");

/** A node of the editor as the HTML we keep; the server reads it anew and keeps nothing else either. */
function written(node) {
  if (node.nodeType === Node.TEXT_NODE) return escaped(node.textContent.replaceAll("\u00a0", " "));
  if (node.nodeType !== Node.ELEMENT_NODE) return "";
  if (node.dataset.text) return escaped(node.dataset.text);
  const inner = [...node.childNodes].map(written).join("");
  if (node.tagName === "A") return `<a href="${escaped(node.getAttribute("href") ?? "")}">${inner}</a>`;
  const tag = BLOCKS[node.tagName] ?? INLINE[node.tagName];
  if (tag === "br") return "<br>";
  return tag ? `<${tag}>${inner}</${tag}>` : inner;
}
