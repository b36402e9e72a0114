// Dragging blocks by their handle, with a mouse, a pen or a finger. With the keyboard: the arrows on the handle.

const BEGIN_PX = 6;
const EDGE_PX = 90;
const SCROLL_PX = 10;

/** `onmove(id, index)` is told where a block was dropped. */
export function makeDraggable(list, onmove) {
  let drag = null;
  const marker = document.createElement("li");
  marker.className = "seg-drop";
  marker.setAttribute("role", "presentation");

  list.addEventListener("pointerdown", (event) => {
    const handle = event.target.closest("[data-drag]");
    if (!handle || event.button !== 0) return;
    drag = { id: handle.dataset.drag, element: handle.closest("[data-block]"), x: event.clientX, y: event.clientY, isOn: false, pointer: event.pointerId };
  });

  addEventListener("pointermove", (event) => {
    if (!drag || event.pointerId !== drag.pointer) return;
    if (!drag.isOn && Math.hypot(event.clientX - drag.x, event.clientY - drag.y) < BEGIN_PX) return;
    event.preventDefault();
    drag.atY = event.clientY;
    if (!drag.isOn) begin();
    point();
  }, { passive: false });

  addEventListener("pointerup", (event) => {
    if (!drag || event.pointerId !== drag.pointer) return;
    const { id, isOn } = drag;
    const index = isOn && marker.isConnected ? others().filter((each) => marker.compareDocumentPosition(each) & Node.DOCUMENT_POSITION_PRECEDING).length : -1;
    end();
    if (index >= 0) onmove(id, index);
  });
  addEventListener("pointercancel", () => drag && end());
  addEventListener("keydown", (event) => { if (event.key === "Escape" && drag?.isOn) end(); });

  const others = () => [...list.children].filter((each) => each.dataset.block && each !== drag?.element);

  function begin() {
    drag.isOn = true;
    drag.element.classList.add("is-dragged");
    list.classList.add("is-dragging");
    // The frame would take the pointer for itself.
    document.documentElement.classList.add("mc-is-dragging");
    getSelection()?.removeAllRanges();
    requestAnimationFrame(scrollOn);
  }

  function scrollOn() {
    if (!drag?.isOn) return;
    const way = drag.atY < EDGE_PX ? -1 : drag.atY > innerHeight - EDGE_PX ? 1 : 0;
    if (way) { scrollBy({ top: way * SCROLL_PX, behavior: "instant" }); point(); }
    requestAnimationFrame(scrollOn);
  }

  function point() {
    const below = others().find((each) => {
      const { top, height } = each.getBoundingClientRect();
      return drag.atY < top + height / 2;
    });
    list.insertBefore(marker, below ?? null);
  }

  function end() {
    drag?.element.classList.remove("is-dragged");
    list.classList.remove("is-dragging");
    document.documentElement.classList.remove("mc-is-dragging");
    marker.remove();
    drag = null;
  }
}
