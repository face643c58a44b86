"""Catalogues of translations (`site/locale`), read without Sphinx."""

import ast
import re
from pathlib import Path

from companion.base.paths import ROOT

LOCALE = ROOT / "site" / "locale" / "pt_BR" / "LC_MESSAGES"
ENTRY = re.compile(r"^msgid ((?:\".*\"\n)+)msgstr ((?:\".*\"(?:\n|\Z))+)", re.MULTILINE)


def read_catalogue(path: Path) -> dict[str, str]:
    """Message → its translation, "" if there is none; the header is left out.

    Args:
        path: a `.po` or `.pot` file without plural forms. What is marked fuzzy counts
            as untranslated, as for Sphinx.
    """
    text = path.read_text()
    text = re.sub(r"^#~.*\n", "", text, flags=re.MULTILINE)
    found = {}
    for entry in re.split(r"\n\s*\n", text):
        for message, translation in ENTRY.findall(entry):
            fuzzy = re.search(r"^#,.*\bfuzzy\b", entry, re.MULTILINE)
            found[unquoted(message)] = "" if fuzzy else unquoted(translation)
    found.pop("", None)
    return found


def unquoted(lines: str) -> str:
    """The text of one or more quoted lines."""
    return "".join(map(ast.literal_eval, lines.splitlines()))
