# SPDX-License-Identifier: MIT
"""A headless Chromium, driven by its WebDriver (packages chromium, chromium-driver)."""

import base64
import json
import os
import re
import subprocess
import time
import urllib.request

from cli_test import WORK, Skip, installed

ELEMENT = "element-6066-11e4-a52e-4f735466cecf"
KEYS = {"left": "\ue012", "up": "\ue013", "right": "\ue014", "down": "\ue015",
        "tab": "\ue004", "enter": "\ue007", "space": " ", "shift": "\ue008",
        "control": "\ue009", "home": "\ue011", "end": "\ue010", "escape": "\ue00c",
        "page up": "\ue00e", "page down": "\ue00f"}


class Element:
    def __init__(self, browser, number):
        self.browser, self.number = browser, number

    def call(self, method, path, **body):
        return self.browser.call(method, f"/element/{self.number}/{path}", **body)

    @property
    def text(self):
        return self.call("GET", "text")

    def get(self, name):
        return self.call("GET", f"property/{name}")

    def attribute(self, name):
        return self.call("GET", f"attribute/{name}")

    def click(self):
        self.call("POST", "click")

    def type(self, *keys):
        """Keys by their names in KEYS, or letters."""
        self.call("POST", "value", text="".join(KEYS.get(key, key) for key in keys))

    def is_shown(self):
        return self.call("GET", "displayed")


class Browser:
    """One Chromium. Skips where there is none, or it does not come up."""

    def __init__(self):
        program, driver = installed("chromium"), installed("chromedriver")
        self.driver = subprocess.Popen(
            [driver, "--port=0"], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL, env=os.environ | {"HOME": WORK.name})
        self.session = None
        try:
            self.address = f"http://127.0.0.1:{self.port()}"
            self.start(program)
        except BaseException:
            self.end()
            raise

    def port(self):
        for line in self.driver.stdout:
            found = re.search(rb"started successfully on port (\d+)", line)
            if found:
                return int(found.group(1))
        raise Skip("chromedriver does not start")

    def start(self, program):
        arguments = ["--headless=new", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run",
                     "--disable-background-networking", "--force-color-profile=srgb",
                     "--hide-scrollbars", "--font-render-hinting=none"]
        if os.getuid() == 0:
            arguments.append("--no-sandbox")
        answer = self.call("POST", "/session", capabilities={"alwaysMatch": {
            "browserName": "chrome",
            "goog:chromeOptions": {"binary": program, "args": arguments},
            "goog:loggingPrefs": {"browser": "ALL"}}})
        self.session = answer["sessionId"]

    def call(self, method, path, **body):
        if self.session:
            path = f"/session/{self.session}{path}"
        data = json.dumps(body).encode() if method == "POST" else None
        request = urllib.request.Request(self.address + path, data, method=method,
                                         headers={"Content-Type": "application/json"})
        try:
            with urllib.request.urlopen(request, timeout=300) as answer:
                return json.load(answer)["value"]
        except urllib.error.HTTPError as error:
            value = json.load(error)["value"]
            raise AssertionError(f"{path}: {value['error']}: {value['message'].splitlines()[0]}") from None

    def end(self):
        try:
            if self.session:
                self.call("DELETE", "")
        finally:
            self.driver.terminate()
            self.driver.wait()

    # --- a page ---------------------------------------------------------------

    def open(self, path):
        self.call("POST", "/url", url="file://" + os.path.abspath(path))
        self.settle()

    def settle(self):
        """Until what was changed has been drawn."""
        self.call("POST", "/execute/async", args=[], script="""
            const done = arguments[0];
            requestAnimationFrame(() => requestAnimationFrame(() => setTimeout(done)));""")

    def run(self, script, *arguments):
        return self.call("POST", "/execute/sync", script=script, args=list(arguments))

    def find(self, selector):
        found = self.call("POST", "/element", using="css selector", value=selector)
        return Element(self, found[ELEMENT])

    def find_all(self, selector):
        return [Element(self, found[ELEMENT]) for found in
                self.call("POST", "/elements", using="css selector", value=selector)]

    def text(self, selector):
        return self.find(selector).text

    def click(self, selector):
        self.find(selector).click()
        self.settle()

    def keys(self, *keys):
        """To whatever has the focus."""
        actions = []
        for key in keys:
            parts = [KEYS.get(part, part) for part in (key.split("+") if len(key) > 1 else [key])]
            actions += [{"type": "keyDown", "value": part} for part in parts]
            actions += [{"type": "keyUp", "value": part} for part in reversed(parts)]
        self.call("POST", "/actions", actions=[{"type": "key", "id": "keys", "actions": actions}])
        self.settle()

    def pointer(self, selector, points, kind="mouse"):
        """Press at the first of (x, y) from the left top of an element, drag to the last."""
        box = self.run("""const element = document.querySelector(arguments[0]);
            element.scrollIntoView({ block: 'center' });
            const { left, top } = element.getBoundingClientRect(); return [left, top];""", selector)
        places = [(round(box[0] + x), round(box[1] + y)) for x, y in points]
        moves = [{"type": "pointerMove", "duration": 0, "x": x, "y": y} for x, y in places]
        actions = [moves[0], {"type": "pointerDown", "button": 0}, *moves[1:],
                   {"type": "pointerUp", "button": 0}]
        self.call("POST", "/actions", actions=[
            {"type": "pointer", "id": kind, "parameters": {"pointerType": kind}, "actions": actions}])
        self.settle()

    def wheel(self, selector, x, y, delta_x=0, delta_y=0):
        box = self.run("""const element = document.querySelector(arguments[0]);
            element.scrollIntoView({ block: 'center' });
            const { left, top } = element.getBoundingClientRect(); return [left, top];""", selector)
        self.call("POST", "/actions", actions=[{"type": "wheel", "id": "wheel", "actions": [
            {"type": "scroll", "x": round(box[0] + x), "y": round(box[1] + y), "duration": 0,
             "deltaX": delta_x, "deltaY": delta_y}]}])
        self.settle()

    # --- Chromium's own -------------------------------------------------------

    def command(self, name, **parameters):
        return self.call("POST", "/goog/cdp/execute", cmd=name, params=parameters)

    def errors(self):
        """What the console has since it was asked last."""
        return [entry["message"] for entry in self.call("POST", "/se/log", type="browser")
                if entry["level"] in ("SEVERE", "WARNING")]

    def size(self, width, height, ratio=1):
        self.command("Emulation.setDeviceMetricsOverride", width=width, height=height,
                     deviceScaleFactor=ratio, mobile=False)
        self.settle()

    def scheme(self, name, **features):
        self.command("Emulation.setEmulatedMedia", features=[
            {"name": "prefers-color-scheme", "value": name},
            *({"name": key.replace("_", "-"), "value": value} for key, value in features.items())])
        self.settle()

    def picture(self, path, whole=False):
        answer = self.command("Page.captureScreenshot", format="png", captureBeyondViewport=whole,
                              **({"clip": self.whole_page()} if whole else {}))
        with open(path, "wb") as file:
            file.write(base64.b64decode(answer["data"]))

    def whole_page(self):
        width, height = self.run("return [document.documentElement.scrollWidth, document.documentElement.scrollHeight]")
        return {"x": 0, "y": 0, "width": width, "height": height, "scale": 1}

    def printed(self):
        """The page on paper, as PDF."""
        return base64.b64decode(self.command("Page.printToPDF", printBackground=False)["data"])

    def accessible(self):
        """[(role, name, value text)] of what a screen reader is told."""
        nodes = self.command("Accessibility.getFullAXTree")["nodes"]
        return [(node["role"]["value"], node.get("name", {}).get("value", ""),
                 node.get("value", {}).get("value", ""))
                for node in nodes if not node["ignored"]]

    def processor_time(self):
        """Seconds that the page's own thread has had of the processor."""
        self.command("Performance.enable", timeDomain="threadTicks")
        metrics = self.command("Performance.getMetrics")["metrics"]
        return next(metric["value"] for metric in metrics if metric["name"] == "ThreadTime")

    def opening_time(self):
        """Seconds from the start of reading the page to its pictures."""
        return self.run("""const [entry] = performance.getEntriesByType('navigation');
            const drawn = performance.getEntriesByName('drawn')[0];
            return drawn.startTime - entry.responseStart;""") / 1000


def measured(work):
    begin = time.monotonic()
    work()
    return time.monotonic() - begin
