// Draws plots one at a time, so that the page answers in between, however many windows there are.
//
// visdom's page plots whatever has arrived within 100 ms in one go: with 50 windows no click is answered for seconds.
// Here a plot waits for its turn, and a newer one of the same pane takes its place meanwhile. Plots in view come first,
// and after each the page rests for as long as it took, or longer for one that nobody sees. And a click on a window
// does not make the browser look at every element of all of them.
"use strict";
(() => {
  const plot = Plotly.newPlot;
  const UNSEEN = 4; // rests before a plot out of view
  const HANDS_OFF = 250; // ms without a plot after somebody did something
  const waiting = new Map(); // pane → what to plot there, in the order in which they began to wait
  const inView = new Set();
  const known = new WeakSet();
  const drawn = new WeakMap(); // pane → the id that it had when it was last drawn, which changes with its data
  let timer = 0, ended = 0, took = 0, touched = -HANDS_OFF;

  const after = (milliseconds) => {
    clearTimeout(timer);
    timer = setTimeout(next, milliseconds);
  };

  const next = () => {
    const panes = [...waiting.keys()];
    const pane = panes.find((one) => inView.has(one)) ?? panes[0];
    if (!pane) return;
    const rest = !pane.data ? 0 : inView.has(pane) ? took : UNSEEN * took;
    const early = Math.max(ended + rest, touched + HANDS_OFF) - performance.now();
    if (early > 0) return after(early);
    const [data, layout, config] = waiting.get(pane);
    waiting.delete(pane);
    const began = performance.now();
    try {
      // What is drawn already is changed: anew it takes twice as long. visdom's link "Edit" would send the data to
      // plotly's own server, which the page's policy forbids.
      const draw = pane.data && drawn.has(pane) && !extended(pane, data) ? Plotly.react : plot;
      drawn.delete(pane); // where it cannot be drawn, the next time it is drawn anew
      if (pane.isConnected) {
        draw(pane, data, keep(pane, data, layout), { ...config, showLink: false });
        drawn.set(pane, pane.id);
      }
    } finally {
      ended = performance.now();
      took = ended - began;
      after(0);
    }
  };

  // What visdom's client appends lands in the very arrays that are drawn, which `react` takes for unchanged.
  const extended = (pane, data) => {
    const arrays = new Set(pane.data.flatMap((trace) => Object.values(trace).filter(Array.isArray)));
    return drawn.get(pane) !== pane.id && data.some((trace) => Object.values(trace).some((one) => arrays.has(one)));
  };

  // visdom's page takes over hidden traces and zooms when data arrives; this, what the user has done since, and how
  // a figure in space was turned.
  const keep = (pane, data, layout) => {
    for (const trace of pane.data ? data : []) {
      const shown = pane.data.find((one) => one.name === trace.name);
      if (shown) trace.visible = shown.visible;
    }
    for (const axis of pane.layout ? ["xaxis", "yaxis"] : []) {
      const zoomed = pane.layout[axis]?.autorange === false && layout[axis]?.autorange !== false;
      if (zoomed) layout[axis] = pane.layout[axis];
    }
    const camera = pane.layout?.scene?.camera;
    if (camera && layout.scene) layout.scene.camera = camera;
    return layout;
  };

  const watch = new IntersectionObserver((changes) => {
    for (const { target, isIntersecting } of changes) isIntersecting ? inView.add(target) : inView.delete(target);
    after(0);
  });
  for (const input of ["pointerdown", "keydown", "wheel"])
    addEventListener(input, () => { touched = performance.now(); }, { capture: true, passive: true });

  // While a window is dragged, and at each click on its bar, the page's library gives the body a class under which a
  // selection is not seen: all elements of all windows are styled anew for it. A drag that selects nothing from its
  // start needs no class.
  const UNSELECTED = "react-draggable-transparent-selection";
  addEventListener("DOMContentLoaded", () => {
    const classes = document.body.classList, add = classes.add;
    classes.add = (...names) => add.apply(classes, names.filter((name) => name !== UNSELECTED));
  });
  addEventListener("selectstart", (event) => {
    const from = event.target instanceof Element ? event.target : event.target.parentElement;
    if (from?.closest(".window .bar, .react-resizable-handle")) event.preventDefault();
  });

  Plotly.newPlot = (id, data, layout, config) => {
    const pane = document.getElementById(id);
    if (!pane) return;
    if (!known.has(pane)) {
      known.add(pane);
      // Each plot and each click makes the browser restyle the page: nothing here reaches beyond its pane, and what
      // is out of view may be left out.
      pane.style.contain = "strict";
      pane.style.contentVisibility = "auto";
      watch.observe(pane);
    }
    waiting.set(pane, [data, layout, config]);
    after(0);
  };
})();
