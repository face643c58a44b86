"""Tables as files."""

import pandas as pd
import pytest
from origins import ORIGIN, said

from companion.base.tables import origin_path, save_table


@pytest.mark.parametrize(
    "how, text",
    [
        ({}, "AU,ICC,frames\nAU06,0.666667,1234567\n"),
        ({"float_format": "%.2g"}, "AU,ICC,frames\nAU06,0.67,1234567\n"),
        ({"float_format": None}, "AU,ICC,frames\nAU06,0.6666666666666666,1234567\n"),
        ({"index": False}, "ICC,frames\n0.666667,1234567\n"),
    ],
    ids=["as it is", "fewer digits", "all digits", "without its index"],
)
def test_the_csv_stays_plain_and_its_origin_is_beside_it(tmp_path, how, text):
    numbers = {"ICC": [2 / 3], "frames": [1234567]}
    table = pd.DataFrame(numbers, pd.Index(["AU06"], name="AU"))
    path = tmp_path / "new" / "folder" / "runs.csv"
    save_table(table, path, ORIGIN, **how)
    assert path.read_text() == text
    assert said(path) == ORIGIN
    assert sorted(p.name for p in path.parent.iterdir()) == [
        "runs.csv",
        "runs.origin.json",
    ]
    assert origin_path(path).read_text().endswith("}\n")
