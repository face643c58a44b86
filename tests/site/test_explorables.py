"""The three pages to try, in a browser: by keyboard, on a phone, in print."""

import re

import pytest
from browsing import TOO_WIDE, open_page
from javascript import evaluate

pytestmark = pytest.mark.site

PAGES = ("margin", "face", "confusion")
PHONE = {"viewport": {"width": 360, "height": 740}, "color_scheme": "dark"}


def path_of(site, name: str, language: str = "en"):
    return site / language / "site" / "explorables" / f"{name}.html"


def test_the_margin_follows_the_arrow_keys(site, browser):
    with open_page(browser, path_of(site, "margin")) as (page, wrong):
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
        level = page.get_by_role("slider", name="True level")
        level.focus()
        page.keyboard.press("End")
        assert "the true level is 5" in page.inner_text(".explorable-status")
        assert not wrong


def test_faces_are_read_as_recorded_and_anew_when_covered(site, browser):
    faces = evaluate(["data_face.js"], "EXPLORABLES.face.faces")
    with open_page(browser, path_of(site, "face")) as (page, wrong):
        cells = page.locator(".explorable-table td")
        radios = page.locator("input[name=explorable-face]")
        assert radios.count() == len(faces) == 30
        for number in range(3):
            face = faces[number]
            name = f"{face['subject']}, task {face['task']}, frame {face['frame']}"
            page.get_by_role("img", name=f"What the network gets: {name}").wait_for()
            page.get_by_role("table", name=name).wait_for()
            outputs = page.locator(".explorable-table td:nth-child(2)")
            shown = [float(c.replace("−", "-")) for c in outputs.all_inner_texts()]
            assert shown == pytest.approx(face["outputs"], abs=0.008)
            radios.nth(number).focus()
            page.keyboard.press("ArrowRight")
        page.get_by_role("table", name=f"frame {faces[3]['frame']}").wait_for()
        before = cells.all_inner_texts()
        page.get_by_label("lower half").check()
        assert cells.all_inner_texts() != before
        assert page.get_by_role("table", name="(covered: lower half)").is_visible()
        page.get_by_role("slider", name="Brightness").press("ArrowLeft")
        assert page.get_by_role("img", name="(brightness 95 %, covered:").is_visible()
        page.get_by_role("button", name="Picture as it was").click()
        assert cells.all_inner_texts() == before
        assert not wrong


def test_a_cell_opens_by_keyboard(site, browser):
    data = evaluate(["data_confusion.js"], "EXPLORABLES.confusion")
    shown = {tuple(cell[:3]): cell[3] for cell in data["cells"]}
    with open_page(browser, path_of(site, "confusion")) as (page, wrong):
        page.locator(".explorable-matrix button[tabindex='0']").focus()
        page.keyboard.press("Home")
        page.keyboard.press("ArrowUp")
        page.keyboard.press("Enter")  # label 0, estimate 0 of AU12
        faces = page.locator(".explorable-cell-faces li")
        assert faces.count() == len(shown[2, 0, 0]) == 12
        assert "AU12, label 0, estimate 0" in page.inner_text(".explorable-status")
        assert page.get_by_role("img", name="face of ").count() == 12
        page.get_by_label("AU17").check()
        found = page.locator(".explorable-matrix button").all_inner_texts()
        assert found == [str(n) for row in data["counts"][4] for n in row]
        assert not wrong


@pytest.mark.parametrize("name", PAGES)
def test_a_phone_shows_all_in_portuguese_and_print_the_figure(site, browser, name):
    with open_page(browser, path_of(site, name, "pt-br"), **PHONE) as (page, wrong):
        page.wait_for_selector(f"#explorable-{name}.on")
        if name == "face":
            page.get_by_label("metade de baixo").check()
            page.get_by_role("table", name="(coberta: metade de baixo)").wait_for()
        assert page.evaluate(TOO_WIDE, ".katex-display") == []
        text = page.inner_text("article")
        assert re.search(r"\b(saída|codificador|anotação)\b", text)
        assert not re.search(r"\b(output|coder|label|the)\b", text)
        static = page.locator(".explorable-static")
        assert not static.is_visible()
        page.emulate_media(media="print")
        assert static.is_visible()
        assert not page.locator(".explorable").is_visible()
        assert not wrong


@pytest.mark.parametrize("name", PAGES)
def test_without_javascript_the_static_figure_stays(site, browser, name):
    alone = {"java_script_enabled": False}
    with open_page(browser, path_of(site, name), **alone) as (page, wrong):
        assert page.locator(".explorable-static").is_visible()
        assert not page.locator(".explorable").is_visible()
        assert not wrong


def test_the_start_page_leads_to_each(site, browser):
    for start in ("en", "pt-br"):
        with open_page(browser, site / start / "site" / "index.html") as (page, _):
            for name in PAGES:
                link = page.locator(f"article a[href='explorables/{name}.html']")
                assert link.is_visible(), f"{start}: {name}"
