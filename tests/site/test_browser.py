"""The pages in a real browser, from `file://`: no network, no error, no overflow.

The claims filter, search, both colour schemes, a phone's width, and axe.
"""

import csv
from pathlib import Path

import pytest
from browsing import TOO_WIDE, open_page

from companion.base.paths import ROOT

pytestmark = pytest.mark.site

CLAIMS = list(csv.DictReader((ROOT / "data/recorded/standin/tables/claims.csv").open()))
START = ("en/site/index.html", "pt-br/site/index.html")
EXPLORABLES = sorted(p.stem for p in (ROOT / "site" / "explorables").glob("*.md"))
LOOKED_AT = (
    *((START[0], "light"), (START[1], "dark")),
    *(("index.html", "light"), ("en/search.html", "light")),
    *(("en/site/recorded.html", "light"), ("en/docs/glossary.html", "light")),
    *(("en/notebooks/03_training.html", "light"), ("pt-br/README.html", "dark")),
    *((f"en/site/explorables/{name}.html", "light") for name in EXPLORABLES),
    *((f"pt-br/site/explorables/{name}.html", "dark") for name in EXPLORABLES),
)
"""One page of each kind for axe, which takes its time, and its colours.

Pages of both languages are light in English and dark in Portuguese: no colour depends
on the words.
"""
MAY_SCROLL = "pre, .table-wrapper, .text_html, .katex-display"
"""Code, tables and equations of notebooks may be wider than a phone: they scroll by
themselves, and by keyboard."""
UNREACHABLE = """allowed => [...document.querySelectorAll(allowed)]
  .filter(e => e.scrollWidth > e.clientWidth + 1 && e.tabIndex < 0)
  .filter(e => /auto|scroll/.test(getComputedStyle(e).overflowX))
  .filter(e => !e.closest("[tabindex]"))
  .map(e => e.outerHTML.slice(0, 80))"""


def pages_of(site: Path) -> list[Path]:
    """The pages that a reader meets."""
    return sorted(p for p in site.rglob("*.html") if "_static" not in p.parts)


def test_pages_load_alone_and_fit_a_phone_light_and_dark(site, browser):
    phone = {"viewport": {"width": 360, "height": 740}, "color_scheme": "light"}
    pages = pages_of(site)
    with open_page(browser, pages[0], **phone) as (page, wrong):
        for path in pages:
            page.goto(path.as_uri())
            name = path.relative_to(site).as_posix()
            allowed = "nothing" if name in START else MAY_SCROLL
            page.wait_for_function(
                "() => [...document.images].every(i => i.naturalWidth > 0)"
            )
            for scheme in ("light", "dark"):
                page.emulate_media(color_scheme=scheme)
                assert not page.evaluate(TOO_WIDE, allowed), f"{name}, {scheme}"
                text = page.evaluate("getComputedStyle(document.body).color")
                light = sum(map(int, text.strip("rgba()").split(",")[:3])) > 384
                assert light == (scheme == "dark"), name
            assert not page.evaluate(UNREACHABLE, MAY_SCROLL), name
            assert not wrong, name


@pytest.mark.parametrize("name, scheme", LOOKED_AT)
def test_axe_finds_nothing_serious(site, browser, name, scheme):
    from axe_playwright_python.sync_playwright import Axe

    with open_page(browser, site / name, color_scheme=scheme) as (page, _):
        if "explorables/face" in name:  # drawn once its picture is decoded
            page.wait_for_selector(".explorable-table td")
        found = Axe().run(page, options={"resultTypes": ["violations"]}).response
        assert len(found["passes"]) > 5
        serious = [
            f"{rule['id']}: {node['html'][:150]}"
            for rule in found["violations"]
            if rule["impact"] in ("serious", "critical")
            for node in rule["nodes"][:3]
        ]
    assert not serious


def visible_claims(page) -> list[str]:
    rows = page.locator("#claims tbody tr:visible").all()
    return [row.get_attribute("id").removeprefix("claim-") for row in rows]


@pytest.mark.parametrize("start", START)
def test_claims_are_filtered_by_section_and_verdict(site, browser, start):
    with open_page(browser, site / start) as (page, wrong):
        assert len(visible_claims(page)) == len(CLAIMS)
        page.select_option("[name=section]", "V")
        page.select_option("[name=verdict]", "yes")
        expected = [
            row["claim"]
            for row in CLAIMS
            if row["section"] == "V" and row["verdict"] == "holds"
        ]
        assert 0 < len(expected) < len(CLAIMS)
        assert visible_claims(page) == expected
        said = page.locator("#claims-filter output").inner_text()
        assert str(len(expected)) in said and str(len(CLAIMS)) in said
        page.click("[data-show=no]")
        expected = [row["claim"] for row in CLAIMS if row["verdict"] == "does not hold"]
        assert visible_claims(page) == expected
        hidden = next(row["claim"] for row in CLAIMS if row["verdict"] == "holds")
        page.evaluate(f"location.hash = 'claim-{hidden}'")
        page.wait_for_function(
            f"document.getElementById('claim-{hidden}').offsetHeight > 0"
        )
        assert len(visible_claims(page)) == len(CLAIMS)
        assert not wrong


@pytest.mark.parametrize("start", START)
def test_without_scripts_all_claims_are_there(site, browser, start):
    with open_page(browser, site / start, java_script_enabled=False) as (page, _):
        assert page.locator("#claims tbody tr:visible").count() == len(CLAIMS)
        assert not page.locator("#claims-filter").is_visible()


def test_the_filter_works_by_keyboard(site, browser):
    with open_page(browser, site / START[0]) as (page, _):
        page.focus("[name=verdict]")
        page.keyboard.press("ArrowDown")
        page.wait_for_function(
            f"document.querySelectorAll('#claims tr[hidden]').length > 0 "
            f"&& document.querySelectorAll('#claims tbody tr').length === {len(CLAIMS)}"
        )
        assert len(visible_claims(page)) == sum(
            row["verdict"] == "holds" for row in CLAIMS
        )


def test_the_languages_lead_to_each_other(site, browser):
    with open_page(browser, site / START[0]) as (page, wrong):
        page.click(".languages a")
        assert page.evaluate("document.documentElement.lang") == "pt-BR"
        assert "afirmação" in page.title() + page.inner_text("h1")
        page.click(".languages a")
        assert page.evaluate("document.documentElement.lang") == "en"
        assert not wrong


def test_a_figure_opens_large(site, browser):
    with open_page(browser, site / START[0]) as (page, wrong):
        page.click("figure.of-the-paper a")
        page.wait_for_url("**/figure_2.svg")
        assert not wrong


@pytest.mark.parametrize("language, word", [("en", "dropout"), ("pt-br", "amostragem")])
def test_search_finds_pages_without_a_server(site, browser, language, word):
    with open_page(browser, site / language / "search.html") as (page, wrong):
        page.goto(f"{(site / language / 'search.html').as_uri()}?q={word}")
        page.wait_for_selector("#search-results li a", timeout=60_000)
        assert not wrong


def test_cells_can_be_copied(site, browser):
    with open_page(browser, site / "en/notebooks/03_training.html") as (page, wrong):
        assert page.locator("button.copybtn").count() > 10
        assert not wrong
