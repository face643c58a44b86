"""Words of the site in two languages, whatever numbers stand in them.

Sentences of the recorded tables hold computed numbers. A translation is of the sentence
with its numbers left out, `{0} of {1} frames`, so it stays right when a number changes.
The numbers are put back as the language writes them: .85 is 0,85 in Portuguese.
"""

import html
import re
from collections.abc import Callable

NUMBER = re.compile(
    r"(?<![\w.,])[+−±-]?(?:\d{1,3}(?:,\d{3})+(?:\.\d+)?|\d*\.?\d+(?:e[+-]?\d+)?)(?!\w)"
)
"""A number in a text: 41,328, .79, −0.5, 2e-07; not the 06 of AU06, the 16 of VGG16."""

Say = Callable[[str], str]
"""A text of the page in → the same in the page's language."""


def template(text: str) -> tuple[str, list[str]]:
    """A text with its numbers left out, and the numbers.

    Args:
        text: such as "9 of 1,280 frames".

    Returns:
        "{0} of {1} frames" and ["9", "1,280"].

    Raises:
        ValueError: the text has a curly bracket.
    """
    if re.search("[{}]", text):
        raise ValueError(f"a curly bracket in '{text}': the site can't translate it")
    numbers = NUMBER.findall(text)
    places = iter(range(len(numbers)))
    return NUMBER.sub(lambda _: f"{{{next(places)}}}", text), numbers


def brazilian(number: str) -> str:
    """A number as Brazil writes it: 41.328 for 41,328, and 0,79 for .79."""
    whole = re.sub(r"^(\D?)\.", r"\g<1>0.", number)
    return whole.translate(str.maketrans(".,", ",."))


def in_english(text: str) -> str:
    """The text itself."""
    return text


def in_portuguese(look_up: Callable[[str], str]) -> Say:
    """A function that translates texts.

    Args:
        look_up: gives the translation of a template. An untranslated one comes back as
            it is, and so does the text; a test names those.
    """

    def say(text: str) -> str:
        pattern, numbers = template(text)
        translated = look_up(pattern) if re.search(r"[^\W\d_]", pattern) else pattern
        return translated.format(*map(brazilian, numbers))

    return say


def cell_in_portuguese(text: str) -> str | None:
    """A cell of nothing but numbers, as Brazil writes it.

    Args:
        text: a cell, such as ".824 to .863" or "3 of 3".

    Returns:
        "0,824 a 0,863"; None if the cell has other words.
    """
    if not re.fullmatch(r"[\s\d.,+−±-]*\d(?: to [\s\d.,+−±-]*\d)?", text):
        return None
    return NUMBER.sub(lambda m: brazilian(m[0]), text).replace(" to ", " a ")


def with_symbols(text: str) -> str:
    """HTML of a text in which `$P_i$` is a symbol with an index."""
    symbol = r"\$(\w)(?:_(\w))?\$"
    return re.sub(
        symbol,
        lambda m: f"<var>{m[1]}{f'<sub>{m[2]}</sub>' if m[2] else ''}</var>",
        html.escape(text, quote=False),
    )
