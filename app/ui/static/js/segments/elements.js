// Making elements: small functions, so that the builder reads as a sentence. Never innerHTML with what people typed.

/** An element with properties, attributes (data-*, aria-*, list, for), listeners (onchange, …) and children. */
export function h(tag, properties = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (value === undefined || value === null || value === false) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (name === "class") element.className = value;
    else if (name in element && !name.includes("-") && name !== "list") element[name] = value;
    else element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...children.flat(Infinity).filter((child) => child !== undefined && child !== null && child !== false));
  return element;
}

/** An icon of the page's own set, cloned from a template in the page. */
export function icon(name) {
  const template = document.querySelector(`template[data-icon="${name}"]`);
  return template ? template.content.firstElementChild.cloneNode(true) : "";
}

export function button(label, symbol, onclick, style = "btn-quiet btn-sm") {
  return h("button", { type: "button", class: `btn ${style}`, onclick }, symbol && icon(symbol), label);
}

export function iconButton(label, symbol, onclick, key) {
  return h("button", { type: "button", class: "btn btn-quiet btn-sm seg-icon-button", title: label, "aria-label": label,
    "data-key": key, onclick }, icon(symbol));
}

/** A choice within a sentence. options: [[value, text], …]; onpick gets the value. */
export function choose(label, options, value, onpick, key) {
  const select = h("select", { class: "form-select seg-inline", "aria-label": label, "data-key": key,
    onchange: (event) => onpick(event.target.value) },
  options.map(([each, text]) => h("option", { value: each }, text)));
  select.value = String(value);
  return select;
}

/** A number within a sentence; ontype gets a number, or undefined while there is none. */
export function number(label, value, ontype, { key, min = 0, max, step = 1, wide = false } = {}) {
  return h("input", { class: `form-control seg-number${wide ? " is-wide" : ""}`, type: "number", inputMode: "decimal",
    "aria-label": label, "data-key": key, value: value ?? "", min, max, step: String(step),
    oninput: (event) => ontype(event.target.value === "" ? undefined : Number(event.target.value)) });
}

export function textInput(label, value, ontype, { key, type = "text", suggests, placeholder } = {}) {
  return h("input", { class: "form-control seg-text", type, "aria-label": label, "data-key": key, value: value ?? "",
    placeholder, "data-suggests": suggests, autocomplete: "off", oninput: (event) => ontype(event.target.value) });
}

/** A row of switches, any number of which can be on. */
export function switches(label, options, chosen, onchange, key) {
  return h("span", { class: "seg-switches", role: "group", "aria-label": label }, options.map(([value, text]) =>
    h("button", { type: "button", "aria-pressed": String(chosen.includes(value)), "data-key": `${key}-${value}`,
      onclick: () => onchange(chosen.includes(value) ? chosen.filter((one) => one !== value) : [...chosen, value]) }, text)));
}
