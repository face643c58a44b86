import io

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from companion.bp4d.codes import read_codes


@pytest.mark.parametrize(
    "text",
    [
        b"1,0\r\n2,3\r\n3,9\r\n",
        b"1,0\r2,3\r3,9",
        b"\xef\xbb\xbf1,0\n2,3\n3,9\n",
        b" 1 , 0\n\n2,\t3\n3,9 \n\n\n",
        b"3,9\n2,3\n1,0\n",
        b"001,0\n002,3\n003,9",
    ],
)
def test_harmless_spellings_change_nothing(text):
    frames, codes, problems = read_codes(text)
    assert frames.tolist() == [1, 2, 3]
    assert codes.tolist() == [0, 3, 9]
    assert problems == []


def test_equal_duplicates_are_noted_and_conflicting_ones_unknown():
    frames, codes, problems = read_codes(b"1,2\n1,2\n2,3\n2,4\n3,5\n3,x\n")
    assert frames.tolist() == [1, 2, 3]
    assert codes.tolist() == [2, 9, 5]
    assert sorted(problems) == [
        (1, "duplicate row", 2),
        (2, "conflicting rows", 3),
        (2, "conflicting rows", 4),
        (3, "code is not a number", 6),
    ]


@given(st.binary(max_size=200))
def test_no_bytes_make_the_reader_fail(data):
    frames, codes, problems = read_codes(data)
    assert len(frames) == len(codes)
    assert (np.diff(frames) > 0).all()
    assert set(codes.tolist()) <= {0, 1, 2, 3, 4, 5, 9}
    assert len(frames) or problems


@given(
    st.lists(
        st.tuples(st.integers(0, 3000), st.sampled_from([0, 1, 2, 3, 4, 5, 9])),
        min_size=1,
        unique_by=lambda row: row[0],
    ).map(sorted),
    st.sampled_from(["\n", "\r\n"]),
)
def test_both_ways_to_read_agree_with_pandas(rows, end):
    data = "".join(f"{frame},{code}{end}" for frame, code in rows).encode()
    table = pd.read_csv(io.BytesIO(data), header=None)
    for text in (data, b" " + data):  # a space is enough for the slow way
        frames, codes, problems = read_codes(text)
        assert frames.tolist() == table[0].tolist()
        assert codes.tolist() == table[1].tolist()
        assert problems == []
