"""The pages in a real browser, from `file://`: no network, no error, no overflow.

The claims filter, search, both colour schemes, a phone's width, and axe.
"""

import csv
from contextlib import contextmanager
from pathlib import Path

import pytest

from companion.base.paths import ROOT

pytestmark = pytest.mark.site

CLAIMS = list(csv.DictReader((ROOT / "data/recorded/standin/tables/claims.csv").open()))
START = ("en/site/index.html", "pt-br/site/index.html")
LOOKED_AT = (
    *START,
    *("index.html", "en/search.html", "en/site/recorded.html", "pt-br/README.html"),
    *("en/docs/glossary.html", "en/notebooks/03_training.html"),
    *(
        f"en/site/explorables/{path.stem}.html"
        for path in sorted((ROOT / "site" / "explorables").glob("*.md"))
    ),
)
"""One page of each kind for axe, which takes its time."""
MAY_SCROLL = "pre, .table-wrapper, .text_html, .katex-display"
"""Code, tables and equations of notebooks may be wider than a phone: they scroll by
themselves, and by keyboard."""
TOO_WIDE = """allowed => {
  // the menus beside the page, and what KaTeX hides or clips
  const BESIDE = ".sidebar-drawer, .toc-drawer, .katex-mathml, .katex svg";
  const wide = [];
  for (const element of document.querySelectorAll("body, body *")) {
    if (element.closest(allowed) || element.closest(BESIDE)) continue;
    const style = getComputedStyle(element);
    const box = element.getBoundingClientRect();
    const hidden = style.visibility === "hidden" || !box.width || !box.height;
    const scrolls = /auto|scroll/.test(style.overflowX) &&
      element.scrollWidth > element.clientWidth + 1;
    if (!hidden && (scrolls || box.right > innerWidth + 1))
      wide.push(element.outerHTML.slice(0, 80));
  }
  if (document.documentElement.scrollWidth > innerWidth) wide.push("the page");
  return wide;
}"""
UNREACHABLE = """allowed => [...document.querySelectorAll(allowed)]
  .filter(e => e.scrollWidth > e.clientWidth + 1 && e.tabIndex < 0)
  .filter(e => /auto|scroll/.test(getComputedStyle(e).overflowX))
  .filter(e => !e.closest("[tabindex]"))
  .map(e => e.outerHTML.slice(0, 80))"""


@contextmanager
def open_page(browser, path: Path, **settings):
    """A page that is open, and a list of what went wrong on it."""
    wrong: list[str] = []
    context = browser.new_context(**settings)
    page = context.new_page()
    page.on("pageerror", lambda error: wrong.append(str(error)))
    page.on(
        "console",
        lambda said: said.type in ("error", "warning") and wrong.append(said.text),
    )
    page.on(
        "request",
        lambda asked: (
            asked.url.startswith(("file:", "data:", "blob:")) or wrong.append(asked.url)
        ),
    )
    page.on("requestfailed", lambda failed: wrong.append(f"not found: {failed.url}"))
    page.goto(path.as_uri())
    try:
        yield page, wrong
    finally:
        context.close()


def pages_of(site: Path) -> list[Path]:
    """The pages that a reader meets."""
    return sorted(p for p in site.rglob("*.html") if "_static" not in p.parts)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_pages_load_alone_and_fit_a_phone(site, browser, scheme):
    phone = {"viewport": {"width": 360, "height": 740}, "color_scheme": scheme}
    for path in pages_of(site):
        with open_page(browser, path, **phone) as (page, wrong):
            name = path.relative_to(site).as_posix()
            allowed = "nothing" if name in START else MAY_SCROLL
            assert not page.evaluate(TOO_WIDE, allowed), name
            assert not page.evaluate(UNREACHABLE, MAY_SCROLL), name
            page.wait_for_function(
                "() => [...document.images].every(i => i.naturalWidth > 0)"
            )
            text = page.evaluate("getComputedStyle(document.body).color")
            light = sum(map(int, text.strip("rgba()").split(",")[:3])) > 384
            assert light == (scheme == "dark"), name
            assert not wrong, name


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_serious(site, browser, scheme):
    from axe_playwright_python.sync_playwright import Axe

    serious = []
    for name in LOOKED_AT if scheme == "light" else START:
        with open_page(browser, site / name, color_scheme=scheme) as (page, _):
            serious += [
                f"{name}: {rule['id']}: {node['html'][:150]}"
                for rule in Axe().run(page).response["violations"]
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
