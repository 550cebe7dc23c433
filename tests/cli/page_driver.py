# SPDX-License-Identifier: MIT
"""Pages of made recordings, opened in one browser.

The program that makes them is the first argument of the script.
"""

import sys

from browser import Browser
from cli_test import expect_equal, run, work
from page_recording import Recording

PAGES = sys.argv[1]
MIB = 1 << 20


class Driven:
    """The browser, which starts with the first page."""

    def __init__(self):
        self.started = None

    def __getattr__(self, name):
        if self.started is None:
            self.started = Browser()
        return getattr(self.started, name)


browser = Driven()
recordings = {}


def page(kind):
    """Open the page of a kind as it is at the beginning."""
    if kind not in recordings:
        made = run([PAGES, kind, work(kind + ".html"), work(kind + ".txt")])
        expect_equal(made.returncode, 0, made.stderr)
        with open(work(kind + ".txt"), "rb") as file:
            recordings[kind] = Recording(file.read())
    browser.size(1280, 900)
    browser.scheme("light")
    browser.open(work(kind + ".html"))
    expect_equal(browser.errors(), [], kind)
    return recordings[kind]


def rows(selector):
    """The texts of a table's cells, row by row."""
    return browser.run("""return [...document.querySelectorAll(arguments[0] + ' tbody tr:not([hidden])')]
        .map(row => [...row.cells].map(cell => cell.innerText.trim()))""", selector)


def state(name):
    return browser.run(f"return view.{name}")


def set_cursor(moment):
    browser.run("setCursor(arguments[0])", moment)
    browser.settle()


def no_errors():
    expect_equal(browser.errors(), [], "console")


def choose_addresses_of(number):
    browser.run("const select = document.getElementById('address-process'); select.value = arguments[0];"
                "select.dispatchEvent(new Event('change'))", str(number))
    browser.settle()
