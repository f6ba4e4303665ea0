#!/usr/bin/env python3
"""The report page in a browser: every control, themes, print, a phone's width, hostile texts.

usage: report_test.py ASSAY REPORT_STORE      skipped (77) without chromium and chromedriver
"""
import json
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

sys.dont_write_bytecode = True
HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))
import stores  # noqa: E402
import webdriver  # noqa: E402

ASSAY, REPORT_STORE = map(Path, sys.argv[1:3])
AUDIT = (HERE / "accessibility.js").read_text()
OVERFLOW = "return document.documentElement.scrollWidth - document.documentElement.clientWidth"


class Page(unittest.TestCase):
    """One browser and two pages for all tests; each test loads its page anew."""

    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory(prefix="assay-report-")
        cls.addClassCleanup(cls.folder.cleanup)
        cls.path = Path(cls.folder.name)
        for name in ("demo", "hostile"):
            stores.make(REPORT_STORE, cls.path / f"{name}.db", name)
            stores.report(ASSAY, cls.path / f"{name}.db", "--html", cls.path / f"{name}.html")
        cls.browser = webdriver.Browser()
        cls.addClassCleanup(cls.browser.__exit__)

    def setUp(self):
        self.browser.size(1280, 900)
        self.browser.media()
        self.browser.scripts(True)

    def open(self, name="demo", fragment=""):
        self.browser.open(self.path / f"{name}.html", fragment)
        self.browser.script("localStorage.clear()")
        self.browser.wait("document.querySelector('#browser .list button')")

    def assert_clean(self):
        self.assertEqual([e["message"] for e in self.browser.logs("browser")], [])
        self.assertEqual(self.browser.requests(), [])

    def js(self, code, *arguments):
        return self.browser.script("return " + code, *arguments)


class Reading(Page):
    def test_it_opens_without_an_error_or_a_request(self):
        self.open()
        self.assert_clean()

    def test_without_scripts_all_but_the_browser_is_there(self):
        self.browser.scripts(False)
        self.browser.open(self.path / "demo.html")
        self.browser.scripts(True)  # so that this test can look; the page's own never ran
        self.assertTrue(self.js("document.querySelector('#browser').hidden"))
        for selector, least in ((".card", 3), (".verdicts tbody tr", 7), (".board tbody tr", 8), ("#differences svg", 7),
                                ("#speed svg", 4), (".heat-table", 4), (".run-facts", 8), ("noscript", 1)):
            self.assertGreaterEqual(self.js("document.querySelectorAll(arguments[0]).length", selector), least, selector)
        self.assertTrue(self.js("document.querySelector('.board').checkVisibility()"))

    def test_both_themes_have_enough_contrast_and_no_accessibility_fault(self):
        for scheme in ("light", "dark"):
            self.browser.media(scheme)
            self.open()
            self.js("document.querySelectorAll('details').forEach((d) => { d.open = true })")
            self.assertEqual(self.browser.script(AUDIT), [], scheme)

    def test_a_phone_shows_it_without_sideways_scrolling(self):
        self.browser.size(360, 740, mobile=True)
        for name in ("demo", "hostile"):
            self.open(name)
            self.assertLessEqual(self.browser.script(OVERFLOW), 0, name)
            self.js("document.querySelectorAll('details').forEach((d) => { d.open = true })")
            self.assertLessEqual(self.browser.script(OVERFLOW), 0, name + ", unfolded")
        self.assertEqual(self.browser.script(AUDIT), [])

    def test_print_drops_controls_and_unfolds_the_tables(self):
        self.open()
        self.browser.media(medium="print")
        for selector in ("nav", "#board-tools", "#theme", "#browser"):
            self.assertEqual(self.js("getComputedStyle(document.querySelector(arguments[0])).display", selector), "none", selector)
        self.assertTrue(self.js("document.querySelector('#methods .command').checkVisibility()"))
        self.browser.media()
        self.assertGreater(len(self.browser.pdf()), 50_000)
        self.assert_clean()

    def test_every_figure_leads_to_its_provenance(self):
        self.open()
        self.browser.click(".board tbody tr:nth-child(2) a.figure")
        self.browser.wait("location.hash.startsWith('#figure-1-0')")
        self.browser.wait("document.querySelector('#run-1').open")
        self.assertIn("Data set digest", self.browser.text("#figure-1-0"))


class Controls(Page):
    def first_cells(self):
        return self.js("[...document.querySelectorAll('.board tbody tr')].filter((r) => !r.hidden)"
                       ".map((r) => r.cells[0].querySelector('bdi').textContent)")

    def test_the_board_sorts_both_ways_and_back(self):
        self.open()
        before = self.first_cells()
        column = "[...document.querySelectorAll('.board tbody tr')].map((r) => Number(r.cells[2].dataset.v))"
        self.browser.click(".board thead th:nth-child(3) button")
        self.assertEqual(self.js(column), sorted(self.js(column), reverse=True))
        self.assertEqual(self.js("document.querySelectorAll('.board th')[2].getAttribute('aria-sort')"), "descending")
        self.browser.click(".board thead th:nth-child(3) button")
        self.assertEqual(self.js(column), sorted(self.js(column)))
        self.browser.click(".board thead th:nth-child(3) button")
        self.assertEqual(self.first_cells(), before)

    def test_lower_is_better_sorts_upwards_first(self):
        self.open()
        index = self.js("[...document.querySelectorAll('.board thead th')].findIndex((h) => h.textContent.includes('Latency')) + 1")
        self.browser.click(f".board thead th:nth-child({index}) button")
        self.assertEqual(self.js(f"document.querySelectorAll('.board th')[{index - 1}].getAttribute('aria-sort')"), "ascending")

    def test_the_board_filters_and_hides_columns(self):
        self.open()
        self.browser.type("#board-tools input[type=search]", "tensor")
        self.assertEqual(self.first_cells(), ["fp8-tensor", "fp8-tensor+kv-fp8"])
        self.assertIn("2 of 8", self.browser.text("#board-tools [role=status]"))
        self.browser.click("#board-tools > label input")
        self.assertLess(len(self.first_cells()), 2)
        self.browser.click(".picker summary")
        self.browser.click(".picker label:nth-child(2) input")
        self.assertTrue(self.js("document.querySelector('.board thead th:nth-child(3)').hidden"))
        self.browser.script("const hash = location.hash; window.hash = hash")
        fragment = self.js("window.hash")
        self.open(fragment=fragment)
        self.assertTrue(self.js("document.querySelector('.board thead th:nth-child(3)').hidden"))
        self.assertLess(len(self.first_cells()), 2)

    def test_the_theme_is_chosen_and_kept(self):
        self.open()
        self.browser.media("light")
        light = self.js("getComputedStyle(document.body).backgroundColor")
        self.browser.click("#theme button[value=dark]")
        self.assertNotEqual(self.js("getComputedStyle(document.body).backgroundColor"), light)
        self.browser.open(self.path / "demo.html")
        self.assertEqual(self.js("document.documentElement.dataset.theme"), "dark")
        self.browser.click("#theme button[value=auto]")
        self.assertEqual(self.js("getComputedStyle(document.body).backgroundColor"), light)

    def test_tooltips_say_the_figures_in_full(self):
        self.open()
        self.browser.script("const g = document.querySelector('#differences svg .row');"
                            "g.dispatchEvent(new PointerEvent('pointermove', {bubbles: true, clientX: 200, clientY: 200}))")
        self.assertIn("right to wrong", self.browser.text("#tip"))
        self.assertFalse(self.js("document.querySelector('#tip').hidden"))

    def test_the_data_can_be_downloaded(self):
        self.open()
        self.browser.script("window.saved = ''; URL.createObjectURL = (b) => { b.text().then((t) => { window.saved = t }); return 'blob:null/x' };"
                            "HTMLAnchorElement.prototype.click = () => {}")
        self.browser.click("#methods button")
        self.browser.wait("window.saved")
        data = json.loads(self.js("window.saved"))
        self.assertEqual(len(data["runs"]), 8)
        self.assertTrue(data["items"])


class Samples(Page):
    def labels(self):
        return self.js("[...document.querySelectorAll('#browser .list button:not(.more) .sub')].map((s) => s.textContent)")

    def choose(self, label, value):
        self.browser.script("const s = document.querySelector(`#browser [aria-label='${arguments[0]}']`);"
                            "s.value = arguments[1]; s.dispatchEvent(new Event('change'))", label, value)

    def test_verdict_filters_keep_what_they_say(self):
        self.open()
        self.choose("Second run", "4")
        for value, words in (("rw", "right to wrong"), ("wr", "wrong to right"), ("ww", "incorrect"), ("rr", "correct")):
            self.choose("Verdicts", value)
            self.assertTrue(self.labels(), value)
            self.assertTrue(all(label.startswith(words) for label in self.labels()), value)
        self.choose("Verdicts", "diff")
        self.assertIn("first difference", self.browser.text("#browser .detail"))
        self.choose("Verdicts", "un")
        self.assertIn("No item fits", self.browser.text("#browser .detail"))

    def test_tasks_and_words_are_searched(self):
        self.open()
        self.choose("Task", "math@assay")
        self.assertEqual(set(self.js("[...document.querySelectorAll('#browser .list button:not(.more) > bdi')]"
                                     ".map((b) => b.textContent.split('/')[0])")), {"math"})
        self.browser.type("#browser input[type=search]", "no such words")
        self.assertIn("0 of", self.browser.text("#browser [role=status]"))

    def test_the_first_difference_is_marked_on_both_sides(self):
        self.open()
        self.choose("Second run", "4")
        self.choose("Verdicts", "rw")
        self.assertEqual(self.js("document.querySelectorAll('#browser .pair mark.first').length"), 2)
        before = self.js("[...document.querySelectorAll('#browser .pair pre')].map((p) => { let t = '';"
                         "for (const n of p.childNodes) { if (n.classList && n.classList.contains('first')) break; t += n.textContent } return t })")
        self.assertEqual(before[0], before[1])
        self.assertRegex(self.browser.text("#browser .detail"), r"framed: token \d+\.")
        self.assertIn("is not", self.browser.text("#browser .pair > div:last-child dl"))

    def test_steps_keys_and_links_lead_to_an_item(self):
        self.open()
        first = self.browser.text("#browser .detail h3")
        self.browser.click("#browser .detail .tools button:nth-child(2)")
        second = self.browser.text("#browser .detail h3")
        self.assertNotEqual(first, second)
        self.browser.script("document.querySelector('#browser .list button').focus();"
                            "document.activeElement.dispatchEvent(new KeyboardEvent('keydown', {key: 'ArrowDown', bubbles: true}))")
        self.assertEqual(self.browser.text("#browser .detail h3"), second)
        self.browser.click("#browser .detail details summary")
        self.browser.wait("location.hash.includes('p=1')")
        self.assertIn("<|user|>", self.browser.text("#browser .detail details pre"))
        self.open(fragment=self.js("location.hash"))
        self.assertEqual(self.browser.text("#browser .detail h3"), second)
        self.assertTrue(self.js("document.querySelector('#browser .detail details').open"))

    def test_long_lists_grow_on_demand(self):
        self.open()
        before = len(self.labels())
        self.browser.click("#browser .list .more")
        self.assertGreater(len(self.labels()), before)

    def test_restricted_texts_are_withheld(self):
        self.open()
        self.choose("Task", "gpqa@assay")
        self.assertIn("[withheld", self.browser.text("#browser .pair pre"))
        page = self.path / "restricted.html"
        stores.report(ASSAY, self.path / "demo.db", "--html", page, "--include-restricted")
        self.assertNotIn("[withheld", page.read_text())


class Hostile(Page):
    def test_texts_stay_texts(self):
        self.open("hostile")
        count = self.js("document.querySelectorAll('#browser .list button').length")
        self.assertEqual(count, 14)
        for index in range(1, count + 1):
            self.browser.click(f"#browser .list button:nth-child({index})")
        self.assertIsNone(self.js("window.hit"))
        self.assertEqual(self.js("document.querySelectorAll('img, iframe, object, body body').length"), 0)
        self.assertEqual(self.js("document.scripts.length"), 3)
        self.assertEqual(self.js("document.querySelectorAll('style').length"), 1)
        self.assertIn("<script>window.hit=1", self.browser.text("h1"))
        self.assert_clean()

    def test_invisible_characters_are_shown(self):
        self.open("hostile")
        seen = self.js("[...document.querySelectorAll('#browser .list button')].map((b) => b.textContent).join('\\n')")
        for mark in ("U+202E", "U+2066", "U+200B", "U+FEFF", "U+0000", "U+0007", "U+001B", "U+2028"):
            self.assertIn("\u27e8" + mark + "\u27e9", seen)
        self.assertIn("\ufffd", seen)
        self.assertNotIn("\u202e", self.js("document.body.innerText"))

    def test_the_other_forms_hold_no_markup(self):
        out = {form: self.path / f"hostile.{form}" for form in ("markdown", "csv", "json")}
        stores.report(ASSAY, self.path / "hostile.db", *(x for form, file in out.items() for x in (f"--{form}", file)))
        json.loads(out["json"].read_text())
        self.assertNotRegex(out["markdown"].read_text(), r"(?<!\\)<")
        for line in out["csv"].read_text().splitlines():
            self.assertNotRegex(line, r"(^|,)[=+@]")


class Files(Page):
    def test_the_same_store_gives_the_same_bytes(self):
        again = self.path / "again.html"
        stores.report(ASSAY, self.path / "demo.db", "--html", again)
        self.assertEqual(again.read_bytes(), (self.path / "demo.html").read_bytes())

    def test_the_size_is_bounded_and_what_is_left_out_is_said(self):
        small = self.path / "small.html"
        stores.report(ASSAY, self.path / "demo.db", "--html", small, "--max-size", "1.5")
        self.assertLessEqual(small.stat().st_size, 1_500_000)
        self.assertIn("in the store: changed verdicts first", small.read_text())


if __name__ == "__main__":
    why = webdriver.missing()
    if why:
        print("skipped:", why)
        sys.exit(77)
    del Page  # a base, not a case
    unittest.main(argv=sys.argv[:1], verbosity=1)
