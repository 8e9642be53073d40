# SPDX-License-Identifier: MIT
"""Opens a report in headless Chromium at desktop and phone width, light and dark.

    look_at_report.py REPORT.html FOLDER

Keeps a screenshot of each in FOLDER, and prints what the page holds as JSON: errors of scripts, and
each chart's data.
"""

import json
import sys
import tempfile
from pathlib import Path

from selenium import webdriver
from selenium.webdriver.chrome.service import Service

VIEWS = {"desktop": (1280, 900), "phone": (390, 844)}
FLAGS = ("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
         "--disable-background-networking", "--disable-component-update", "--disable-sync",
         "--disable-dev-shm-usage", "--hide-scrollbars")

CHARTS = """
const all = {};
for (const canvas of document.querySelectorAll("canvas")) {
  const chart = Chart.getChart(canvas);
  const box = canvas.getBoundingClientRect();
  const pixels = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height).data;
  let drawn = false;
  for (let i = 3; i < pixels.length && !drawn; i += 4) drawn = pixels[i] !== 0;
  all[canvas.id] = {drawn, width: box.width, height: box.height,
    datasets: chart ? chart.data.datasets.map((d) => ({label: d.label || "",
      data: d.data.map((p) => p === null || typeof p === "number" ? p : {x: p.x, y: p.y, share: p.share})})) : null};
}
return JSON.stringify({charts: all, overflow: document.documentElement.scrollWidth - window.innerWidth,
  winner: document.getElementById("winner").textContent, reason: document.getElementById("reason").textContent,
  cpp: document.getElementById("cpp").textContent, theme: document.documentElement.dataset.theme,
  failed: document.getElementById("failed").textContent, context: document.getElementById("context").textContent,
  outside: performance.getEntriesByType("resource").map((r) => r.name)});
"""


def look(driver, report, folder):
    seen = {}
    for name, (width, height) in VIEWS.items():
        for scheme in ("light", "dark"):
            driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", {
                "width": width, "height": height, "deviceScaleFactor": 1, "mobile": name == "phone"})
            driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {
                "features": [{"name": "prefers-color-scheme", "value": scheme}]})
            driver.get(report.as_uri())
            seen[f"{name}-{scheme}"] = json.loads(driver.execute_script(CHARTS))
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
