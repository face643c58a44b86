"""What the command refuses, in one line each."""

import subprocess
import sys

import pytest

from companion.base.paths import ROOT
from companion.workflow import explorables
from companion.workflow.explorables import write_explorables, write_script


def test_licensed_faces_do_not_go_to_the_site():
    with pytest.raises(
        ValueError, match="profile bp4d: its faces and labels are licen"
    ):
        write_explorables("bp4d", "proposed", 42)


def test_a_model_without_eq_3_is_refused():
    with pytest.raises(ValueError, match="model 'classifier': choose baseline or prop"):
        write_explorables("standin", "classifier", 42)


def test_an_unfinished_run_is_named_with_what_trains_it(monkeypatch, tmp_path):
    monkeypatch.setattr(explorables, "training_directory", lambda *run: tmp_path)
    command = "companion.training standin proposed 7` trains it"
    with pytest.raises(FileNotFoundError, match=f"{tmp_path}: no finished.*{command}"):
        write_explorables("standin", "proposed", 7)


def test_another_training_than_the_recorded_one_is_refused(monkeypatch, tmp_path):
    monkeypatch.setattr(explorables, "training_directory", lambda *run: tmp_path)
    (tmp_path / "provenance.json").write_text("{}")
    (tmp_path / "best.pt").write_bytes(b"other weights")
    problem = f"{tmp_path}/best.pt: another training than the recorded one; `make rec"
    with pytest.raises(ValueError, match=problem):
        write_explorables("standin", "proposed", 42)


def test_a_file_too_large_for_a_page_is_not_written(tmp_path, monkeypatch):
    monkeypatch.setattr(explorables, "LARGEST_FILE", 1000)
    path = tmp_path / "data.js"
    write_script(path, "small", {"faces": [{"a": 1}, {"a": 2}]})
    before = path.read_text()
    with pytest.raises(
        ValueError, match="would have 1,[0-9]{3} bytes, more than 1,000"
    ):
        write_script(path, "large", {"faces": "x" * 1000})
    assert path.read_text() == before


def test_the_command_says_how_it_is_called():
    command = [sys.executable, "-m", "companion.workflow.explorables", "standin"]
    answer = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert answer.returncode == 1
    assert answer.stderr.startswith("usage: python -m companion.workflow.explorables")
