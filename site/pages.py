"""What the site adds to Sphinx: parts from recorded files, and links that lead on."""

import gettext
import logging
import re
from functools import partial
from pathlib import Path

from docutils import nodes
from sphinx.addnodes import pending_xref
from sphinx.application import Sphinx
from sphinx.environment import BuildEnvironment
from sphinx.transforms import SphinxTransform
from sphinx.transforms.post_transforms import SphinxPostTransform
from sphinx.util.docutils import SphinxDirective

from companion.base.paths import ROOT
from companion.workflow.site_parts import PARTS, RECORDED, file_anchor, messages
from companion.workflow.site_words import (
    cell_in_portuguese,
    in_english,
    in_portuguese,
)

LOCALE = Path(__file__).parent / "locale"
OTHER = {"en": "../pt-br/", "pt_BR": "../en/"}
"""Language → the other one's folder, seen from its own."""
BOTH = ("site/", "README", "docs/glossary", "search")
"""Where pages are that both languages have."""
SCROLLS = re.compile(
    r'<(pre|div(?= class="(?:table-wrapper|output text_html))|'
    r'span(?= class="katex-display))'
)
"""What may be wider than a phone, and scrolls by itself."""


def to_top(docname: str) -> str:
    """The way from a page to the folder of its language."""
    return "../" * docname.count("/")


class Part(SphinxDirective):
    """`{part} NAME`: one of `PARTS`, made from recorded files."""

    required_arguments = 1

    def run(self) -> list[nodes.Node]:
        (name,) = self.arguments
        if self.env.app.builder.name == "gettext":
            return [nodes.paragraph(text, text) for text in messages(name)]
        say = in_english
        if self.config.language == "pt_BR":
            catalogue = gettext.translation(self.env.docname, LOCALE, ["pt_BR"])
            say = in_portuguese(catalogue.gettext)
        link = partial(address, self.env, self.env.docname)
        return [nodes.raw("", PARTS[name](say, link), format="html")]


def page_address(env: BuildEnvironment, here: str, docname: str, anchor: str) -> str:
    """Where a page is, seen from another: in this language, or else in English."""
    folder = "" if docname in env.found_docs else OTHER["pt_BR"]
    return f"{to_top(here)}{folder}{docname}.html{'#' * bool(anchor)}{anchor}"


def address(env: BuildEnvironment, here: str, path: str) -> str:
    """The address of something in the repository, for a page.

    Args:
        here: the page.
        path: of a document, a file, which is copied, or a directory of recorded files;
            with `#` and a heading's anchor, if it has headings.

    Raises:
        FileNotFoundError: nothing is there, or a directory that no page lists.
    """
    path, _, anchor = path.partition("#")
    if (ROOT / path).is_dir() and Path(path).is_relative_to(RECORDED):
        return page_address(env, here, "site/recorded", file_anchor(path))
    if path.endswith((".ipynb", ".md")):
        return page_address(env, here, path.rpartition(".")[0], anchor)
    if not (ROOT / path).is_file():
        raise FileNotFoundError(f"{here}: the site has no page or file for {path}")
    return f"{to_top(here)}_downloads/{env.dlfiles.add_file(here, path)}"


class LinksElsewhere(SphinxPostTransform):
    """Links that MyST can't resolve.

    Those to pages that only the English part has; to directories, which lead to the
    list of recorded files or nowhere; and those in the outputs of notebooks.
    """

    default_priority = 8  # just before MyST looks for their targets

    def run(self, **_) -> None:
        here = self.env.docname
        folder = (ROOT / here).parent
        for link in list(self.document.findall(pending_xref)):
            target = link["reftarget"]
            if link.get("refdomain") == "doc" and target not in self.env.found_docs:
                to = page_address(self.env, here, target, link["reftargetid"] or "")
                link.replace_self(nodes.reference("", "", *link.children, refuri=to))
            elif link["reftype"] == "myst" and (folder / target).is_dir():
                link.replace_self(self.to_directory(link, folder / target))
        for link in self.document.findall(nodes.reference):
            target, hash_, anchor = link.get("refuri", "").partition("#")
            path = (folder / target).resolve()
            if target and path.exists() and path.is_relative_to(ROOT):
                name = path.relative_to(ROOT).as_posix()
                link["refuri"] = address(self.env, here, f"{name}{hash_}{anchor}")

    def to_directory(self, link: pending_xref, path: Path) -> list[nodes.Node]:
        """A link to the list of a directory's files, or its words alone."""
        name = path.resolve().relative_to(ROOT)
        if not name.is_relative_to(RECORDED):
            return link.children
        to = address(self.env, self.env.docname, name.as_posix())
        return [nodes.reference("", "", *link.children, refuri=to)]


class DecimalCommas(SphinxTransform):
    """Cells of nothing but numbers, which no catalogue translates."""

    default_priority = 30  # after the translations

    def apply(self, **_) -> None:
        if self.config.language != "pt_BR":
            return
        for cell in self.document.findall(nodes.entry):
            for text in list(cell.findall(nodes.Text)):
                translated = cell_in_portuguese(text.astext())
                if translated:
                    text.parent.replace(text, nodes.Text(translated))


def finish(app: Sphinx, pagename: str, template: str, context: dict, doctree) -> None:
    """What scrolls can be reached by keyboard; the other language's page is known."""
    context["body"] = SCROLLS.sub(r'<\1 tabindex="0"', context.get("body", ""))
    tree = "furo_navigation_tree"  # its captions are headings without a level
    context[tree] = context[tree].replace(
        'role="heading"', 'role="heading" aria-level="2"'
    )
    both = pagename.startswith(BOTH) and pagename != "site/recorded"
    folder = f"{to_top(pagename)}{OTHER[app.config.language]}"
    context["other_language"] = f"{folder}{pagename if both else 'site/index'}.html"


def not_empty_glob(record: logging.LogRecord) -> bool:
    """Whether a warning is not of a glob without pages, as in Portuguese.

    Sphinx gives that warning no type, so `suppress_warnings` can't name it.
    """
    return getattr(record, "subtype", None) != "empty_glob"


def setup(app: Sphinx) -> dict:
    logging.getLogger("sphinx.sphinx.directives.other").addFilter(not_empty_glob)
    app.add_directive("part", Part)
    app.add_post_transform(LinksElsewhere)
    app.add_transform(DecimalCommas)
    app.connect("html-page-context", finish, priority=900)  # after the theme
    return {"version": "1", "parallel_read_safe": True}
