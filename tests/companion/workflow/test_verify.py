"""Recorded files against those computed."""

import json
import re
import shutil

import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from origins import ORIGIN

from companion.base.paths import ROOT
from companion.base.tables import origin_path
from companion.workflow import record, verify

TABLES = "data/recorded/standin/tables"
NAMES = sorted(path.name for path in (ROOT / TABLES).glob("*.csv"))
FOLDERS = {"table_2": TABLES, "figures": "figures", "clean": TABLES + "/.."}


@pytest.fixture
def root(tmp_path, monkeypatch):
    """What is recorded, with a run in `made` that computed the same."""
    root, made = tmp_path / "checkout", tmp_path / "made"
    for folder, place in FOLDERS.items():
        (root / place).mkdir(parents=True, exist_ok=True)
        (made / folder).mkdir(parents=True)
        for path in (ROOT / place).glob("*.csv"):
            for copy in (root / place / path.name, made / folder / path.name):
                shutil.copy(path, copy)
                origin_path(copy).write_text(json.dumps(ORIGIN))
    monkeypatch.setattr(verify, "ROOT", root)
    monkeypatch.setattr(record, "ROOT", root)
    monkeypatch.setattr(verify, "run_directory", lambda profile: made)
    record.write_checksums()
    return root


def test_every_recorded_number_is_compared(root):
    pairs = verify.recorded_numbers(root.parent / "made")
    others = {root / "data/recorded/standin" / name for name in ("training_pairs.csv",)}
    tables, figures = (set((root / p).glob("*.csv")) for p in (TABLES, "figures"))
    assert {p.resolve() for p in pairs} >= {p.resolve() for p in tables | figures}
    assert {p.resolve() for p in pairs} >= {p.resolve() for p in others}
    assert not any(verify.differences(*pair) for pair in pairs.items())
    assert not any(any(verify.origin_differences(*pair)) for pair in pairs.items())
    assert verify.checksum_differences() == []


@settings(
    max_examples=200,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(name=st.sampled_from(NAMES), data=st.data())
def test_a_changed_digit_is_found_in_any_recorded_table(tmp_path, name, data):
    """Whichever digit of whichever table: the file is named, and the cell."""
    text = (ROOT / TABLES / name).read_text()
    places = [match.start() for match in re.finditer(r"[0-9]", text)]
    place = data.draw(st.sampled_from(places))
    digit = data.draw(st.sampled_from([d for d in "0123456789" if d != text[place]]))
    changed = tmp_path / name
    changed.write_text(text[:place] + digit + text[place + 1 :])
    (line,) = verify.differences(changed, ROOT / TABLES / name)
    assert line.startswith(f"{changed}")
    table = pd.read_csv(ROOT / TABLES / name, dtype=str, keep_default_na=False)
    other = pd.read_csv(changed, dtype=str, keep_default_na=False)
    if list(other) != list(table):
        assert "columns" in line
        return
    ((row, column),) = zip(*(table != other).to_numpy().nonzero())
    title = (
        "" if table.columns[column].startswith("Unnamed: 0") else table.columns[column]
    )
    was, now = other.iat[row, column], table.iat[row, column]
    assert line == (
        f"{changed}, line {row + 2}, {title}: {was} recorded, {now} computed"
    )


def test_the_command_names_a_changed_digit_of_each_table(root, capsys):
    for name in NAMES:
        path = root / TABLES / name
        text = path.read_text()
        place = max(text.rfind(digit) for digit in "0123456789")
        changed = str((int(text[place]) + 1) % 10)
        path.write_text(text[:place] + changed + text[place + 1 :])
    with pytest.raises(SystemExit, match=f"{len(NAMES)} of .* {len(NAMES)} from"):
        verify.main()
    printed = capsys.readouterr().out
    for name in NAMES:
        assert re.search(rf"^{TABLES}/{name}, line \d+, .* recorded, ", printed, re.M)
        assert f"{TABLES}/{name}: not the bytes of data/recorded.sha256" in printed


def test_rows_columns_fields_and_files_that_are_missing(root):
    recorded = root / TABLES / "intervals.csv"
    path = root.parent / "made" / "table_2" / "intervals.csv"
    table, text = pd.read_csv(path), path.read_text()
    table.iloc[:-1].to_csv(path, index=False)
    assert "rows recorded" in verify.differences(recorded, path)[-1]
    table.drop(columns="low").to_csv(path, index=False)
    assert "columns what, AU" in verify.differences(recorded, path)[0]
    path.write_text(text.rstrip("\n") + ",1\n")
    assert verify.differences(recorded, path)[0].endswith(": None recorded, 1 computed")
    path.unlink()
    assert "not computed" in verify.differences(recorded, path)[0]


@pytest.mark.parametrize("key", [key for key in ORIGIN if key != "versions"])
def test_another_origin_is_a_fault(root, key):
    recorded = root / TABLES / "intervals.csv"
    computed = root.parent / "made" / "table_2" / "intervals.csv"
    origin_path(computed).write_text(json.dumps(ORIGIN | {key: "another"}))
    ((line,), notes) = verify.origin_differences(recorded, computed)
    name = f"{TABLES}/intervals.origin.json, {key}: "
    assert line == f"{name}{ORIGIN[key]} recorded, another computed"
    assert notes == []


def test_other_versions_are_said_and_no_fault(root, capsys):
    versions = {"versions": {"python": "3.13"}}
    for path in (root.parent / "made" / "table_2").glob("*.origin.json"):
        path.write_text(json.dumps(ORIGIN | versions))
    verify.main()
    printed = capsys.readouterr().out
    assert printed.count("python 3.11 recorded, 3.13 here") == 1


def test_an_origin_that_is_missing_or_damaged_is_a_fault(root):
    recorded = root / TABLES / "intervals.csv"
    computed = root.parent / "made" / "table_2" / "intervals.csv"
    origin_path(computed).unlink()
    assert "not computed" in verify.origin_differences(recorded, computed)[0][0]
    for text in ("{", "[]", "{}"):
        origin_path(recorded).write_text(text)
        assert "damaged" in verify.origin_differences(recorded, computed)[0][0]
    origin_path(recorded).unlink()
    assert "`make record` writes" in verify.origin_differences(recorded, computed)[0][0]


def test_a_file_that_nothing_computes_again_is_known_by_its_checksum(root):
    outputs = root / "data/recorded/standin/training/hog_42/outputs.parquet"
    outputs.parent.mkdir(parents=True)
    outputs.write_bytes(b"5")
    name = outputs.relative_to(root).as_posix()
    (line,) = verify.checksum_differences()
    assert line == f"{name}: not listed in data/recorded.sha256"
    record.write_checksums()
    outputs.write_bytes(b"6")
    (line,) = verify.checksum_differences()
    assert line == f"{name}: not the bytes of data/recorded.sha256"
    outputs.unlink()
    (line,) = verify.checksum_differences()
    assert line == f"{name}: missing, but listed in data/recorded.sha256"


@pytest.mark.parametrize("name", ["_static/explorables/data_a.js", "explorables/a.csv"])
def test_a_changed_digit_of_the_pages_to_try_is_found(root, name):
    path = root / "site" / name
    path.parent.mkdir(parents=True)
    path.write_text("15")
    (path.parent / "page.md").write_text("prose, which is not recorded")
    record.write_checksums()
    assert verify.checksum_differences() == []
    path.write_text("16")
    (line,) = verify.checksum_differences()
    assert line == f"site/{name}: not the bytes of data/recorded.sha256"


def test_what_is_recorded_has_its_checksums():
    assert verify.checksum_differences() == [], "`make record` writes them anew"


def test_the_command_names_what_differs(root, capsys):
    verify.main()
    assert "come out again" in capsys.readouterr().out
    path = root.parent / "made" / "table_2" / "intervals.csv"
    table = pd.read_csv(path, dtype=str)
    table["high"] = "9"
    table.to_csv(path, index=False)
    with pytest.raises(SystemExit, match="1 of .* recorded files differ"):
        verify.main()
    printed = capsys.readouterr().out
    assert printed.count("9 computed") == verify.SHOWN
    assert f"and {len(table) - verify.SHOWN} more in this file" in printed
