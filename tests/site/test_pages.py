"""The built pages, read as files: links, languages, pictures, translations."""

import re
import subprocess
import sys
from functools import cache
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest
from catalogues import LOCALE, read_catalogue

from companion.base.paths import ROOT
from companion.workflow.site_parts import PARTS, messages

pytestmark = pytest.mark.site

LOADS = {"script": "src", "img": "src", "source": "src", "iframe": "src"}
"""Tags that load something, and what from; `link` besides."""
EXPLORABLES = sorted((ROOT / "site" / "explorables").glob("*.md"))
PORTUGUESE = (
    *("site/index", "README", "docs/glossary"),
    *(f"site/explorables/{path.stem}" for path in EXPLORABLES),
)
LINK = re.compile(r"\]\(([^)\s]+)\)")
NUMBER = re.compile(r"\d+")


class Page(HTMLParser):
    """The tags of a page."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str]]] = []
        self.feed(path.read_text())

    def handle_starttag(self, tag: str, attributes: list) -> None:
        self.tags.append((tag, dict(attributes)))

    def values(self, name: str, *tags: str) -> list[str]:
        return [
            a[name] for tag, a in self.tags if name in a and (not tags or tag in tags)
        ]


@cache
def read(path: Path) -> Page:
    return Page(path)


def pages_of(site: Path) -> list[Path]:
    return sorted(site.rglob("*.html"))


def test_the_pages_are_those_of_both_languages(site):
    names = {path.relative_to(site).as_posix() for path in pages_of(site)}
    assert "index.html" in names
    assert {f"pt-br/{page}.html" for page in PORTUGUESE} <= names
    assert {f"en/{page}.html" for page in PORTUGUESE} <= names
    notebooks = {path.stem for path in (ROOT / "notebooks").glob("0*.ipynb")}
    assert {f"en/notebooks/{name}.html" for name in notebooks} <= names
    assert not [name for name in names if name.startswith("pt-br/notebooks")]


def test_each_page_says_its_language(site):
    for path in pages_of(site):
        (language,) = read(path).values("lang", "html")
        expected = "pt-BR" if "pt-br" in path.parts else "en"
        assert language == expected, path
        titles = [tag for tag, _ in read(path).tags if tag == "title"]
        assert titles, path


def test_each_page_links_to_the_other_language(site):
    for path in pages_of(site):
        others = read(path).values("hreflang", "a")
        assert others, path


def test_nothing_is_loaded_from_elsewhere(site):
    for path in pages_of(site):
        page = read(path)
        loaded = [page.values(name, tag) for tag, name in LOADS.items()]
        loaded.append(page.values("href", "link"))
        for address in sum(loaded, []):
            assert not urlsplit(address).netloc, f"{path}: {address}"
    for path in site.rglob("*.css"):
        for address in re.findall(
            r"(?:url\(|@import )[\"']?([^\"')]+)", path.read_text()
        ):
            assert not urlsplit(address).netloc, f"{path}: {address}"


def test_links_and_anchors_resolve(site):
    broken = []
    for path in pages_of(site):
        page = read(path)
        addresses = page.values("href", "a", "link") + page.values("src")
        for address in addresses:
            parts = urlsplit(address)
            if parts.scheme in ("http", "https", "data", "mailto"):
                continue
            target = (
                (path.parent / unquote(parts.path)).resolve() if parts.path else path
            )
            if not target.is_file():
                broken.append(f"{path.relative_to(site)} → {address}")
            elif parts.fragment and target.suffix == ".html":
                anchors = {
                    *read(target).values("id"),
                    *read(target).values("name", "a"),
                }
                if unquote(parts.fragment) not in anchors and parts.fragment != "":
                    broken.append(f"{path.relative_to(site)} → {address}")
    assert not broken


def test_every_picture_has_a_text_that_is_no_file_name(site):
    pictures = 0
    for path in pages_of(site):
        for tag, attributes in read(path).tags:
            if tag == "img":
                pictures += 1
                alt = attributes.get("alt", "")
                assert len(alt) > 20, f"{path}: {attributes}"
                assert not re.search(r"\.(png|jpe?g|svg)\b", alt), f"{path}: {alt}"
    assert pictures > 30


def test_equations_are_drawn_without_a_script(site):
    notebook = (site / "en" / "notebooks" / "03_training.html").read_text()
    assert notebook.count('class="katex-mathml"') > 10
    assert "katex.min.js" not in notebook and "MathJax" not in notebook
    style = (site / "en" / "_static" / "katex" / "katex.min.css").read_text()
    fonts = set(re.findall(r"url\((fonts/[^)]+)\)", style))
    assert len(fonts) == 20
    for font in fonts:
        assert (site / "en" / "_static" / "katex" / font).is_file()


def test_the_style_is_of_the_katex_inside():
    from sphinxcontrib.katex import katex_version

    style = (ROOT / "site" / "_static" / "katex" / "katex.min.css").read_text()
    assert f'content:"{katex_version}"' in style


@pytest.fixture(scope="session")
def sources(tmp_path_factory) -> Path:
    """The messages of the Portuguese pages, as Sphinx finds them."""
    directory = tmp_path_factory.mktemp("gettext")
    command = [sys.executable, "-m", "sphinx", "-q", "-b", "gettext", "-c"]
    command += [
        str(ROOT / "site"),
        "-t",
        "pt",
        "-D",
        "language=en",
        str(ROOT),
        str(directory),
    ]
    subprocess.run(command, cwd=ROOT, check=True)
    return directory


@pytest.mark.parametrize("page", PORTUGUESE)
def test_every_sentence_is_translated_with_its_links_and_numbers(sources, page):
    """A sentence that has changed in English is named here until it is translated."""
    texts = read_catalogue(sources / f"{page}.pot")
    catalogue = read_catalogue(LOCALE / f"{page}.po")
    made = {text for part in PARTS for text in messages(part)}
    assert len(texts) > 2
    for text in texts:
        if not re.search(r"[^\W\d_]{2}", re.sub(r"\bto\b", "", text)):
            continue  # numbers alone
        translated = catalogue.get(text)
        assert translated, f"not in {page}.po: {text}"
        assert LINK.findall(translated) == LINK.findall(text) or sorted(
            LINK.findall(translated)
        ) == sorted(LINK.findall(text)), translated
        if text not in made:
            said, meant = (
                sorted(n.lstrip("0") for n in NUMBER.findall(t) if n.strip("0"))
                for t in (translated, text)
            )
            assert said == meant, translated
