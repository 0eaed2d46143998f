/* The page's half of LiveChart (see livechart.py). `uPlot` stands above: the two files are sent as one module. */
/* global uPlot */

const GRID = "rgba(128, 132, 140, 0.28)";
const short = (v) => (v == null ? "--" : Number(v).toPrecision(4).replace(/(\.\d*?)0+(e|$)/, "$1$2").replace(/\.(e|$)/, "$1"));

/* One curve: x ascending, one y an x. Points mostly come at the end; a rerun that starts again at 0 is put in place. */
function put(curve, x, y) {
  const [xs, ys] = curve;
  const value = Number.isFinite(y) ? y : null; // null is a gap
  if (!xs.length || x > xs[xs.length - 1]) return void (xs.push(x), ys.push(value));
  let low = 0, high = xs.length - 1;
  while (low < high) { const mid = (low + high) >> 1; if (xs[mid] < x) low = mid + 1; else high = mid; }
  if (xs[low] === x) ys[low] = value;
  else { xs.splice(low, 0, x); ys.splice(low, 0, value); }
}

/* The curves have x values of their own: show the nearest one that a curve has, and its last one where nothing is hovered. */
function nearest(u, s, i) {
  const ys = u.data[s];
  for (let d = 0; d < ys.length; d++) {
    if (ys[i - d] != null) return i - d;
    if (ys[i + d] != null) return i + d;
  }
  return i;
}

function last(ys) {
  for (let i = ys.length - 1; i >= 0; i--) if (ys[i] != null) return ys[i];
  return null;
}

function render({ model, el }) {
  const box = document.createElement("div");
  box.className = "wb-live";
  box.setAttribute("role", "img");
  box.dataset.n = 0;
  el.appendChild(box);

  const curves = new Map(); // name -> [xs, ys]
  let received = 0;
  const css = (name) => getComputedStyle(box).getPropertyValue(name).trim() || getComputedStyle(box).color;
  const ink = () => css("--jp-ui-font-color1");
  const axis = (more) => ({
    stroke: ink, font: "12px system-ui, sans-serif", labelFont: "12px system-ui, sans-serif", ticks: { stroke: GRID, size: 4 },
    grid: { stroke: GRID, width: 1 }, ...more,
  });

  const plot = new uPlot({
    title: model.get("title"), width: Math.max(el.clientWidth, 240), height: model.get("height"), scales: { x: { time: false } },
    cursor: { dataIdx: nearest, drag: { x: true, y: false }, points: { size: 7 } },
    series: [{ label: model.get("x_title"), value: (u, v) => short(v ?? last(u.data[0])) }],
    axes: [axis({ label: model.get("x_title"), labelSize: 20, size: 34, grid: { show: false } }),
      axis({ size: 56, values: (u, ticks) => ticks.map(short) })],
  }, [[]], box);

  function color(i) {
    const colors = model.get("colors");
    return colors[i % colors.length];
  }

  function addCurve(name) {
    const i = curves.size;
    curves.set(name, [[], []]);
    plot.addSeries({
      label: name, stroke: color(i), width: 2, dash: [[], [8, 4], [2, 3], [8, 3, 2, 3]][i % 4],
      points: { show: (u, s) => curves.get(name)[0].length < 40, size: 5, fill: color(i) },
      value: (u, v, s) => short(v ?? last(u.data[s] ?? [])),
    }, i + 1);
  }

  function describe() {
    const parts = [...curves].map(([name, [xs, ys]]) => `${name} ${short(last(ys))} at ${short(xs[xs.length - 1])}`);
    box.setAttribute("aria-label", `${model.get("title")}: ${parts.join(", ") || "no points yet"}`);
  }

  function draw() {
    const tables = [...curves.values()];
    plot.setData(tables.length ? uPlot.join(tables) : [[]]);
    box.dataset.n = tables.reduce((n, [xs]) => n + xs.length, 0);
    describe();
  }

  /* Without news the page says what it has: after 1 s, then twice as long each time. */
  let silence = 0;
  function watch(wait) {
    clearTimeout(silence);
    silence = setTimeout(() => {
      model.send({ kind: "have", n: received });
      if (wait < 300000) watch(2 * wait);
    }, wait);
  }

  function onMessage(message, buffers) {
    watch(1000);
    if (message.kind === "full") {
      clearInterval(asking);
      for (let i = curves.size; i > 0; i--) plot.delSeries(i);
      curves.clear();
      received = 0;
    } else if (message.after !== received) {
      return void model.send({ kind: "hello" }); // a delta went missing on the way: ask for everything
    }
    message.series.forEach((name, i) => {
      const view = buffers[i]; // its offset need not be a multiple of 8, hence the copy
      const numbers = new Float64Array(view.buffer.slice(view.byteOffset, view.byteOffset + view.byteLength));
      if (!curves.has(name)) addCurve(name);
      for (let k = 0; k < numbers.length; k += 2) put(curves.get(name), numbers[k], numbers[k + 1]);
      received += numbers.length / 2;
    });
    draw();
  }

  const resize = () => box.clientWidth && plot.setSize({ width: box.clientWidth, height: model.get("height") });
  const resized = new ResizeObserver(resize);
  resized.observe(box);
  const themed = new MutationObserver(() => plot.redraw(false, true)); // Lab marks its theme on the body
  themed.observe(document.body, { attributes: true, attributeFilter: ["data-jp-theme-name", "data-jp-theme-light"] });
  model.on("msg:custom", onMessage);
  model.on("change:height", resize);
  describe();
  const hello = () => model.send({ kind: "hello" });
  const asking = setInterval(hello, 1000); // while a page is restored, a question or its answer can get lost: ask until answered
  hello();
  return () => {
    clearInterval(asking);
    clearTimeout(silence);
    model.off("msg:custom", onMessage);
    model.off("change:height", resize);
    resized.disconnect();
    themed.disconnect();
    plot.destroy();
  };
}

export default { render };
