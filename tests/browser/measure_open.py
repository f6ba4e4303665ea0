#!/usr/bin/env python3
"""How long a page takes to open, from the request to each moment, in milliseconds: median of several loads.

usage: measure_open.py PAGE [LOADS]
"""
import statistics
import sys
from pathlib import Path

sys.dont_write_bytecode = True
sys.path.insert(0, str(Path(__file__).resolve().parent))
import webdriver  # noqa: E402

TIMES = """
const paint = performance.getEntriesByName("first-contentful-paint")[0];
const load = performance.getEntriesByType("navigation")[0];
return {"first picture": paint ? paint.startTime : null, "all of the page read": load.domContentLoadedEventEnd,
        "loaded": load.loadEventEnd};
"""


def main():
    loads = int(sys.argv[2]) if len(sys.argv) > 2 else 7
    seen = {}
    with webdriver.Browser() as browser:
        browser.cdp("Page.enable")
        # The moment at which the sample browser has its first list, as the page itself sees it.
        browser.cdp("Page.addScriptToEvaluateOnNewDocument", source="""
            new MutationObserver((_, observer) => {
              if (!document.querySelector("#browser .list button")) return;
              window.browserReady = performance.now();
              observer.disconnect();
            }).observe(document, { childList: true, subtree: true });""")
        for _ in range(loads):
            browser.open(sys.argv[1])
            browser.wait("window.browserReady && performance.getEntriesByType('navigation')[0].loadEventEnd")
            times = browser.script(TIMES)
            times["sample browser ready"] = browser.script("return window.browserReady")
            for name, value in times.items():
                seen.setdefault(name, []).append(value)
    for name, values in seen.items():
        values = [value for value in values if value]
        if values:
            print(f"{name:24} {statistics.median(values):7.0f} ms   ({min(values):.0f} to {max(values):.0f}, n = {len(values)})")


if __name__ == "__main__":
    main()
