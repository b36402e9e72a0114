// The content of a mail as the composer holds it: the JSON that the server keeps, and small questions about it.

let made = 0;

/** An id that no block of this mail has. */
export const newId = () => `b${Date.now().toString(36)}${(made += 1)}`;

const BLANK = {
  text: () => ({ html: "", align: "left" }),
  image: () => ({ image: "", alt: "", url: "", width_pct: 100, is_decorative: false }),
  button: () => ({ label: "", url: "", align: "center" }),
  activities: () => ({ mode: "chosen", chosen: [], genre: "", venue: "", audience: "", count: 3, layout: "list", button_label: "" }),
  columns: () => ({ columns: [[newBlock("text")], [newBlock("text")]] }),
  divider: () => ({}),
  spacer: () => ({ height: 24 }),
  survey: () => ({ question: "", url: "", answers: [], field: "" }),
  header: () => ({ title: "", has_logo: true }),
  footer: () => ({ html: "" }),
};
export const INNER = ["text", "image", "button", "spacer"];
export const ADDED = ["text", "image", "button", "activities", "columns", "divider", "spacer", "survey", "header", "footer"];
export const MARKETING = ["activities", "survey"];

export function newBlock(type) {
  return { type, id: newId(), ...BLANK[type]() };
}

/** The same block with ids of its own, those inside it as well. */
export function copyBlock(block) {
  const copy = structuredClone(block);
  copy.id = newId();
  for (const column of copy.columns ?? []) for (const inner of column) inner.id = newId();
  return copy;
}

/** The list a block stands in, whether that is the mail or a column; and its place. */
export function placeOf(blocks, id) {
  const index = blocks.findIndex((block) => block.id === id);
  if (index >= 0) return { list: blocks, index };
  for (const block of blocks) {
    for (const column of block.columns ?? []) {
      const inside = column.findIndex((inner) => inner.id === id);
      if (inside >= 0) return { list: column, index: inside };
    }
  }
  return null;
}

/** What a block says, in a few words, for when it is folded. */
export function summaryOf(block) {
  switch (block.type) {
    case "text": case "footer": return textOf(block.html);
    case "image": return block.alt;
    case "button": return block.label;
    case "header": return block.title;
    case "survey": return block.question;
    case "columns": return block.columns.map((column) => column.map(summaryOf).filter(Boolean).join(", ")).filter(Boolean).join(" | ");
    default: return "";
  }
}

export function textOf(html) {
  return new DOMParser().parseFromString(html.replace(/<\/(p|li|h2|h3)>/g, " </$1>"), "text/html").body.textContent.trim();
}
