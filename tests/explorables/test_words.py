"""The words of the explorable pages, in both languages."""

import re

import pytest
from javascript import SCRIPTS, evaluate

PAGES = ("margin.js", "face.js", "confusion.js")


@pytest.fixture(scope="module")
def tables() -> dict[str, dict[str, str]]:
    return evaluate(["strings.js"], "EXPLORABLES.strings")


def test_both_languages_say_the_same_things_with_the_same_values(tables):
    english, portuguese = tables["en"], tables["pt"]
    assert set(tables) == {"en", "pt"}
    assert list(english) == list(portuguese)
    same = ("AU", "Eq. 3", "?", "{percent} %", "Action Unit", "× {factor}")
    same += ("loss, Eq. 4",)  # the glossary's word in both
    for key, text in english.items():
        values = re.findall(r"\{\w+\}", text)
        assert sorted(values) == sorted(re.findall(r"\{\w+\}", portuguese[key])), key
        assert text in same or text != portuguese[key], f"{key} is not translated"


def test_every_string_is_used_and_there(tables):
    source = "\n".join((SCRIPTS / name).read_text() for name in PAGES)
    made = {"marginPreset1", "marginPreset2", "model_proposed", "model_baseline"}
    cases = ("rightQuadratic", "wrongLinear", "rightLinear", "wrongQuadratic")
    made |= {f"{case}Here" for case in cases}
    made |= {"AU06", "AU10", "AU12", "AU14", "AU17"}
    words = set(re.findall(r"\w+", source))
    assert not set(tables["en"]) - words - made
    said = set(re.findall(r'say\("(\w+)"[,)]', source))
    assert said and not said - set(tables["en"])


def test_nothing_is_fetched_and_no_module_is_needed():
    for path in [*SCRIPTS.glob("*.js"), *SCRIPTS.glob("*.css")]:
        text = path.read_text()
        addresses = set(re.findall(r"\b(?:https?:)?//[\w.]+\.\w+", text))
        assert addresses <= {"http://www.w3.org"}, path.name
        for word in ("fetch(", "XMLHttpRequest", "import ", "export ", "@import"):
            assert word not in text, f"{path.name}: {word}"
