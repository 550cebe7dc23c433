# SPDX-License-Identifier: MIT
"""The file that the page of 'vmspace report' is, where there is no browser.

usage: test_pages.py PAGES
"""

import json
import re
import sys

from cli_test import expect, expect_equal, main, run, work

PAGES = sys.argv[1]
KINDS = ("empty", "one", "hostile", "cut", "spread", "build", "story")


def every_kind_is_written_whole():
    for kind in KINDS:
        made = run([PAGES, kind, work("page"), "/dev/null"])
        expect_equal((made.returncode, made.stderr), (0, b""), kind)
        with open(work("page"), encoding="utf8") as file:
            page = file.read()
        expect(page.startswith("<!DOCTYPE html>"), kind, page[:40])
        expect(page.rstrip().endswith("</html>"), kind, page[-40:])
        tables = re.findall(r'<script type="application/json"[^>]*>(.*?)</script>',
                            page, re.DOTALL)
        expect(tables, kind, "has no tables")
        for table in tables:
            json.loads(table)


def nothing_is_fetched():
    run([PAGES, "story", work("page"), "/dev/null"])
    with open(work("page"), encoding="utf8") as file:
        page = file.read()
    expect("default-src 'none'" in page, "the policy lets something through")
    expect(not re.search(r'(?:src|href)="(?!#|data:)', page), "something is named")


def full_disk_is_an_error():
    made = run([PAGES, "story", "/dev/full", "/dev/null"])
    expect_equal(made.returncode, 1, made.stderr)
    expect(b"No space left" in made.stderr, made.stderr)


sys.exit(main([every_kind_is_written_whole, nothing_is_fetched, full_disk_is_an_error]))
