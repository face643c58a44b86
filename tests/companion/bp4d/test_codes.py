import io

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from companion.bp4d.codes import read_codes, read_line


@pytest.mark.parametrize(
    "text",
    [
        b"1,0\r\n2,3\r\n3,9\r\n",
        b"1,0\r2,3\r3,9",
        b"\xef\xbb\xbf1,0\n2,3\n3,9\n",
        b" 1 , 0\n\n2,\t3\n3,9 \n\n\n",
        b"3,9\n2,3\n1,0\n",
        b"001,0\n002,3\n003,9",
        "1,0\n2,3\n3,9\n".encode("utf-16"),
        "1,0\r\n2,3\r\n3,9".encode("utf-16-le"),
        "1,0\n2,3\n3,9\n".encode("utf-16-be"),
        "\ufeff1,0\n2,3\n3,9\n".encode("utf-16-be"),
        b"1;0\n2; 3\n3 ;9\n",
        b"1\t0\n2\t\t3\n 3\t9 \n",
        b"1 0\n  2 3\n3   9\n",
        b"1,0,\n2,3,,\n3,9, ,\n",
        b"1;0;\n2;3;\n3;9;\n",
        b'"1","0"\n"2","3"\n"3","9"\n',
        b"'1','0'\n\"2,3\"\n 3,\"9\"\n",
        b"1.0,0.0\n2.,3.000\n3.00,9\n",
        b"1e0,0\n2.0e+00,3.0E+00\n3.000000000000000000e+00,9\n",
        b"+1,0\n0.2e1,3\n300e-2,9\n",
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


@pytest.mark.parametrize("frame", ["2.44e+03", "2E3", "24.4e+3", "1e99", "0e5"])
def test_a_frame_that_may_have_been_rounded_is_not_guessed(frame):
    reason = "frame is not a number" if frame == "1e99" else "frame is rounded"
    frames, _, problems = read_codes(f"7,1\n{frame},3\n".encode())
    assert frames.tolist() == [7]
    assert problems == [(None, reason, 2)]


@pytest.mark.parametrize("frame", ["2.440e+03", "2.4400000e+03", "2440.0", "244000e-2"])
def test_a_frame_with_all_its_digits_is_read(frame):
    frames, codes, problems = read_codes(f"{frame},3\n".encode())
    assert (frames.tolist(), codes.tolist(), problems) == ([2440], [3], [])


@pytest.mark.parametrize(
    "row, reason",
    [
        ("frame,code", "frame is not a number"),
        ("2.5,3", "frame is not a number"),
        ("-0,3", "frame is not a number"),
        ("1_0,3", "frame is not a number"),
        ("\u0663,3", "frame is not a number"),
        ("2,2.0e1", "code is neither 0 to 5 nor 9"),
        ("2,3.0001", "code is neither 0 to 5 nor 9"),
        ("2,inf", "code is not a number"),
        ("2,", "code is not a number"),
        ("2440;3,0", "frame is not a number"),
        ("2,3,0", "not two columns"),
        ("2 3 1", "not two columns"),
        ("0,2,3", "not two columns"),
    ],
)
def test_a_row_with_more_than_one_meaning_is_a_fault(row, reason):
    _, _, ((_, found, line),) = read_codes(f"{row}\n".encode())
    assert (found, line) == (reason, 1)


def test_a_line_of_a_file_is_the_one_that_the_reader_counts(tmp_path):
    path = tmp_path / "codes.csv"
    path.write_bytes("frame;code\r\n\r\none;2\r\n".encode("utf-16"))
    lines = [line for _, _, line in read_codes(path.read_bytes()).problems]
    assert [read_line(path, line) for line in lines] == ["frame;code", "one;2"]
    path.write_bytes(b"x" * 900)
    assert read_line(path, 1) == "x" * 60


ROWS = st.lists(
    st.tuples(st.integers(0, 3000), st.sampled_from([0, 1, 2, 3, 4, 5, 9])),
    min_size=1,
    unique_by=lambda row: row[0],
).map(sorted)
NUMBER = st.sampled_from(
    ["{}", "{:04d}", "{:.1f}", "{:.18e}", "{:.3e}", '"{}"', " {} "]
)
ENCODING = st.sampled_from(["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be"])


@given(
    ROWS,
    st.tuples(NUMBER, NUMBER),
    st.sampled_from([",", ";", "\t", " ", ", ", " ;  "]),
    st.sampled_from(["\n", "\r\n", ",\n", "\n\n"]),
    ENCODING,
)
def test_every_spelling_of_the_same_rows_is_read_alike(rows, how, mark, end, encoding):
    if ";" in mark:
        end = end.replace(",", ";")
    if not mark.strip():
        end = end.replace(",", "")
    text = "".join(
        how[0].format(frame) + mark + how[1].format(code) + end for frame, code in rows
    )
    frames, codes, problems = read_codes(text.encode(encoding))
    assert list(zip(frames.tolist(), codes.tolist())) == rows
    assert problems == []


@given(st.text(alphabet='0123456789.eE+-,; \t"\n\0_x', max_size=60), ENCODING)
def test_no_text_that_is_nearly_a_number_makes_the_reader_fail(text, encoding):
    test_no_bytes_make_the_reader_fail.hypothesis.inner_test(text.encode(encoding))


@given(st.binary(max_size=200))
def test_no_bytes_make_the_reader_fail(data):
    frames, codes, problems = read_codes(data)
    assert len(frames) == len(codes)
    assert (np.diff(frames) > 0).all()
    assert set(codes.tolist()) <= {0, 1, 2, 3, 4, 5, 9}
    assert len(frames) or problems


@given(ROWS, st.sampled_from(["\n", "\r\n"]))
def test_both_ways_to_read_agree_with_pandas(rows, end):
    data = "".join(f"{frame},{code}{end}" for frame, code in rows).encode()
    table = pd.read_csv(io.BytesIO(data), header=None)
    for text in (data, b" " + data):  # a space is enough for the slow way
        frames, codes, problems = read_codes(text)
        assert frames.tolist() == table[0].tolist()
        assert codes.tolist() == table[1].tolist()
        assert problems == []
