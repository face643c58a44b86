"""What a figure or table file says of its origin, read by other people's libraries."""

import json
from pathlib import Path
from xml.etree import ElementTree

from PIL import Image
from pypdf import PdfReader

ORIGIN = {
    "profile": "tiny",
    "source": "runs",
    "data": ["crops 0123456789abcdef"],
    "models": ["baseline"],
    "seeds": [1, 2],
    "commits": ["abc1234"],
    "versions": {"python": "3.11"},
}
"""An origin to write."""

DESCRIPTION = "{http://purl.org/dc/elements/1.1/}description"


def said(path: Path) -> dict:
    """The origin that a file says: in itself, or of a CSV in the file beside it."""
    if path.suffix == ".csv":
        return json.loads(path.with_suffix(".origin.json").read_text())
    if path.suffix == ".svg":
        (found,) = ElementTree.parse(path).iter(DESCRIPTION)
        return json.loads(found.text)
    if path.suffix == ".pdf":
        return json.loads(PdfReader(path).metadata.subject)
    with Image.open(path) as image:
        if path.suffix == ".png":
            return json.loads(image.text["Description"])
        return json.loads(image.info["comment"])
