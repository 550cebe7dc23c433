# SPDX-License-Identifier: MIT
"""The page of 'vmspace report' in a headless Chromium, against figures computed here.

usage: test_page.py PAGES
"""

import re
import sys

import page_truth
from cli_test import Skip, expect, expect_equal, main
from page_driver import MIB, browser, choose_addresses_of, no_errors, page, rows, set_cursor, state
from page_recording import size_text

# --- figures ---------------------------------------------------------------------------

def every_kind_of_recording_opens():
    for kind in ("empty", "one", "cut", "hostile", "spread", "build", "story"):
        page(kind)
        width = browser.run("return document.documentElement.scrollWidth")
        expect(width <= 1280, kind, width)


def cut_recording_says_so():
    page("cut")
    expect("ends in the midst" in browser.text("#notice"), browser.text("#notice"))
    page("story")
    expect(not browser.find("#notice").is_shown())


def figures_at_a_moment_are_those_of_the_events():
    story = page("story")
    for moment in (0, 300000, 4_050_000, 17_999_999, 18_000_000, 37_600_000, 44_999_999,
                   45_000_000, 52_000_000, 55_950_000, 56_000_000, 60_000_000):
        want = story.at(moment)
        for which, measure in enumerate(("commit", "resident")):
            have = browser.run("""return [...sumsAt(recording, recording.life[arguments[0]], arguments[1],
                Int32Array.from(recording.owners.keys()), recording.owners.length)]""", measure, moment)
            expect_equal([round(value) for value in have],
                         [round(sums[which]) for sums in want], f"{measure} at {moment}")
        set_cursor(moment)
        commit, resident = story.total(moment, 0), story.total(moment, 1)
        text = browser.text("#readout")
        expect(f"commit {size_text(commit)} of 640M" in text and
               f"resident {size_text(resident)}" in text, text, commit, resident)
        foot = browser.run("return [...document.querySelectorAll('#legend tfoot td')].map(cell => cell.innerText)")
        expect_equal(foot, [size_text(commit), size_text(resident)], "legend")


def columns_of_the_timeline_show_the_most():
    story = page("story")
    moments = story.moments()
    for begin, end, columns in ((0, 60_000_000, 40), (10_050_000, 30_050_000, 25), (37_000_000, 47_000_000, 7)):
        have = browser.run("""return [...stack(recording, recording.life.commit, keyOf.map(() => 0), 1,
            arguments[0], arguments[1], arguments[2]).totals]""", begin, end, columns)
        wide = (end - begin) / columns
        for column, total in enumerate(have):
            low, high = begin + column * wide, begin + (column + 1) * wide
            inside = [low, *(moment for moment in moments if low <= moment < high)]
            want = max(story.total(moment) for moment in inside)
            # What was there before the column's first change counts where both touch.
            before = story.total(max((moment for moment in moments if moment < low), default=0))
            expect(total in (want, max(want, before)), begin, column, total, want)


def most_and_greatest_rise_are_told():
    story = page("story")
    totals = {moment: story.total(moment) for moment in story.moments()}
    most = max(totals.values())
    first = min(moment for moment in totals if totals[moment] == most)
    headline = browser.text("#headline")
    expect(size_text(most) in headline and f"at {first / 1e6:.3f} s" in headline, headline)
    rows_of = next(number for number, owner in enumerate(story.owners) if owner[1] == 'space "rows"')
    series = [story.at(moment)[rows_of][0] for moment in totals]
    expect(f'space "rows" of python3 [4101] grew most: +{size_text(max(series))}' in browser.text("#answer"),
           browser.text("#answer"))
    refused = sum(event[1] == 2 and event[8] != 0 for event in story.events)
    expect_equal(browser.run("return [...recording.change.kind].filter(kind => kind === REFUSED).length"), refused)


def growth_is_the_difference_of_two_moments():
    story = page("story")
    begin, end = 12_000_000, 45_000_000
    browser.run("setSelection(arguments[0], arguments[1])", end, begin)
    browser.settle()
    before, after, want = story.at(begin), story.at(end), {}
    for (_, name), old, new in zip(story.owners, before, after):
        sums = want.setdefault(name, [0, 0])
        sums[0] += new[0] - old[0]
        sums[1] += new[1] - old[1]
    signed = {name: [("+" if value > 0 else "") + size_text(round(value)) for value in sums]
              for name, sums in want.items() if any(sums)}
    have = {row[0]: [row[5], row[8]] for row in rows("#growth-table")}
    expect_equal(have, signed)


def mappings_of_a_process_are_listed():
    page("story")
    set_cursor(37_600_000)
    browser.click("#addresses-behind summary")
    table = rows("#address-table")
    expect_equal([row[2] for row in table if row[2] == 'space "rows"'], ['space "rows"'])
    row = next(row for row in table if row[2] == 'space "rows"')
    expect_equal(row, ["7f3a10000000", "rw-p", 'space "rows"', "named", "326M", "326M", "326M", "0"])
    page("one")
    browser.click("#addresses-behind summary")
    expect_equal(rows("#address-table")[0][6], "not read")


def sizes_are_written_as_by_the_command():
    page("one")
    for size in (0, 1, 1023, 1024, 1536, 99 * 1024 + 1000, 100 * 1024 + 511, 100 * 1024 + 512, 1023 * 1024 + 1000,
                 MIB, MIB + 1, 3 * MIB // 2, 1 << 62, 5 << 40, -7 * MIB):
        expect_equal(browser.run("return sizeText(arguments[0])", size), size_text(size), size)
    for time, step, want in ((0, 1000, "0.000 s"), (1_234_567, 1000, "1.235 s"), (59e6, 1e6, "59 s"),
                             (83e6, 1e6, "1:23"), (83.25e6, 1e5, "1:23.2"), (3723e6, 1e6, "1:02:03")):
        expect_equal(browser.run("return timeText(arguments[0], arguments[1])", time, step), want)


# --- what is hostile -----------------------------------------------------------------------

def names_are_text_and_visible():
    page("hostile")
    names = [row[0] for row in rows("#process-table")]
    expect_equal(names, ["</script><script>alert(1)</script>", "<!--<script>", "<img src=x onerror=alert(1)>",
                         "\\033[31mred\\033[0m", "two\\012lines\\011and tabs", "\\377\\376 no \\303 UTF-8",
                         "a\\342\\200\\256txt.exe", "zero\\342\\200\\213width", "back\\\\slash", "\"quotes' & amp;",
                         "]]> ${x} `y`", "caf\u00e9 \u65e5\u672c \U0001f642", "\u05e9\u05dc\u05d5\u05dd", ""])
    expect_equal(browser.run("return [document.scripts.length, document.images.length, "
                             "document.querySelectorAll('#process-table script, #legend img').length]"), [2, 0, 0])
    browser.click("#change-table .opener")
    frames = browser.run("return [...document.querySelectorAll('.more:not([hidden]) li')].map(item => item.innerText)")
    expect_equal(frames[:13], names[:13])
    no_errors()


def nothing_is_loaded_and_no_other_script_runs():
    page("hostile")
    browser.run("const other = document.createElement('script'); other.textContent = 'globalThis.ran = true';"
                "document.body.append(other)")
    expect_equal(browser.run("return globalThis.ran ?? false"), False)
    expect(any("Content Security Policy" in line for line in browser.errors()))
    expect_equal(browser.run("return performance.getEntriesByType('resource').length"), 0)


# --- controls --------------------------------------------------------------------------------

def picture_of(canvas):
    return browser.run("return document.getElementById(arguments[0]).toDataURL()", canvas)


def changes(canvas, act, what):
    before = picture_of(canvas)
    act()
    browser.settle()
    expect(picture_of(canvas) != before, what, "draws nothing new")


def figure_is_chosen():
    page("story")
    for value in ("resident", "swapped", "commit"):
        changes("chart-base", lambda: browser.click(f"#measures label:has([value={value}])"), value)
        expect_equal(state("measure"), value)
    changes("chart-base", lambda: browser.click("#limit-switch"), "limit")
    changes("chart-base", lambda: browser.click("#machine-switch"), "machine")
    browser.click("#timeline-behind summary")
    expect_equal(len(rows("#timeline-table")), 50)
    no_errors()


def timeline_is_zoomed_and_brushed():
    page("story")
    browser.pointer("#chart", [(200, 100), (300, 100), (420, 110)])
    begin, end = state("begin"), state("end")
    expect(0 < begin < end < 60e6, begin, end)
    browser.click("#zoom-selection")
    expect_equal((state("from"), state("to")), (begin, end))
    browser.click("#zoom-out")
    expect(abs((state("to") - state("from")) - 2 * (end - begin)) < 2 or state("from") == 0, "zoomed out")
    browser.click("#zoom-all")
    expect_equal((state("from"), state("to")), (0, 60e6))
    browser.wheel("#chart", 300, 100, delta_x=0, delta_y=200)
    expect_equal((state("from"), state("to")), (0, 60e6), "a wheel alone scrolls the page")
    browser.click("#zoom-in")
    expect_equal(state("to") - state("from"), 30e6)
    browser.wheel("#chart", 300, 100, delta_x=60)
    browser.pointer("#overview", [(100, 10), (200, 10), (300, 12)])
    expect(state("to") < 40e6, "the overview is dragged over")
    browser.click("#select-all")
    expect_equal((state("begin"), state("end")), (0, 60e6))
    browser.click("#zoom-all")
    browser.pointer("#chart", [(300, 100)])
    browser.click("#select-from")
    expect_equal(state("begin"), state("cursor"))
    browser.pointer("#chart", [(500, 100)])
    browser.click("#select-to")
    expect_equal(state("end"), state("cursor"))
    no_errors()


def fingers_move_the_moment():
    page("story")
    browser.pointer("#chart", [(200, 100), (260, 100)], kind="touch")
    first = state("cursor")
    browser.pointer("#chart", [(200, 100), (460, 100)], kind="touch")
    expect(state("cursor") > first + 5e6, first, state("cursor"))
    expect_equal(state("begin"), 0, "nothing is selected")
    no_errors()


def processes_are_chosen():
    story = page("story")
    browser.click("#chooser-summary")
    browser.find("#process-filter").type(*"sort")
    browser.settle()
    expect_equal(len(browser.find_all("#process-list li")), 1)
    browser.click("#process-list input")
    expect_equal(browser.text("#chooser-summary"), "Processes: 2 of 3")
    set_cursor(37_600_000)
    want = sum(sums[0] for (process, _), sums in zip(story.owners, story.at(37_600_000)) if process != 2)
    expect(f"commit {size_text(want)} of" in browser.text("#readout"), browser.text("#readout"))
    browser.run("document.getElementById('process-filter').value = ''")
    browser.click("#no-processes")
    expect_equal(browser.text("#chooser-summary"), "Processes: 0 of 3")
    expect("Nothing" in browser.text("#answer"))
    browser.click("#all-processes")
    expect_equal(browser.text("#chooser-summary"), "Processes: all 3")
    no_errors()


def one_owner_is_drawn_alone():
    page("story")
    button = "#legend tbody tr:last-child .owner"
    changes("chart-base", lambda: browser.click(button), "one owner")
    expect_equal(browser.find(button).attribute("aria-pressed"), "true")
    changes("chart-base", lambda: browser.click(button), "all owners")


def events_are_filtered_and_have_stacks():
    story = page("story")
    calls = [event for event in story.events if event[1] == 2 and event[8]]
    for kind in browser.run("return CHANGES"):
        box = f"#change-kinds .{kind} input"
        if kind != "refused" and browser.run("return document.querySelector(arguments[0])?.checked ?? false", box):
            browser.click(box)
    table = rows("#change-table")
    expect_equal(len(table), len(calls))
    expect_equal(table[0][:3], [f"{calls[0][0] / 1e6:.3f} s", "\u25bcmremap refused, ENOMEM", "sort [4107]"])
    browser.click("#change-table .opener")
    expect("vmsi_buffer_grow" in browser.text("#change-table .more"))
    browser.click("#change-table .moment")
    expect_equal(state("cursor"), calls[0][0])
    browser.click("#event-behind")
    expect_equal(state("cursor"), calls[1][0])
    browser.click("#event-before")
    expect_equal(state("cursor"), calls[0][0])
    browser.find("#change-filter").type(*"read_rows")
    browser.settle()
    expect_equal(rows("#change-table"), [["None"]])
    browser.click("#change-kinds .granted input")
    expect(browser.text("#change-table .pager").endswith("of 45"), browser.text("#change-table .pager"))
    first = rows("#change-table")[0]
    browser.find_all("#change-table .pager button")[1].click()
    expect(rows("#change-table")[0] != first)
    browser.click("#change-table thead th:first-child button")
    expect_equal(browser.find("#change-table thead th:first-child").attribute("aria-sort"), "descending")
    browser.click("#in-selection")
    no_errors()


def who_asked_for_memory_is_told():
    page("story")
    expect(browser.text("#asked-between").startswith("315M by 45 calls"), browser.text("#asked-between"))
    expect_equal([row[:5] for row in rows("#asked-table")],
                 [["list_resize (python3.11) at listobject.c:72", "python3 [4101]", "mmap", "45", "315M"]])
    browser.click("#asked-table .opener")
    expect("read_rows" in browser.text("#asked-table .more"))
    browser.run("setSelection(0, 5e6)")
    browser.settle()
    expect_equal(rows("#asked-table")[0][3], "3")
    changes("chart-base", lambda: browser.run("recording.change.grants = 0; changed('size')"), "the lane of calls")
    no_errors()
    page("one")
    expect_equal(browser.run("return document.getElementById('asked').hidden"), True)


def addresses_are_looked_at():
    page("story")
    browser.pointer("#address-map", [(300, 50)])
    expect('space "rows"' in browser.text("#mapping"), browser.text("#mapping"))
    choose_addresses_of(2)
    expect("mappings" in browser.text("#addresses-moment"))
    set_cursor(10_000_000)
    expect("sort [4107] began later" in browser.text("#mapping"), browser.text("#mapping"))
    no_errors()


# --- without a mouse, without colours, on paper ------------------------------------------------

def keys_are_enough():
    page("story")
    seen = []
    for _ in range(60):
        browser.keys("tab")
        seen.append(browser.run("return document.activeElement.id || document.activeElement.className"))
        if seen[-1] == "chart":
            break
    for name in ("skip", "theme", "chooser-summary", "chart"):
        expect(name in seen, name, "is not reached by Tab:", seen)
    cursor = state("cursor")
    browser.keys("left", "left", "shift+left")
    expect(state("cursor") < cursor)
    browser.keys("home")
    expect_equal(state("cursor"), 0)
    for key in ("right", "page up", "["):
        browser.keys(key)
    expect_equal(state("begin"), state("cursor"))
    browser.keys("end", "]", "+")
    expect_equal(state("to") - state("from"), 30e6)
    browser.keys("0", "n")
    browser.keys("p", "escape")
    expect_equal((state("from"), state("to"), state("begin"), state("end")), (0, 60e6, 0, 60e6))
    value = browser.find("#chart").attribute("aria-valuetext")
    expect("commit" in value and "resident" in value, value)
    browser.run("document.getElementById('address-map').focus()")
    set_cursor(37_600_000)
    first = browser.text("#mapping")
    browser.keys("down", "right")
    expect(browser.text("#mapping") != first)
    expect_equal(browser.find("#address-map").attribute("aria-valuetext"), browser.text("#mapping"))
    browser.keys("end", "home")
    expect_equal(browser.text("#mapping"), first)
    no_errors()


def screen_readers_are_told():
    page("story")
    told = browser.accessible()
    roles = {role for role, _, _ in told}
    for role in ("banner", "main", "contentinfo", "heading", "slider", "table", "columnheader", "rowheader"):
        expect(role in roles, role, "is not in", roles)
    unnamed = [(role, name) for role, name, _ in told
               if role in ("button", "checkbox", "radio", "combobox", "searchbox", "slider", "region") and not name.strip()]
    expect_equal(unnamed, [])
    names = {name for role, name, _ in told if role in ("region", "table")}
    for name in ("Timeline", "Who grew", "Address space", "Events", "Processes", "Growth of each owner"):
        expect(name in names, name, names)
    live = browser.run("return [...document.querySelectorAll('[aria-live]')].map(element => element.id)")
    expect_equal(live, ["readout", "mapping"])


def contrast(one, other):
    def light(text):
        parts = [int(part) / 255 for part in re.findall(r"\d+", text)[:3]]
        red, green, blue = (part / 12.92 if part <= 0.03928 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
        return 0.2126 * red + 0.7152 * green + 0.0722 * blue
    high, low = sorted((light(one), light(other)), reverse=True)
    return (high + 0.05) / (low + 0.05)


def light_and_dark_are_read():
    page("story")
    grounds = {}
    for scheme in ("light", "dark"):
        browser.scheme(scheme)
        grounds[scheme] = browser.run("return colour('ground')")
        for name in ("text", "quiet", "accent", "alarm"):
            ratio = contrast(browser.run("return colour(arguments[0])", name), grounds[scheme])
            expect(ratio >= 4.5, scheme, name, ratio)
    expect(grounds["light"] != grounds["dark"])
    browser.scheme("light")
    for want in ("dark", "light", "auto"):
        changes("chart-base", lambda: browser.click("#theme"), want) if want != "auto" else browser.click("#theme")
        expect_equal(browser.text("#theme"), f"Theme: {want}")
    expect_equal(browser.run("return colour('ground')"), grounds["light"])
    browser.scheme("light", prefers_reduced_motion="reduce")
    expect_equal(browser.run("return getComputedStyle(document.getElementById('zoom-in')).transitionDuration"), "0s")
    no_errors()


def narrow_page_has_everything():
    page("story")
    for width in (400, 700, 2000):
        browser.size(width, 800)
        expect_equal(browser.run("return document.getElementById('chart-base').clientWidth"),
                     browser.run("return document.getElementById('chart').clientWidth"), "drawn anew")
        expect(browser.run("return document.documentElement.scrollWidth") <= width, width)
        for name in ("#chart", "#legend table", "#zoom-in", "#address-map", "#change-filter", "#chooser-summary"):
            expect(browser.find(name).is_shown(), name, "at", width)
            right = browser.run("return document.querySelector(arguments[0]).getBoundingClientRect().right", name)
            expect(right <= width, name, "ends at", right, "of", width)
    no_errors()


def paper_has_the_pictures_and_tables():
    page("story")
    browser.scheme("dark")
    paper = browser.printed()
    expect(paper.startswith(b"%PDF-") and paper.count(b"/Type /Page\n") >= 1, paper[:20])
    browser.settle()
    # What lies above a picture would cover it on paper, and is in the picture itself there.
    ground, shown = browser.run('''window.dispatchEvent(new Event('beforeprint'));
        const pixels = document.getElementById('chart-base').getContext('2d');
        return [[...pixels.getImageData(Math.round(timeToX(view.cursor)), MARGIN.top - 6, 1, 1).data],
                document.documentElement.dataset.theme];''')
    expect_equal((ground, shown), ([27, 31, 35, 255], "light"), "the moment's mark")
    browser.command("Emulation.setEmulatedMedia", media="print")
    hidden = browser.run("return ['#chart-over', '.bar', '#theme'].map(name => "
                         "getComputedStyle(document.querySelector(name)).display)")
    expect_equal(hidden, ["none"] * 3)
    browser.command("Emulation.setEmulatedMedia", media="")
    browser.run("window.dispatchEvent(new Event('afterprint'))")
    expect_equal(browser.run("return document.documentElement.dataset.theme ?? 'auto'"), "auto")
    expect_equal(browser.run("return document.documentElement.className"), "")
    no_errors()


CASES = [
    every_kind_of_recording_opens,
    cut_recording_says_so,
    figures_at_a_moment_are_those_of_the_events,
    columns_of_the_timeline_show_the_most,
    most_and_greatest_rise_are_told,
    growth_is_the_difference_of_two_moments,
    mappings_of_a_process_are_listed,
    sizes_are_written_as_by_the_command,
    names_are_text_and_visible,
    nothing_is_loaded_and_no_other_script_runs,
    figure_is_chosen,
    timeline_is_zoomed_and_brushed,
    fingers_move_the_moment,
    processes_are_chosen,
    one_owner_is_drawn_alone,
    events_are_filtered_and_have_stacks,
    who_asked_for_memory_is_told,
    addresses_are_looked_at,
    keys_are_enough,
    screen_readers_are_told,
    light_and_dark_are_read,
    narrow_page_has_everything,
    paper_has_the_pictures_and_tables,
]


def run_all():
    try:
        page("one")
    except Skip as reason:
        print("1..0 # SKIP", reason)
        return 0
    try:
        return main(CASES + page_truth.CASES)
    finally:
        browser.end()


sys.exit(run_all())
