"""Recorded numbers against those computed."""

import shutil

import pandas as pd
import pytest

from companion.base.paths import ROOT
from companion.workflow import verify

TABLES = ROOT / "data" / "recorded" / "standin" / "tables"


@pytest.fixture
def made(tmp_path):
    """A run whose tables and figures are the recorded ones."""
    for folder in ("table_2", "figures"):
        (tmp_path / folder).mkdir()
    for path in TABLES.glob("*.csv"):
        shutil.copy(path, tmp_path / "table_2")
    for path in (ROOT / "figures").glob("*.csv"):
        shutil.copy(path, tmp_path / "figures")
    return tmp_path


def test_every_recorded_number_is_compared(made):
    pairs = verify.recorded_numbers(made)
    assert set(pairs) == {*TABLES.glob("*.csv"), *(ROOT / "figures").glob("*.csv")}
    assert not any(verify.differences(*pair) for pair in pairs.items())


@pytest.mark.parametrize("name", sorted(path.name for path in TABLES.glob("*.csv")))
def test_a_changed_digit_is_found_in_each_file(made, name):
    path = made / "table_2" / name
    text = path.read_text()
    place = max(text.rfind(digit) for digit in "0123456789")
    changed = str((int(text[place]) + 1) % 10)
    path.write_text(text[:place] + changed + text[place + 1 :])
    (line,) = verify.differences(TABLES / name, path)
    assert line.startswith(f"data/recorded/standin/tables/{name}, line ")
    assert " recorded, " in line and line.endswith(" computed")


def test_rows_columns_and_files_that_are_missing(made):
    name = "intervals.csv"
    table, path = pd.read_csv(TABLES / name), made / "table_2" / name
    table.iloc[:-1].to_csv(path, index=False)
    assert "rows recorded" in verify.differences(TABLES / name, path)[-1]
    table.drop(columns="low").to_csv(path, index=False)
    assert "columns what, AU" in verify.differences(TABLES / name, path)[0]
    path.unlink()
    assert "not computed" in verify.differences(TABLES / name, path)[0]


def test_the_command_names_what_differs(made, monkeypatch, capsys):
    monkeypatch.setattr(verify, "run_directory", lambda profile: made)
    verify.main()
    assert "come out again" in capsys.readouterr().out
    path = made / "table_2" / "intervals.csv"
    table = pd.read_csv(path, dtype=str)
    table["high"] = "9"
    table.to_csv(path, index=False)
    with pytest.raises(SystemExit, match="1 of .* recorded files differ"):
        verify.main()
    printed = capsys.readouterr().out
    assert printed.count("9 computed") == verify.SHOWN
    assert f"and {len(table) - verify.SHOWN} more in this file" in printed
