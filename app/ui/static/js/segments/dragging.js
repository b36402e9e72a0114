// Dragging conditions and groups by their handle, with a mouse, a pen or a finger.

const BEGIN_PX = 6;
const EDGE_PX = 60;
const SCROLL_PX = 12;

/** `onmove(id, boxId, index)` is told where something was dropped; index counts the others in the box. */
export function makeDraggable(root, onmove) {
  let drag = null;
  const marker = document.createElement("div");
  marker.className = "seg-drop";

  root.addEventListener("pointerdown", (event) => {
    const handle = event.target.closest("[data-drag]");
    if (!handle || event.button !== 0) return;
    const element = handle.closest("[data-node]");
    drag = { id: handle.dataset.drag, handle, element, x: event.clientX, y: event.clientY, isOn: false, pointer: event.pointerId };
  });

  addEventListener("pointermove", (event) => {
    if (!drag || event.pointerId !== drag.pointer) return;
    if (!drag.isOn && Math.hypot(event.clientX - drag.x, event.clientY - drag.y) < BEGIN_PX) return;
    if (!drag.isOn) begin();
    event.preventDefault();
    scrollNear(event.clientY);
    point(event);
  }, { passive: false });

  addEventListener("pointerup", (event) => {
    if (!drag || event.pointerId !== drag.pointer) return;
    const { id, isOn } = drag;
    const where = isOn && marker.parentElement ? placeOfMarker() : null;
    end();
    if (isOn) swallowClick();
    if (where) onmove(id, where.box, where.index);
  });
  addEventListener("pointercancel", () => drag && end());
  addEventListener("keydown", (event) => { if (event.key === "Escape" && drag?.isOn) end(); });

  function begin() {
    drag.isOn = true;
    drag.element.classList.add("is-dragged");
    root.classList.add("is-dragging");
    document.getSelection()?.removeAllRanges();
  }

  function end() {
    drag?.element.classList.remove("is-dragged");
    root.classList.remove("is-dragging");
    marker.remove();
    drag = null;
  }

  /** Shows where it would land: in the innermost box under the pointer that is not inside what is dragged. */
  function point({ clientX, clientY }) {
    const under = document.elementFromPoint(clientX, clientY);
    const items = under?.closest("[data-items]") ?? under?.closest(".seg-box")?.querySelector("[data-items]");
    if (!items || !root.contains(items) || drag.element.contains(items)) return;
    const below = others(items).find((child) => {
      const box = child.getBoundingClientRect();
      return clientY < box.top + box.height / 2;
    });
    items.insertBefore(marker, below ?? null);
  }

  function others(items) {
    return [...items.children].filter((child) => child.dataset.node && child !== drag.element);
  }

  function placeOfMarker() {
    const items = marker.parentElement;
    const before = others(items).filter((child) => marker.compareDocumentPosition(child) & Node.DOCUMENT_POSITION_PRECEDING);
    return { box: items.dataset.items, index: before.length };
  }

  function scrollNear(y) {
    if (y < EDGE_PX) scrollBy(0, -SCROLL_PX);
    if (y > innerHeight - EDGE_PX) scrollBy(0, SCROLL_PX);
  }

  // The click that follows letting go would open the handle's menu.
  function swallowClick() {
    const swallow = (event) => { event.stopPropagation(); event.preventDefault(); };
    addEventListener("click", swallow, { capture: true, once: true });
    setTimeout(() => removeEventListener("click", swallow, { capture: true }), 50);
  }
}
