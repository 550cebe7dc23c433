# SPDX-License-Identifier: MIT
"""What the page says of processes that come and go, of memory far apart, of what was not read; how long it takes."""

from cli_test import expect, expect_equal, run, work
from page_driver import PAGES, browser, choose_addresses_of, no_errors, page, rows, set_cursor


def figures_that_were_not_read_are_none():
    page("one")
    expect("Most resident\nnot read" in browser.text("#headline"), browser.text("#headline"))
    expect("resident not read" in browser.text("#readout"), browser.text("#readout"))
    expect_equal(browser.run("return [...document.querySelectorAll('#legend td')].map(cell => cell.innerText)"),
                 ["4K", "not read"] * 2)
    expect("resident not read" in browser.text("#growth-between"), browser.text("#growth-between"))
    page("build")
    expect_equal([row[4:] for row in rows("#process-table") if row[0] == "true"], [["not read"] * 3 + ["exit 0"]])
    expect_equal([row[6] for row in rows("#process-table") if row[1] == "502"], ["47.5M"])


def growth_is_told_of_who_had_it_then():
    page("build")
    answer = browser.text("#answer")
    # What [anon] has reaches nine tenths of its most while the first compiler runs.
    expect_equal(answer, "[anon] of cc [502] grew most: +100M of commit (resident +50.0M), "
                 "most of it from 0.500 s to 1.000 s. Show it")
    page("spread")
    answer = browser.text("#answer")
    expect("[anon] of spread [300] grew most: +50M of resident memory (commit 0)" in answer, answer)
    expect("committed at the end, no limit in force" in browser.text("#headline"), browser.text("#headline"))
    page("story")
    expect("committed of 12G at the end" in browser.text("#headline"), browser.text("#headline"))


def far_mappings_fill_their_regions():
    page("spread")
    for region in browser.run('''return space.boxes.map(({ region, width }) => {
            const { life, resident } = columnsOf(recording, region, width);
            return [life.filter(number => number >= 0).length / width, region.resident,
                    resident.reduce((sum, bytes) => sum + bytes, 0)]; })'''):
        expect(region[0] > 0.7, "drawn of the width:", region)
        expect(abs(region[1] - region[2]) < 1, region)
    expect(browser.find("#short-gaps").is_shown())
    box, (x, y), wide = browser.run('''const box = space.boxes.reduce((most, other) =>
            other.region.numbers.length > most.region.numbers.length ? other : most), { places, numbers, length } = box.region;
        const scale = box.width / length, last = numbers.length - 1;
        return [addressText(startOf(recording, numbers[last])), [box.x + places[last] * scale, box.y],
                recording.life.size.at(numbers[last]) * scale]''')
    browser.pointer("#address-map", [(x + wide / 2, y + 5)])
    expect(browser.text("#mapping").startswith(box), box, browser.text("#mapping"))
    browser.pointer("#address-map", [(x - 1, y + 5)])
    expect(not browser.text("#mapping").startswith(box), "the gap below it", browser.text("#mapping"))
    page("story")
    expect(not browser.find("#short-gaps").is_shown(), "all to scale")


def addresses_are_of_the_largest():
    page("build")
    for moment, name in ((1_500_000, "cc [502]"), (2_050_000, "make [501]"), (3_500_000, "cc [504]")):
        set_cursor(moment)
        chosen = browser.run("return document.getElementById('address-process').selectedOptions[0].textContent")
        expect_equal(chosen, "the largest: " + name, moment)
        expect("[anon]" in browser.text("#mapping") or name.startswith("make"), browser.text("#mapping"))
    for number, why in ((1, "cc [502] had ended before, at 2.000 s."), (2, "Nothing of true [503] was read."),
                        (3, "[anon]")):
        choose_addresses_of(number)
        expect(why in browser.text("#mapping"), number, browser.text("#mapping"))
    set_cursor(1_500_000)
    expect("cc [504] began later, at 3.000 s." in browser.text("#mapping"), browser.text("#mapping"))
    no_errors()


# Sorting as many numbers as the page has events; the page may take so many times as long.
SORT = '''const numbers = Float64Array.from({ length: 250000 }, (_, i) => i * 16807 % 2147483647);
    const order = Uint32Array.from(numbers.keys());
    order.sort((left, right) => numbers[left] - numbers[right]); return order[0]'''
SORTS_MOST = 10


def many_events_open_in_little_time():
    """In time of the processor, so that it is the same beside load."""
    expect_equal(run([PAGES, "quarter", work("quarter.html"), "/dev/null"]).returncode, 0)
    page("one")
    before = browser.processor_time()
    browser.run(SORT)
    sort, before = browser.processor_time() - before, browser.processor_time()
    browser.open(work("quarter.html"))
    after = browser.processor_time()
    # A page that has a process of its own begins with none.
    opening = after - before if after > before else after
    expect(opening < SORTS_MOST * sort, f"{opening:.3f} s to open it, {sort:.3f} s to sort")
    print(f"# {opening:.3f} s to open it, {sort:.3f} s to sort")


CASES = [
    many_events_open_in_little_time,
    figures_that_were_not_read_are_none,
    growth_is_told_of_who_had_it_then,
    far_mappings_fill_their_regions,
    addresses_are_of_the_largest,
]
