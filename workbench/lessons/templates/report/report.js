/* Draws the figures of a report, in the colours of the page: light, dark, or paper. INKS and Plotly stand above. */
/* global INKS, Plotly */
const dark = window.matchMedia("(prefers-color-scheme: dark)");
// the first role of an ink wins: in the template for both, text and faint text are one grey
const swaps = (to) => new Map(INKS.flatMap((inks) => inks.map((ink, role) => [ink, to[role]])).reverse());

/* The house's greys become those of the page. Boxes that show on hover bring their own background: left alone. */
function inked(value, colors, key) {
  if (key === "hoverlabel" || ArrayBuffer.isView(value)) return value;
  if (typeof value === "string") return colors.get(value) ?? value;
  if (Array.isArray(value)) return value.length > 999 ? value : value.map((v) => inked(v, colors));
  if (value && typeof value === "object") return Object.fromEntries(Object.entries(value).map(([k, v]) => [k, inked(v, colors, k)]));
  return value;
}

function draw(paper) {
  const colors = swaps(INKS[!paper && dark.matches ? 2 : 1]);
  for (const div of document.querySelectorAll(".wb-figure")) {
    const spec = JSON.parse(div.nextElementSibling.textContent);
    const layout = { ...inked(spec.layout ?? {}, colors), ...(paper ? { width: 660 } : {}) };
    Plotly.react(div, inked(spec.data, colors), layout, { responsive: true, displaylogo: false, displayModeBar: false });
  }
}

draw(false);
dark.addEventListener("change", () => draw(false));
window.addEventListener("beforeprint", () => draw(true));
window.addEventListener("afterprint", () => draw(false));
