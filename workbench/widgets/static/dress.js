// Adds to the box around this widget the attributes and keys that ipywidgets leaves out, for screen readers and keyboards.
let count = 0;
const idOf = (el) => (el.id ||= `wb-${++count}`);

function put(el, name, value) {
  if (el && el.getAttribute(name) !== value) el.setAttribute(name, value);
}

function describe(knob) {
  const field = knob.querySelector("input, select, textarea");
  if (!field) return;
  const lines = [...knob.querySelectorAll(":scope > .wb-help, :scope > .wb-problem")];
  put(field, "aria-describedby", lines.map(idOf).join(" "));
  put(field, "aria-invalid", String(knob.classList.contains("wb-invalid")));
  const label = [...knob.querySelectorAll(".widget-label")].map((el) => el.textContent).find(Boolean);
  put(knob.querySelector(".noUi-handle"), "aria-label", label ?? "");
}

function fold(header) {
  if (header.tabIndex !== 0) {
    header.tabIndex = 0;
    header.setAttribute("role", "button");
    header.addEventListener("keydown", (e) => {
      if (e.target !== header || (e.key !== "Enter" && e.key !== " ")) return;
      e.preventDefault();
      e.stopPropagation();
      header.click();
    });
  }
  put(header, "aria-expanded", String(header.parentElement.classList.contains("jupyter-widget-Collapse-open")));
}

function live(el) {
  put(el, "role", "status");
  put(el, "aria-live", "polite");
}

const FOCUSABLE = "input, select, textarea, button, [tabindex='0']";
const isShown = (el) => el.isConnected && el.getClientRects().length > 0;

// A control that is hidden while it has the focus hands it to the next control that is shown, or to the one before.
function keepFocus(root, last) {
  if (!last || isShown(last) || !last.isConnected) return;
  if (document.activeElement && document.activeElement !== document.body && document.activeElement !== last) return;
  const others = [...root.querySelectorAll(FOCUSABLE)].filter((el) => isShown(el) && !el.disabled);
  const isAfter = (el) => last.compareDocumentPosition(el) & Node.DOCUMENT_POSITION_FOLLOWING;
  (others.find(isAfter) ?? others.at(-1))?.focus();
}

function dress(root) {
  root.querySelectorAll(".wb-knob").forEach(describe);
  root.querySelectorAll(".jupyter-widget-Collapse-header").forEach(fold);
  root.querySelectorAll(".wb-status, .wb-problem").forEach(live);
  root.querySelectorAll(".wb-chips button").forEach((el) => put(el, "aria-pressed", String(el.classList.contains("mod-active"))));
}

export default {
  render({ el }) {
    let observer, frame, last;
    const stop = new AbortController();
    const later = (root) => {
      cancelAnimationFrame(frame);
      frame = requestAnimationFrame(() => { dress(root); keepFocus(root, last); });
    };
    const followFocus = (root) => {
      root.addEventListener("focusin", (e) => { last = e.target; }, { signal: stop.signal });
      root.addEventListener("focusout", (e) => { if (isShown(e.target)) last = undefined; }, { signal: stop.signal });
    };
    const find = () => {
      const root = el.closest(".wb-root");
      if (!root) return void (frame = requestAnimationFrame(find));
      dress(root);
      followFocus(root);
      observer = new MutationObserver(() => later(root));
      observer.observe(root, { childList: true, subtree: true, attributes: true, attributeFilter: ["class", "style"] });
    };
    el.classList.add("wb-dress");
    find();
    return () => { cancelAnimationFrame(frame); observer?.disconnect(); stop.abort(); };
  },
};
