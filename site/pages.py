"""What the site adds to Sphinx: parts from recorded files, and links that lead on."""

import gettext
import logging
import re
from pathlib import Path

from docutils import nodes
from sphinx.addnodes import pending_xref
from sphinx.application import Sphinx
from sphinx.transforms import SphinxTransform
from sphinx.transforms.post_transforms import SphinxPostTransform
from sphinx.util.docutils import SphinxDirective

from companion.base.paths import ROOT
from companion.workflow.site_parts import PARTS, file_anchor, messages
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
        return [nodes.raw("", PARTS[name](say, self.link), format="html")]

    def link(self, path: str) -> str:
        """The address of a file, a directory or a heading of a notebook."""
        path, _, anchor = path.partition("#")
        here = self.env.docname
        if (ROOT / path).is_dir():
            return address(self.env, here, "site/recorded", file_anchor(path))
        if path.endswith(".ipynb"):
            return address(self.env, here, path.removesuffix(".ipynb"), anchor)
        copy = self.env.dlfiles.add_file(here, path)
        return f"{to_top(here)}_downloads/{copy}"


def address(env, here: str, docname: str, anchor: str | None) -> str:
    """Where a page is, seen from another: in this language, or else in English."""
    folder = "" if docname in env.found_docs else OTHER["pt_BR"]
    end = f"#{anchor}" if anchor else ""
    return f"{to_top(here)}{folder}{docname}.html{end}"


class LinksElsewhere(SphinxPostTransform):
    """Links to pages of the other language, and to directories, which have no page."""

    default_priority = 8  # just before MyST looks for their targets

    def run(self, **_) -> None:
        for link in list(self.document.findall(pending_xref)):
            target, here = link["reftarget"], link.get("refdoc", "")
            if link.get("refdomain") == "doc" and target not in self.env.found_docs:
                anchor = link["reftargetid"]
                to = address(self.env, here, target, anchor)
                link.replace_self(nodes.reference("", "", *link[0].children, refuri=to))
            elif (
                link["reftype"] == "myst"
                and (ROOT / here).parent.joinpath(target).is_dir()
            ):
                link.replace_self(link[0].children)


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
    body = context.get("body", "")
    context["body"] = SCROLLS.sub(r'<\1 tabindex="0"', body)
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
    app.connect("html-page-context", finish)
    return {"version": "1", "parallel_read_safe": True}
