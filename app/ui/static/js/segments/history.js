// What can be undone and done again: states of the tree, ids included, so that the focus finds its way back.

const TYPING_MS = 700;

export class History {
  constructor(state) {
    this.now = structuredClone(state);
    this.undone = [];
    this.past = [];
    this.typedAt = 0;
  }

  /** Notes a new state. What is typed in one go is one step. */
  note(state, isTyping) {
    const goesOn = isTyping && Date.now() - this.typedAt < TYPING_MS;
    if (!goesOn) this.past.push(this.now);
    this.now = structuredClone(state);
    this.undone = [];
    this.typedAt = isTyping ? Date.now() : 0;
  }

  get canUndo() { return this.past.length > 0; }

  get canRedo() { return this.undone.length > 0; }

  undo() { return this.#step(this.past, this.undone); }

  redo() { return this.#step(this.undone, this.past); }

  #step(from, to) {
    if (!from.length) return null;
    to.push(this.now);
    this.now = from.pop();
    this.typedAt = 0;
    return structuredClone(this.now);
  }
}
