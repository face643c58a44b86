"""The three pages in a browser: by keyboard, on a phone, in print, in two languages.

Each page is made of its own block of HTML and its figure, without Sphinx.
"""

import re
import shutil
from pathlib import Path

import pytest
from javascript import SCRIPTS, evaluate

from companion.base.paths import ROOT

playwright = pytest.importorskip(
    "playwright.sync_api", reason="no playwright: the pages were not seen in a browser"
)
CHROMIUM = shutil.which("chromium")
pytestmark = pytest.mark.skipif(
    CHROMIUM is None, reason="no chromium: the pages were not seen in a browser"
)
PAGES = ("margin", "face", "confusion")


def block(name: str) -> str:
    """The raw HTML of a page of `site/explorables`."""
    text = (ROOT / "site" / "explorables" / f"{name}.md").read_text()
    return re.search(r"^<link.*?^$", text, re.MULTILINE | re.DOTALL)[0]


@pytest.fixture(scope="module")
def site(made, tmp_path_factory) -> Path:
    """Pages in English and Portuguese, with the scripts and made-up data."""
    folder = tmp_path_factory.mktemp("site")
    for script in SCRIPTS.glob("*.*"):
        target = folder / "_static" / "explorables" / script.name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(script, target)
    for data in made.scripts.glob("data_*.js"):
        shutil.copy(data, folder / "_static" / "explorables")
    (folder / "site" / "explorables").mkdir(parents=True)
    for name in PAGES:
        for language in ("en", "pt-BR"):
            page = f"""<!doctype html><html lang="{language}"><head>
                <meta charset="utf-8"><title>{name}</title>
                <meta name="viewport" content="width=device-width, initial-scale=1">
                </head><body><main style="max-width: 46em; margin: 8px">
                <h1>{name}</h1>{block(name)}
                <figure class="explorable-static">static</figure>
                </main></body></html>"""
            path = folder / "site" / "explorables" / f"{name}.{language}.html"
            path.write_text(page)
    return folder / "site" / "explorables"


@pytest.fixture(scope="module")
def browser():
    with playwright.sync_playwright() as started:
        chromium = started.chromium.launch(executable_path=CHROMIUM)
        yield chromium
        chromium.close()


@pytest.fixture
def open_page(browser, site):
    """Open a page; at the end of the test nothing may have failed or been asked for."""
    problems, pages = [], []

    def opened(name: str, language: str = "en", **options: object):
        page = browser.new_page(**options)
        pages.append(page)
        page.on(
            "console", lambda m: problems.append(m.text) if m.type == "error" else 0
        )
        page.on("pageerror", lambda error: problems.append(str(error)))
        page.on(
            "request",
            lambda r: (
                None if r.url.startswith(("file:", "data:")) else problems.append(r.url)
            ),
        )
        page.goto((site / f"{name}.{language}.html").as_uri())
        page.wait_for_selector(".explorable.on")
        return page

    yield opened
    for page in pages:
        page.close()
    assert problems == []


def test_margin_follows_the_arrow_keys(open_page):
    page = open_page("margin")
    output = page.get_by_label("Output of the network")
    output.focus()
    before = page.inner_text(".explorable-status")
    for _ in range(30):
        page.keyboard.press("ArrowRight")
    after = page.inner_text(".explorable-status")
    assert "Eq. 3 answers 2" in before and "Eq. 3 answers 3" in after
    assert output.get_attribute("aria-valuetext") == "5.10, that is 2.55 levels"
    page.get_by_role("button", name="factor 1").click()
    assert "yet the loss pulls less" in page.inner_text(".explorable-status")
    assert "80 %" in page.inner_text(".explorable-shares")
    assert page.locator("svg rect.wrongQuadratic").count() == 2


def test_face_in_the_browser_is_the_face_in_node(open_page, made):
    page = open_page("face")
    page.wait_for_selector(".explorable-table td")
    faces = evaluate([made.scripts / "data_face.js"], "EXPLORABLES.face.faces")
    radios = page.locator("input[name=explorable-face]")
    assert radios.count() == len(faces) == 30
    for number in (0, 1, 2):
        name = f"{faces[number]['subject']}, task {faces[number]['task']}"
        name += f", frame {faces[number]['frame']}"
        page.wait_for_function(
            "name => document.querySelector('.explorable-table caption')"
            ".textContent.includes(name)",
            arg=name,
        )
        cells = page.locator(".explorable-table td:nth-child(2)").all_inner_texts()
        shown = [float(cell.replace("−", "-")) for cell in cells]
        assert shown == pytest.approx(faces[number]["outputs"], abs=0.008)
        radios.nth(number).focus()
        page.keyboard.press("ArrowRight")


def test_a_covered_face_is_read_anew(open_page):
    page = open_page("face")
    page.wait_for_selector(".explorable-table td")
    before = page.locator(".explorable-table td").all_inner_texts()
    page.get_by_label("lower half").check()
    covered = page.locator(".explorable-table td").all_inner_texts()
    assert covered != before
    assert "cover: lower half" in page.inner_text(".explorable-table caption")
    page.get_by_role("button", name="Picture as it was").click()
    assert page.locator(".explorable-table td").all_inner_texts() == before


def test_a_cell_opens_by_keyboard(open_page, made):
    page = open_page("confusion")
    data = evaluate([made.scripts / "data_confusion.js"], "EXPLORABLES.confusion")
    page.locator(".explorable-matrix button[tabindex='0']").focus()
    page.keyboard.press("Home")
    page.keyboard.press("ArrowUp")
    page.keyboard.press("Enter")  # label 0, estimate 0 of AU12
    shown = {tuple(cell[:3]): cell[3] for cell in data["cells"]}.get((2, 0, 0), [])
    assert page.locator(".explorable-cell-faces li").count() == len(shown)
    assert "AU12, label 0, estimate 0" in page.inner_text(".explorable-status")
    page.get_by_label("AU17").check()
    found = page.locator(".explorable-matrix button").all_inner_texts()
    expected = [str(n) for row in data["counts"][4] for n in row]
    assert found == expected


@pytest.mark.parametrize("name", PAGES)
def test_a_phone_shows_all_in_portuguese_light_and_dark(open_page, name):
    options = {"viewport": {"width": 360, "height": 740}, "color_scheme": "dark"}
    page = open_page(name, "pt-BR", **options)
    page.wait_for_timeout(200)
    wide = page.evaluate(
        """[...document.querySelectorAll(".explorable *")].filter((e) => {
            const hidden = getComputedStyle(e).overflowX !== "visible";
            const scrolls = hidden && e.scrollWidth > e.clientWidth + 1;
            return scrolls || e.getBoundingClientRect().right > 344.5;  // furo's text
        }).map((e) => e.outerHTML.slice(0, 90))"""
    )
    assert wide == []
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
    text = page.inner_text(".explorable")
    assert re.search(r"\b(saída|anotador|anotação)\b", text)
    assert not re.search(r"\b(output|coder|label)\b", text)


@pytest.mark.parametrize("name", PAGES)
def test_print_has_the_static_figure_in_place_of_the_script(open_page, name):
    page = open_page(name)
    assert not page.locator(".explorable-static").is_visible()
    page.emulate_media(media="print")
    assert page.locator(".explorable-static").is_visible()
    assert not page.locator(".explorable").is_visible()


@pytest.mark.parametrize("name", PAGES)
def test_without_javascript_the_static_figure_stays(browser, site, name):
    page = browser.new_page(java_script_enabled=False)
    page.goto((site / f"{name}.en.html").as_uri())
    assert page.locator(".explorable-static").is_visible()
    assert not page.locator(".explorable").is_visible()
    page.close()
