# SPDX-License-Identifier: MIT
"""Opens a report in headless Chromium at desktop and phone width, light and dark.

    look_at_report.py REPORT.html FOLDER

Keeps a screenshot of each in FOLDER, and prints what the page holds as JSON: errors of scripts, and
for each view and trace each chart's data, the latencies of frees behind their switch, colours of
cells of the maps, and what hovering over the fullest cell of each says.
"""

import json
import sys
import tempfile
from pathlib import Path

from selenium import webdriver
from selenium.webdriver.chrome.service import Service

MAPS = ("map-worst", "map-end")
VIEWS = {"desktop": (1280, 900), "phone": (390, 844)}
FLAGS = ("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
         "--disable-background-networking", "--disable-component-update", "--disable-sync",
         "--disable-dev-shm-usage", "--hide-scrollbars")

CHARTS = """
const all = {};
for (const canvas of document.querySelectorAll("canvas")) {
  const chart = Chart.getChart(canvas);
  const box = canvas.getBoundingClientRect();
  const copy = document.createElement("canvas"); // one that the browser expects to be read
  [copy.width, copy.height] = [canvas.width, canvas.height];
  const copied = copy.getContext("2d", {willReadFrequently: true});
  copied.drawImage(canvas, 0, 0);
  const pixels = copied.getImageData(0, 0, copy.width, copy.height).data;
  let drawn = false;
  for (let i = 3; i < pixels.length && !drawn; i += 4) drawn = pixels[i] !== 0;
  all[canvas.id] = {drawn, spans: chart && chart.options.spans || null, width: box.width, height: box.height,
    datasets: chart ? chart.data.datasets.map((d) => ({label: d.label || "",
      data: d.data.map((p) => p === null || typeof p === "number" ? p : {x: p.x, y: p.y, share: p.share})})) : null};
}
return JSON.stringify({charts: all, overflow: document.documentElement.scrollWidth - window.innerWidth,
  winner: document.getElementById("winner").textContent, reason: document.getElementById("reason").textContent,
  cpp: document.getElementById("cpp").textContent, theme: document.documentElement.dataset.theme,
  failed: document.getElementById("failed").textContent, context: document.getElementById("context").textContent,
  outside: performance.getEntriesByType("resource").map((r) => r.name)});
"""


# The latencies of frees, which a click shows; another click shows those of allocations again.
FREES = """
document.getElementById("frees").click();
const seen = Chart.getChart(document.getElementById("latency")).data.datasets.map((d) => (
  {label: d.label, data: [...d.data]}));
document.getElementById("frees").click();
return JSON.stringify({datasets: seen});
"""

# What is drawn in the middle of some cells of a map: the fullest, the emptiest, some between.
COLOURS = """
const canvas = document.getElementById(arguments[0]);
const chart = Chart.getChart(canvas);
const data = chart.data.datasets[0].data;
const byShare = data.map((p, i) => i).sort((a, b) => data[a].share - data[b].share);
const chosen = new Set(Array.from({length: 9}, (_, i) => byShare[Math.floor(i * (data.length - 1) / 8)]));
const copy = document.createElement("canvas");
[copy.width, copy.height] = [canvas.width, canvas.height];
const copied = copy.getContext("2d", {willReadFrequently: true});
copied.drawImage(canvas, 0, 0);
const scale = chart.currentDevicePixelRatio;
return JSON.stringify(data.length ? [...chosen].map((index) => {
  const point = chart.getDatasetMeta(0).data[index];
  const at = copied.getImageData(Math.floor(point.x * scale), Math.floor(point.y * scale), 1, 1).data;
  return {index, rgb: [at[0], at[1], at[2]]};
}) : []);
"""

# Points at the fullest cell of a map; the chart answers a frame later.
HOVER = """
const done = arguments[arguments.length - 1];
const canvas = document.getElementById(arguments[0]);
const chart = Chart.getChart(canvas);
const data = chart.data.datasets[0].data;
if (!data.length) return done(null);
const index = data.reduce((best, p, i) => p.share > data[best].share ? i : best, 0);
const point = chart.getDatasetMeta(0).data[index];
const box = canvas.getBoundingClientRect();
canvas.dispatchEvent(new MouseEvent("mousemove",
  {bubbles: true, clientX: box.left + point.x, clientY: box.top + point.y}));
setTimeout(() => done({index, opacity: chart.tooltip.opacity,
  lines: (chart.tooltip.body || []).flatMap((b) => b.lines)}), 100);
"""


def look_at_traces(driver):
    buttons = len(driver.find_elements("css selector", "#traces button"))
    for number in range(max(buttons, 1)):
        if buttons:
            driver.execute_script(f"document.querySelectorAll('#traces button')[{number}].click()")
        yield {**json.loads(driver.execute_script(CHARTS)),
               "frees": json.loads(driver.execute_script(FREES)),
               "colours": {name: json.loads(driver.execute_script(COLOURS, name)) for name in MAPS},
               "hover": {name: driver.execute_async_script(HOVER, name) for name in MAPS}}


def look(driver, report, folder):
    seen = {}
    for name, (width, height) in VIEWS.items():
        for scheme in ("light", "dark"):
            driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", {
                "width": width, "height": height, "deviceScaleFactor": 1, "mobile": name == "phone"})
            driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {
                "features": [{"name": "prefers-color-scheme", "value": scheme}]})
            driver.get(report.as_uri())
            seen[f"{name}-{scheme}"] = list(look_at_traces(driver))
            tall = driver.execute_script("return document.documentElement.scrollHeight")
            driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", {
                "width": width, "height": min(tall, 12000), "deviceScaleFactor": 1,
                "mobile": name == "phone"})
            driver.save_screenshot(str(folder / f"{report.stem}-{name}-{scheme}.png"))
    seen["errors"] = [entry["message"] for entry in driver.get_log("browser")]
    return seen


def main(report, folder):
    folder.mkdir(parents=True, exist_ok=True)
    options = webdriver.ChromeOptions()
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    options.binary_location = "/usr/bin/chromium"
    with tempfile.TemporaryDirectory() as profile:
        for flag in (*FLAGS, f"--user-data-dir={profile}"):
            options.add_argument(flag)
        driver = webdriver.Chrome(service=Service("/usr/bin/chromedriver"), options=options)
        try:
            print(json.dumps(look(driver, report.resolve(), folder)))
        finally:
            driver.quit()


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
