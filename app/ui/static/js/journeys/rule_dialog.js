// A rule of a journey, edited in a dialog with the boxes of the segment builder; who it holds for now stands below it.

import { Live } from "../segments/live.js";
import { RuleBox } from "../segments/rule_box.js";

const ALL = { type: "all", rules: [] };

/** `edit(rule, title, put)` opens the dialog; `put` gets the rule when somebody takes it. */
export function ruleDialog(dialog, { context, say }) {
  const title = dialog.querySelector("[data-title]");
  const told = dialog.querySelector("[data-told]");
  const counted = dialog.querySelector("[data-counted]");
  const take = dialog.querySelector("[data-take]");
  let put = null;

  const box = new RuleBox(dialog.querySelector("[data-rule]"), { rule: ALL, context, say, onchange: () => { box.age(); live.ask(); } });
  const live = new Live({
    url: dialog.dataset.live,
    about: () => ({ rule: box.rule }),
    onanswer: show,
    onsteps: (found) => found && box.count(found),
    onstate: (state) => {
      dialog.toggleAttribute("aria-busy", state === "busy");
      dialog.dataset.state = state;
    },
  });

  function show({ errors, notes = {}, html }) {
    box.tell(errors, notes);
    if (html === undefined) { told.textContent = ""; counted.replaceChildren(); return; }
    const content = document.createElement("template");
    content.innerHTML = html; // our own server's fragment, escaped there
    told.textContent = content.content.querySelector("template[data-told]")?.content.textContent ?? "";
    counted.replaceChildren(content.content.querySelector(".seg-count") ?? "");
  }

  take.addEventListener("click", () => {
    const rule = box.rule;
    dialog.close();
    put?.(rule);
  });

  return function edit(rule, heading, taken) {
    put = taken;
    title.textContent = heading;
    told.textContent = "";
    counted.replaceChildren();
    box.tell({}, {});
    box.show(structuredClone(rule ?? ALL));
    dialog.showModal();
    live.ask(true);
  };
}
