"""Numbers leave a text, its words are translated, the numbers come back."""

import re

import pytest
from catalogues import LOCALE, read_catalogue
from hypothesis import given
from hypothesis import strategies as st

from companion.base.paths import ROOT
from companion.workflow.site_parts import PARTS, messages
from companion.workflow.site_words import (
    brazilian,
    cell_in_portuguese,
    in_portuguese,
    template,
    with_symbols,
)


@pytest.mark.parametrize(
    "text, pattern, numbers",
    [
        ("9 of 1,280 frames", "{0} of {1} frames", ["9", "1,280"]),
        ("AU06 by ±.020.", "AU06 by {0}.", ["±.020"]),
        ("−.015 to +0.025", "{0} to {1}", ["−.015", "+0.025"]),
        ("(0, 2), 2e-07 %, [9]", "({0}, {1}), {2} %, [{3}]", ["0", "2", "2e-07", "9"]),
        ("VGG16's Figure 7b, the 5s", "VGG16's Figure 7b, the 5s", []),
        ("0.610 − 0.588", "{0} − {1}", ["0.610", "0.588"]),
        ("95.1 %; 41,328.", "{0} %; {1}.", ["95.1", "41,328"]),
    ],
)
def test_numbers_leave_a_text(text, pattern, numbers):
    assert template(text) == (pattern, numbers)


@given(st.text(st.characters(exclude_characters="{}")))
def test_a_template_with_its_numbers_is_the_text(text):
    pattern, numbers = template(text)
    assert pattern.format(*numbers) == text


def test_a_bracket_that_would_be_taken_for_a_place_is_refused():
    with pytest.raises(ValueError, match="curly bracket"):
        template("levels {0, 1}")


@pytest.mark.parametrize(
    "number, printed",
    [
        ("41,328", "41.328"),
        (".79", "0,79"),
        ("−.015", "−0,015"),
        ("0.5", "0,5"),
        ("2e-07", "2e-07"),
        ("1,234.5", "1.234,5"),
        ("2018", "2018"),
    ],
)
def test_numbers_are_written_as_in_brazil(number, printed):
    assert brazilian(number) == printed


def test_words_are_translated_and_numbers_put_back_in_the_translations_order():
    say = in_portuguese({"{0} of {1} frames": "de {1} quadros, {0}"}.get)
    assert say("9 of 1,280 frames") == "de 1.280 quadros, 9"
    assert say("±.5") == "±0,5"  # no words, no look-up


@pytest.mark.parametrize(
    "cell, printed",
    [
        (".824 to .863", "0,824 a 0,863"),
        ("−.015", "−0,015"),
        (".825 ± .029", "0,825 ± 0,029"),
        ("AU06", None),
        ("15 to 30 min", None),
        ("", None),
    ],
)
def test_cells_of_numbers_alone(cell, printed):
    assert cell_in_portuguese(cell) == printed


def test_symbols():
    assert with_symbols("$P_i$ < 1") == "<var>P<sub>i</sub></var> &lt; 1"


@pytest.mark.parametrize("part", [part for part in PARTS if part != "recorded-files"])
def test_every_sentence_of_a_part_has_a_translation(part):
    """And the translation has the same places for numbers."""
    pages = [*(ROOT / "site").glob("*.md"), *(ROOT / "site").glob("explorables/*.md")]
    (page,) = [path for path in pages if f"{{part}} {part}\n" in path.read_text()]
    path = (LOCALE / page.relative_to(ROOT)).with_suffix(".po")
    catalogue = read_catalogue(path)
    places = re.compile(r"\{\d+\}")
    wrong = [
        message
        for message in messages(part)
        if not catalogue.get(message)
        or sorted(places.findall(message)) != sorted(places.findall(catalogue[message]))
    ]
    assert not wrong, f"translate these in {path.relative_to(ROOT)}"
