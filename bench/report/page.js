// SPDX-License-Identifier: MIT
"use strict";
(() => {
  const figures = JSON.parse(document.getElementById("data").textContent);
  const root = document.documentElement;
  const at = (id) => document.getElementById(id);
  const charts = {};
  // Colours that stay apart for the colour-blind, on either ground.
  const palette = ["#0072b2", "#e69f00", "#009e73", "#cc79a7", "#56b4e9", "#d55e00", "#8c6bb1", "#7f8c1d", "#888888", "#b5473c", "#2a9d8f", "#c4a000"];
  let current = 0;

  const css = (name) => getComputedStyle(root).getPropertyValue(name).trim();
  const mebibytes = (bytes) => (bytes / 1048576).toFixed(bytes < 10485760 ? 2 : 1) + " MiB";
  const bytes = (n) => n >= 1048576 ? mebibytes(n) : n >= 1024 ? (n / 1024).toFixed(1) + " KiB" : n + " B";
  const short = (name) => name.replace("std::pmr::", "").replace("_resource", "");
  const narrow = () => window.innerWidth < 760;
  const cellsOf = (trace) => figures.benchmarks.filter((b) => b.trace === trace.name || b.name.startsWith(trace.name + "/"));
  const comparable = (cells) => cells.filter((c) => c.comparable);

  function element(tag, text, className) {
    const made = document.createElement(tag);
    if (text !== undefined) made.textContent = text;
    if (className) made.className = className;
    return made;
  }

  function defaults() {
    Chart.defaults.color = css("--quiet");
    Chart.defaults.borderColor = css("--line");
    Chart.defaults.font.family = "system-ui, -apple-system, 'Segoe UI', Roboto, 'DejaVu Sans', sans-serif";
    Chart.defaults.font.size = 12;
    Chart.defaults.animation = false;
    Chart.defaults.maintainAspectRatio = false;
    Chart.defaults.plugins.legend.labels.usePointStyle = true;
    Chart.defaults.plugins.legend.labels.boxHeight = 7;
    Chart.defaults.plugins.legend.position = "bottom";
  }

  function draw(id, config) {
    if (charts[id]) charts[id].destroy();
    charts[id] = new Chart(at(id), config);
  }

  const axis = (title, more) => Object.assign({ title: { display: true, text: title }, grid: { color: css("--line") } }, more);

  // Where nothing was measured, the chart says so.
  const emptiness = {
    id: "emptiness",
    afterDraw(chart) {
      if (chart.data.datasets.some((d) => d.data.length)) return;
      const { ctx, width, height } = chart;
      ctx.save();
      ctx.fillStyle = css("--quiet");
      ctx.textAlign = "center";
      ctx.font = "italic 14px " + Chart.defaults.font.family;
      ctx.fillText("not measured in this run", width / 2, height / 2);
      ctx.restore();
    },
  };
  Chart.register(emptiness);

  // From the fastest replay to the slowest.
  const whiskers = {
    id: "whiskers",
    afterDatasetsDraw(chart) {
      const spans = chart.options.spans;
      if (!spans) return;
      const { ctx } = chart;
      ctx.save();
      ctx.strokeStyle = css("--ink");
      ctx.lineWidth = 1.2;
      chart.getDatasetMeta(0).data.forEach((bar, i) => {
        const a = chart.scales.x.getPixelForValue(spans[i][0]), b = chart.scales.x.getPixelForValue(spans[i][1]);
        const h = Math.min(bar.height / 4, 5);
        ctx.beginPath();
        ctx.moveTo(a, bar.y); ctx.lineTo(b, bar.y);
        ctx.moveTo(a, bar.y - h); ctx.lineTo(a, bar.y + h);
        ctx.moveTo(b, bar.y - h); ctx.lineTo(b, bar.y + h);
        ctx.stroke();
      });
      ctx.restore();
    },
  };
  Chart.register(whiskers);

  // The names of the front's points, beside them.
  const names = {
    id: "names",
    afterDatasetsDraw(chart) {
      if (!chart.options.namedPoints) return;
      const { ctx, chartArea } = chart;
      ctx.save();
      ctx.font = "11px " + Chart.defaults.font.family;
      ctx.fillStyle = css("--ink");
      let last = -100;
      chart.getDatasetMeta(0).data.forEach((point, i) => {
        const text = chart.data.datasets[0].data[i].name;
        const right = point.x + 9 + ctx.measureText(text).width < chartArea.right;
        let y = point.y - 8;
        if (Math.abs(y - last) < 12) y = last + (i % 2 ? 13 : -13);
        last = y;
        ctx.textAlign = right ? "left" : "right";
        ctx.fillText(text, right ? point.x + 9 : point.x - 9, Math.max(y, chartArea.top + 10));
      });
      ctx.restore();
    },
  };
  Chart.register(names);

  // One that never frees would press all others flat: what is far beyond the rest is named, not drawn.
  function roof(values) {
    const sorted = [...values].sort((a, b) => a - b);
    return sorted.length ? 3 * sorted[Math.floor(sorted.length / 2)] : 1;
  }
  function noteBeyond(id, cells, value, limit) {
    const far = cells.filter((c) => value(c) > limit);
    at(id).textContent = far.length ? "Beyond the upper edge: " + far.map((c) => `${short(c.composition)} (${mebibytes(value(c) * 1048576)})`).join(", ") + "." : "";
    return far.length ? limit : undefined;
  }

  function drawScatter(trace, cells) {
    const point = (c) => ({ x: c.real_time, y: c.peak_bytes / 1048576, name: c.composition, cell: c });
    const front = trace.pareto_front.map((name) => cells.find((c) => c.composition === name)).filter(Boolean);
    const others = comparable(cells).filter((c) => !trace.pareto_front.includes(c.composition));
    const of = (role) => others.filter((c) => c.role === role).map(point);
    const peak = (c) => c.peak_bytes / 1048576;
    const limit = noteBeyond("scatter-note", comparable(cells), peak, roof(comparable(cells).map(peak)));
    draw("scatter", {
      type: "scatter",
      data: {
        datasets: [
          { label: "Pareto front", data: front.map(point), showLine: true, stepped: "before", borderColor: css("--good"), backgroundColor: css("--good"), pointRadius: 6, pointHoverRadius: 8, borderWidth: 1.5 },
          { label: "pools", data: of("pool"), backgroundColor: palette[0], pointRadius: 4 },
          { label: "presets", data: of("preset"), backgroundColor: palette[1], pointRadius: 6, pointStyle: "rectRot" },
          { label: "standard library", data: of("baseline"), backgroundColor: palette[3], pointRadius: 6, pointStyle: "triangle" },
        ],
      },
      options: {
        namedPoints: !narrow(),
        scales: {
          x: axis("nanoseconds an operation", { type: "logarithmic" }),
          y: axis("peak memory, MiB", { max: limit, grace: "12%" }),
        },
        plugins: { tooltip: { callbacks: { label: (item) => `${item.raw.name}: ${item.raw.x.toFixed(1)} ns, ${item.raw.y.toFixed(2)} MiB` } } },
      },
    });
  }

  function drawBars(trace, cells) {
    const all = comparable(cells);
    at("bars-box").style.height = Math.max(160, 60 + all.length * 22) + "px";
    const colour = (c) => c.composition === trace.winner ? css("--good") : c.role === "baseline" ? palette[3] : c.role === "preset" ? palette[1] : palette[0];
    const slowest = Math.max(...all.map((c) => c.real_time), 1), fastest = Math.min(...all.map((c) => Math.max(c.real_time, 0.1)), 1e9);
    draw("bars", {
      type: "bar",
      data: { labels: all.map((c) => short(c.composition)), datasets: [{ label: "ns an operation", data: all.map((c) => c.real_time), backgroundColor: all.map(colour), borderRadius: 3 }] },
      options: {
        indexAxis: "y",
        spans: all.map((c) => [Math.min(...c.samples_ns), Math.max(...c.samples_ns)]),
        scales: {
          x: axis("nanoseconds an operation", slowest / fastest > 30 ? { type: "logarithmic", min: Math.pow(10, Math.floor(Math.log10(fastest / 2))) } : { beginAtZero: true }),
          y: { grid: { display: false }, ticks: { autoSkip: false, font: { size: narrow() ? 9 : 12 } } },
        },
        plugins: { legend: { display: false }, tooltip: { callbacks: { afterLabel: (item) => { const c = all[item.dataIndex]; return [`spread ${(100 * c.spread).toFixed(1)} % over ${c.samples_ns.length} replays`, `peak ${mebibytes(c.peak_bytes)}`]; } } } },
      },
    });
  }

  const line = (c, i, data) => ({ label: short(c.composition), data, borderColor: palette[i % palette.length], backgroundColor: palette[i % palette.length], borderWidth: 1.8, pointRadius: 0, pointHitRadius: 8 });

  function drawRun(trace, cells) {
    const seen = cells.filter((c) => c.memory_over_run);
    const x = axis("operations", { type: "linear", max: trace.operations, ticks: { maxTicksLimit: narrow() ? 4 : 6, callback: (v) => v >= 1000 ? Math.round(v / 1000) + "k" : v } });
    const live = seen.length ? [{ label: "live in the program", data: seen[0].memory_over_run.map((s) => ({ x: s.operation, y: s.live_bytes / 1048576 })), borderColor: css("--ink"), borderDash: [5, 4], borderWidth: 1.5, pointRadius: 0 }] : [];
    const most = (c) => Math.max(...c.memory_over_run.map((s) => s.held_bytes)) / 1048576;
    const limit = noteBeyond("memory-note", seen, most, roof(seen.map(most)));
    draw("memory", {
      type: "line",
      data: { datasets: live.concat(seen.map((c, i) => line(c, i, c.memory_over_run.map((s) => ({ x: s.operation, y: s.held_bytes / 1048576 }))))) },
      options: { parsing: false, interaction: { mode: "nearest", intersect: false }, scales: { x, y: axis("MiB", { beginAtZero: true, max: limit }) } },
    });
    const telling = seen.filter((c) => c.memory_over_run.some((s) => s.fragmentation !== null));
    draw("fragmentation", {
      type: "line",
      data: { datasets: telling.map((c) => line(c, seen.indexOf(c), c.memory_over_run.filter((s) => s.fragmentation !== null).map((s) => ({ x: s.operation, y: s.fragmentation })))) },
      options: { parsing: false, interaction: { mode: "nearest", intersect: false }, scales: { x, y: axis("fragmentation", { min: 0, max: 1 }) } },
    });
  }

  function drawLatency(trace, cells) {
    const timed = cells.filter((c) => c.latency_ns);
    const which = at("frees").checked ? "free" : "allocate";
    const marks = ["p50", "p90", "p99", "p99.9", "max"];
    draw("latency", {
      type: "line",
      data: { labels: marks, datasets: timed.map((c, i) => Object.assign(line(c, i, marks.map((m) => Math.max(c.latency_ns[which][m], 1))), { pointRadius: 3 })) },
      options: { interaction: { mode: "nearest", intersect: false }, scales: { x: axis("percentile"), y: axis("nanoseconds", { type: "logarithmic", min: 1 }) } },
    });
    const classes = [...new Set(timed.flatMap((c) => c.size_classes.map((s) => s.to_bytes)))].sort((a, b) => a - b);
    draw("sizes", {
      type: "line",
      data: {
        labels: classes.map((b) => "≤ " + bytes(b)),
        datasets: timed.map((c, i) => Object.assign(line(c, i, classes.map((b) => { const s = c.size_classes.find((k) => k.to_bytes === b); return s ? Math.max(s.ns, 1) : null; })), { pointRadius: 2.5, spanGaps: true })),
      },
      options: { interaction: { mode: "nearest", intersect: false }, scales: { x: axis("size asked for"), y: axis("nanoseconds", { type: "logarithmic", min: 1 }) } },
    });
  }

  // Free is the ground's colour, full the accent; both grounds keep the order of lightness.
  function occupancyColour(share) {
    const dark = root.dataset.theme === "dark";
    const from = dark ? [38, 48, 61] : [226, 232, 240], to = dark ? [110, 200, 255] : [8, 74, 145];
    const t = Math.pow(share, 0.8);
    return `rgb(${from.map((c, i) => Math.round(c + (to[i] - c) * t)).join(",")})`;
  }

  function drawMap(id, map) {
    const cells = map ? map.cell_live_bytes.length : 0;
    const columns = Math.min(narrow() ? 24 : 32, Math.max(cells, 1));
    const rows = Math.max(Math.ceil(cells / columns), 1);
    const box = at(id).parentElement;
    const side = Math.max(Math.floor(box.clientWidth / columns), 4);
    box.style.height = Math.max(rows * side + 2, 60) + "px";
    const points = [];
    for (let i = 0; i < cells; ++i) {
      const last = i === cells - 1 && map.range_bytes % map.cell_bytes;
      points.push({ x: i % columns, y: Math.floor(i / columns), index: i, share: Math.min(map.cell_live_bytes[i] / (last || map.cell_bytes), 1) });
    }
    draw(id, {
      type: "scatter",
      data: { datasets: [{ data: points, pointStyle: "rect", borderWidth: 0, hoverBorderWidth: 1.5, hoverBorderColor: css("--ink"),
        radius: (side - 1.5) / Math.SQRT2, hoverRadius: (side - 1.5) / Math.SQRT2, hitRadius: 0,
        backgroundColor: points.map((p) => occupancyColour(p.share)) }] },
      options: {
        layout: { padding: 0 },
        scales: { x: { display: false, min: -0.5, max: columns - 0.5 }, y: { display: false, reverse: true, min: -0.5, max: rows - 0.5 } },
        plugins: { legend: { display: false }, tooltip: { displayColors: false, callbacks: { label: (item) => { const i = item.raw.index; return [
          `${bytes(i * map.cell_bytes)} to ${bytes(Math.min((i + 1) * map.cell_bytes, map.range_bytes))}`,
          `${(100 * item.raw.share).toFixed(0)} % full: ${bytes(map.cell_live_bytes[i])} live`,
          `${map.cell_blocks[i]} blocks begin here`,
          `largest free stretch ${bytes(map.cell_largest_free_bytes[i])}`]; } } } },
      },
    });
  }

  function caption(when, map) {
    if (!map) return when + ": not measured in this run";
    const share = 100 * map.live_bytes / Math.max(map.range_bytes, 1);
    return `${when}, after operation ${map.operation.toLocaleString("en")}: ${bytes(map.live_bytes)} live in ${map.blocks.toLocaleString("en")} blocks, ${share.toFixed(0)} % of ${bytes(map.range_bytes)}; largest free stretch ${bytes(map.largest_free_bytes)}; a cell is ${bytes(map.cell_bytes)}`;
  }

  function drawMaps(cells) {
    const chosen = cells.find((c) => c.composition === at("mapped").value);
    at("ramp").style.background = `linear-gradient(90deg, ${[0, 0.25, 0.5, 0.75, 1].map(occupancyColour).join(",")})`;
    at("worst-caption").textContent = caption("At its worst moment, when most memory was held", chosen && chosen.map_worst);
    at("end-caption").textContent = caption("At the end", chosen && chosen.map_end);
    drawMap("map-worst", chosen && chosen.map_worst);
    drawMap("map-end", chosen && chosen.map_end);
  }

  function fillMapped(trace, cells) {
    const seen = cells.filter((c) => c.map_end);
    at("mapped").replaceChildren(...seen.map((c) => element("option", c.composition)));
    if (seen.some((c) => c.composition === trace.winner)) at("mapped").value = trace.winner;
  }

  function table(heads, rows) {
    const made = [element("thead"), element("tbody")];
    const head = element("tr");
    heads.forEach((h) => head.append(element("th", h)));
    made[0].append(head);
    rows.forEach(([className, ...values]) => {
      const row = element("tr", undefined, className);
      values.forEach((v) => row.append(element("td", v)));
      made[1].append(row);
    });
    return made;
  }

  function fillTables(trace, cells) {
    const base = cells.find((c) => c.composition === trace.baseline && c.comparable);
    const fixed = (v, digits) => v === undefined || v === null ? "–" : v.toFixed(digits);
    at("figures").replaceChildren(...table(
      ["composition", "ns/op", "spread", "ratio", "peak", "overhead", "frag.", "p99 ns", "refused"],
      cells.filter((c) => !c.error_occurred).map((c) => [c.composition === trace.winner ? "winner" : "", c.composition, fixed(c.real_time, 1),
        (100 * c.spread).toFixed(0) + " %", base && c.comparable ? (c.real_time / base.real_time).toFixed(2) : "–", mebibytes(c.peak_bytes),
        fixed(c.overhead_ratio, 2), fixed(c.fragmentation, 2), c.latency_ns ? fixed(c.latency_ns.allocate.p99, 0) : "–",
        c.label || String(c.failures)])));
    const failed = cells.filter((c) => c.failures || c.error_occurred || c.label || c.not_seen)
      .sort((a, b) => (a.first_failure_at ?? Infinity) - (b.first_failure_at ?? Infinity));
    const skipped = figures.context.skipped.filter((s) => s.name.startsWith(trace.name + "/"));
    const box = at("failed");
    box.replaceChildren();
    if (!failed.length) box.append(element("p", "Every composition that was tried replayed the trace and served every request.", "quiet"));
    else {
      const inside = element("table");
      inside.append(...table(["composition", "first at operation", "full", "fragmented", "what happened"], failed.map((c) => ["", c.composition,
        c.first_failure_at === undefined ? "–" : (c.first_failure_at + 1).toLocaleString("en"), String(c.failures_full ?? "–"), String(c.failures_fragmented ?? "–"),
        c.error_message || [c.failures ? c.failures + " requests refused" : "", c.label || "", ...(c.not_seen || []).map((s) => "not seen: " + s)].filter(Boolean).join("; ")])));
      const scroll = element("div", undefined, "table");
      scroll.append(inside);
      box.append(scroll);
    }
    if (skipped.length) box.append(element("p", "Not tried: " + skipped.map((s) => `${s.name.slice(trace.name.length + 1)} (${s.reason})`).join(", ") + ".", "quiet"));
  }

  function fillAnswer(trace, cells) {
    at("program").textContent = `${trace.name}: ${trace.program}`;
    at("winner").textContent = trace.winner || "No winner";
    at("reason").textContent = trace.reason;
    at("cpp").textContent = trace.cpp || "";
    at("cpp").closest(".code").hidden = !trace.cpp;
    const tile = (value, label) => { const made = element("div", undefined, "tile"); made.append(element("b", value), element("span", label)); return made; };
    const winner = cells.find((c) => c.composition === trace.winner);
    const tiles = [tile(trace.operations.toLocaleString("en"), "operations"), tile(String(trace.threads), trace.threads === 1 ? "thread" : "threads"),
      tile(bytes(trace.peak_live_bytes), "most live at once"), tile(trace.peak_live_blocks.toLocaleString("en"), "blocks at once")];
    if (winner) tiles.unshift(tile(winner.real_time.toFixed(1) + " ns", "an operation, winner"), tile(mebibytes(winner.peak_bytes), "peak memory, winner"));
    at("tiles").replaceChildren(...tiles);
  }

  function fillContext() {
    const c = figures.context;
    at("facts").textContent = `${c.cpu || "unknown processor"}, ${c.num_cpus} processors · palloc ${c.palloc_version} · ${c.date}`;
    const facts = { Machine: `${c.host_name}: ${c.cpu}, ${c.num_cpus} processors at ${c.mhz_per_cpu} MHz`, System: c.kernel, Load: c.load_avg.map((l) => l.toFixed(2)).join(", "),
      Compiler: `${c.compiler}, ${c.library_build_type}`, Commit: c.commit, Command: c.command, Date: c.date };
    at("context").replaceChildren(...Object.entries(facts).flatMap(([k, v]) => [element("dt", k), element("dd", v || "–")]));
  }

  function show(number) {
    current = number;
    const trace = figures.traces[number];
    if (!trace) { at("winner").textContent = "Nothing was replayed"; return; }
    const cells = cellsOf(trace);
    [...at("traces").children].forEach((b, i) => b.setAttribute("aria-pressed", String(i === number)));
    fillAnswer(trace, cells);
    fillMapped(trace, cells);
    fillTables(trace, cells);
    redraw();
  }

  function redraw() {
    const trace = figures.traces[current];
    if (!trace) return;
    const cells = cellsOf(trace);
    defaults();
    drawScatter(trace, cells);
    drawBars(trace, cells);
    drawRun(trace, cells);
    drawLatency(trace, cells);
    drawMaps(cells);
  }

  const dark = window.matchMedia("(prefers-color-scheme: dark)");
  root.dataset.theme = dark.matches ? "dark" : "light";
  dark.addEventListener("change", () => { root.dataset.theme = dark.matches ? "dark" : "light"; redraw(); });
  at("theme").addEventListener("click", () => { root.dataset.theme = root.dataset.theme === "dark" ? "light" : "dark"; redraw(); });
  at("frees").addEventListener("change", redraw);
  at("mapped").addEventListener("change", () => drawMaps(cellsOf(figures.traces[current])));
  at("copy").addEventListener("click", () => {
    const range = document.createRange();
    range.selectNodeContents(at("cpp"));
    const selection = getSelection();
    selection.removeAllRanges();
    selection.addRange(range);
    document.execCommand("copy");
    at("copy").textContent = "Copied";
    setTimeout(() => { at("copy").textContent = "Copy"; }, 1500);
  });
  let width = window.innerWidth, waiting = 0;
  window.addEventListener("resize", () => {
    clearTimeout(waiting);
    waiting = setTimeout(() => { if (window.innerWidth !== width) { width = window.innerWidth; redraw(); } }, 150);
  });

  if (figures.traces.length > 1)
    figures.traces.forEach((t, i) => { const b = element("button", t.name); b.type = "button"; b.addEventListener("click", () => show(i)); at("traces").append(b); });
  fillContext();
  show(0);
})();
