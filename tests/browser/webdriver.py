"""A small WebDriver client on the standard library, for Chromium's chromedriver.

Protocol: W3C WebDriver, and Chromium's /goog/cdp/execute for print, media features and logs.
"""
import base64
import json
import os
import shutil
import socket
import subprocess
import time
import urllib.error
import urllib.request

ELEMENT = "element-6066-11e4-a52e-4f735466cecf"


def missing():
    """Why there is no browser to drive, or None."""
    for names, package in ((("chromedriver",), "chromium-driver"), (("chromium", "chromium-browser"), "chromium")):
        if not any(shutil.which(name) for name in names):
            return f"no {names[0]}: install {package} (scripts/setup --optional)"
    return None


class Browser:
    """One headless Chromium. Use as a context manager: it and its driver end with the block."""

    def __init__(self, width=1280, height=900):
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        self.driver = subprocess.Popen(["chromedriver", f"--port={port}", "--log-level=OFF"],
                                       stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self.root = f"http://127.0.0.1:{port}"
        arguments = ["--headless=new", "--disable-gpu", f"--window-size={width},{height}", "--disable-dev-shm-usage",
                     "--force-device-scale-factor=1", "--hide-scrollbars"]
        if os.geteuid() == 0:
            arguments.append("--no-sandbox")
        capabilities = {"browserName": "chrome",
                        "goog:chromeOptions": {"args": arguments},
                        "goog:loggingPrefs": {"browser": "ALL", "performance": "ALL"}}
        self._wait_for_driver()
        session = self._call("POST", "/session", {"capabilities": {"alwaysMatch": capabilities}})
        self.session = f"/session/{session['sessionId']}"

    def __enter__(self):
        return self

    def __exit__(self, *_):
        try:
            self._call("DELETE", self.session)
        finally:
            self.driver.terminate()
            self.driver.wait()

    def _wait_for_driver(self):
        for _ in range(300):
            try:
                if self._call("GET", "/status")["ready"]:
                    return
            except (OSError, urllib.error.URLError):
                time.sleep(0.1)
        raise RuntimeError("chromedriver does not answer")

    def _call(self, method, path, body=None):
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self.root + path, data=data, method=method,
                                         headers={"Content-Type": "application/json"})
        try:
            with urllib.request.urlopen(request, timeout=120) as answer:
                return json.loads(answer.read())["value"]
        except urllib.error.HTTPError as error:
            raise RuntimeError(json.loads(error.read())["value"]["message"]) from None

    def open(self, path, fragment=""):
        # Another document first: a change of the fragment alone would not load the page again.
        self._call("POST", self.session + "/url", {"url": "about:blank"})
        self.logs("browser")
        self.logs("performance")
        self._call("POST", self.session + "/url", {"url": "file://" + os.path.abspath(path) + fragment})

    def script(self, code, *arguments):
        return self._call("POST", self.session + "/execute/sync", {"script": code, "args": list(arguments)})

    def cdp(self, command, **parameters):
        return self._call("POST", self.session + "/goog/cdp/execute", {"cmd": command, "params": parameters})

    def find(self, selector):
        return self._call("POST", self.session + "/element", {"using": "css selector", "value": selector})[ELEMENT]

    def click(self, selector):
        self.script("document.querySelector(arguments[0]).scrollIntoView({block: 'center', behavior: 'instant'})", selector)
        self._call("POST", f"{self.session}/element/{self.find(selector)}/click", {})

    def type(self, selector, text):
        self._call("POST", f"{self.session}/element/{self.find(selector)}/value", {"text": text})

    def text(self, selector):
        return self.script("return document.querySelector(arguments[0]).textContent", selector)

    def wait(self, condition, seconds=20):
        """Until the expression is true."""
        for _ in range(int(seconds * 20)):
            if self.script("return !!(" + condition + ")"):
                return
            time.sleep(0.05)
        raise AssertionError("never true: " + condition)

    def logs(self, kind):
        return self._call("POST", self.session + "/se/log", {"type": kind})

    def requests(self):
        """Addresses that the page asked for since it was opened, its own and data: left out."""
        out = []
        for entry in self.logs("performance"):
            message = json.loads(entry["message"])["message"]
            if message["method"] == "Network.requestWillBeSent":
                url = message["params"]["request"]["url"]
                if not url.startswith(("file://", "data:", "about:")):
                    out.append(url)
        return out

    def size(self, width, height, mobile=False):
        self.cdp("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=mobile)

    def media(self, scheme="", medium=""):
        self.cdp("Emulation.setEmulatedMedia", media=medium, features=[{"name": "prefers-color-scheme", "value": scheme}])

    def scripts(self, on):
        self.cdp("Emulation.setScriptExecutionDisabled", value=not on)

    def screenshot(self, path, whole=False):
        parameters = {"format": "png"}
        if whole:
            size = self.cdp("Page.getLayoutMetrics")["cssContentSize"]
            parameters.update(captureBeyondViewport=True, clip={"x": 0, "y": 0, "width": size["width"], "height": size["height"], "scale": 1})
        data = self.cdp("Page.captureScreenshot", **parameters)["data"]
        with open(path, "wb") as file:
            file.write(base64.b64decode(data))

    def pdf(self):
        return base64.b64decode(self.cdp("Page.printToPDF", printBackground=True)["data"])
