// Dragging conditions and groups by their handle, with a mouse, a pen or a finger.

const BEGIN_PX = 6;
const EDGE_PX = 90;
const SCROLL_PX = 10;
const RIM_PX = 10; // so near its edge, a box is passed by, not gone into

/** `onmove(id, boxId, index)` is told where something was dropped; index counts the others in the box. `box` says what
 * things are dropped in: each has one child with data-items, whose children with data-node are the things. */
export function makeDraggable(root, onmove, { box: boxes = ".seg-box", tag = "div" } = {}) {
  let drag = null;
  const marker = document.createElement(tag);
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
    event.preventDefault();
    [drag.atX, drag.atY] = [event.clientX, event.clientY];
    if (!drag.isOn) begin();
    point();
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
    requestAnimationFrame(scrollOn);
  }

  /** While it is held near the top or the bottom, the page goes on. */
  function scrollOn() {
    if (!drag?.isOn) return;
    const way = drag.atY < EDGE_PX ? -1 : drag.atY > innerHeight - EDGE_PX ? 1 : 0;
    if (way) {
      scrollBy({ top: way * SCROLL_PX, behavior: "instant" });
      point();
    }
    requestAnimationFrame(scrollOn);
  }

  function end() {
    drag?.element.classList.remove("is-dragged");
    root.classList.remove("is-dragging");
    marker.remove();
    drag = null;
  }

  /** Shows where it would land: in the innermost box under the pointer that is not inside what is dragged. */
  function point() {
    const y = drag.atY;
    let box = document.elementFromPoint(drag.atX, y)?.closest(boxes);
    while (box && (drag.element.contains(box) || isAtRim(box, y))) box = box.parentElement.closest(boxes);
    if (!box || !root.contains(box)) return;
    const items = box.querySelector(":scope > [data-items]");
    const below = others(items).find((child) => {
      const { top, height } = child.getBoundingClientRect();
      return y < top + height / 2;
    });
    items.insertBefore(marker, below ?? null);
  }

  function isAtRim(box, y) {
    const { top, bottom } = box.getBoundingClientRect();
    return box.parentElement !== root && box !== root && (y < top + RIM_PX || y > bottom - RIM_PX);
  }

  function others(items) {
    return [...items.children].filter((child) => child.dataset.node && child !== drag.element);
  }

  function placeOfMarker() {
    const items = marker.parentElement;
    const before = others(items).filter((child) => marker.compareDocumentPosition(child) & Node.DOCUMENT_POSITION_PRECEDING);
    return { box: items.dataset.items, index: before.length };
  }

  // The click that follows letting go would open the handle's menu.
  function swallowClick() {
    const swallow = (event) => { event.stopPropagation(); event.preventDefault(); };
    addEventListener("click", swallow, { capture: true, once: true });
    setTimeout(() => removeEventListener("click", swallow, { capture: true }), 50);
  }
}
