// Draws the figures of a report one after the other, so that the page can be scrolled meanwhile, and then says so.
"use strict";
(async () => {
  const figures = JSON.parse(document.getElementById("figures").textContent);
  for (const [id, { data, layout }] of Object.entries(figures)) {
    const pane = document.getElementById(id);
    try {
      await Plotly.newPlot(pane, data, layout, { displaylogo: false, responsive: true });
    } catch (error) {
      pane.textContent = `This figure cannot be drawn: ${error.message}`;
    }
    await new Promise((done) => setTimeout(done));
  }
  document.documentElement.dataset.drawn = "all";
})();
