"""Running notebooks with papermill: refused parameters, whole files, equal bytes."""

import json
import subprocess
import sys
from pathlib import Path

import nbformat
import papermill
import pytest

from companion.base.paths import ROOT
from companion.workflow import execute as module
from companion.workflow.execute import execute, last_line, normalise


def write_notebook(path, *cells: str):
    """A notebook whose first cell is its parameters cell."""
    notebook = nbformat.v4.new_notebook(
        cells=[nbformat.v4.new_code_cell(source) for source in cells],
        metadata={
            "kernelspec": {
                "name": "python3",
                "display_name": "Python 3",
                "language": "python",
            }
        },
    )
    notebook.cells[0].metadata["tags"] = ["parameters"]
    for number, cell in enumerate(notebook.cells):
        cell["id"] = f"cell-{number}"
    nbformat.write(notebook, path)
    return path


@pytest.fixture
def notebook(tmp_path):
    (tmp_path / "here.txt").write_text("found")
    return write_notebook(
        tmp_path / "small.ipynb",
        'level = 1  # of 0 to 5\nname = "F001"',
        "import sys\nprint(name, level, open('here.txt').read())",
        "sys.stderr.write('\\r 50 %\\r 100 %')",
    )


def outputs_of(path) -> str:
    return json.dumps([c.get("outputs") for c in json.loads(path.read_text())["cells"]])


def test_two_runs_give_the_same_bytes_and_no_progress_bar(notebook, tmp_path):
    targets = [tmp_path / "out" / f"{k}.ipynb" for k in "ab"]
    for target in targets:
        execute(notebook, target, {"level": 3})
    assert targets[0].read_bytes() == targets[1].read_bytes()
    assert "F001 3 found" in outputs_of(targets[0])
    assert "100 %" not in outputs_of(targets[0])
    assert "papermill" not in targets[0].read_text()


def test_default_values_leave_the_notebook_as_it_is(notebook, tmp_path):
    plain, given = tmp_path / "plain.ipynb", tmp_path / "given.ipynb"
    execute(notebook, plain, {})
    execute(notebook, given, {"level": 1, "name": "F001"})
    assert plain.read_bytes() == given.read_bytes()
    assert "injected" not in plain.read_text()


def test_a_misspelt_parameter_is_refused_before_anything_runs(notebook, tmp_path):
    with pytest.raises(ValueError, match="no parameter 'lvel'; it has level, name"):
        execute(notebook, tmp_path / "out.ipynb", {"lvel": 2})
    assert not list(tmp_path.glob("out*"))


def test_a_failed_notebook_never_gets_its_final_name(tmp_path):
    source = write_notebook(tmp_path / "bad.ipynb", "x = 1", "1 / 0")
    with pytest.raises(papermill.PapermillExecutionError):
        execute(source, tmp_path / "out.ipynb", {})
    assert not (tmp_path / "out.ipynb").exists()
    assert "ZeroDivisionError" in (tmp_path / "out.failed.ipynb").read_text()


def test_the_command_reports_a_failure_in_its_last_line(tmp_path):
    source = write_notebook(
        tmp_path / "bad.ipynb", "x = 1", "raise ValueError('tree.csv:3: code 7')"
    )
    execute = [sys.executable, "-m", "companion.workflow.execute"]
    command = [*execute, source, tmp_path / "out.ipynb"]
    answer = subprocess.run(command, capture_output=True, text=True, cwd=ROOT)
    assert answer.returncode == 1
    last = answer.stderr.strip().split("\n")[-1]
    assert last == "bad.ipynb: ValueError: tree.csv:3: code 7"


def test_the_commands_parameters_are_yaml(tmp_path, monkeypatch):
    calls = []
    monkeypatch.setattr(module, "execute", lambda *arguments: calls.append(arguments))
    words = "execute a.ipynb b.ipynb -p level 3 -p name F001 -p interactive true"
    monkeypatch.setattr(sys, "argv", words.split())
    module.main()
    values = {"level": 3, "name": "F001", "interactive": True}
    assert calls == [(Path("a.ipynb"), Path("b.ipynb"), values)]


def test_the_last_line_of_an_error_has_no_colours():
    error = RuntimeError("Traceback\n\x1b[31mValueError\x1b[39m: code 7\n\n")
    assert last_line(error) == "ValueError: code 7"


def test_text_in_pieces_is_joined():
    def text(name, *lines):
        return {"output_type": "stream", "name": name, "text": list(lines)}

    picture = {"output_type": "display_data", "data": {}}
    outputs = [
        text("stdout", "a\n", "b"),
        text("stdout", "c\n"),
        picture,
        text("stdout", "d\n"),
        text("stderr", "warning\n"),
        text("stderr", "bar \r"),
        text("stderr", "another\n"),
    ]
    cell = {"cell_type": "code", "metadata": {}, "outputs": outputs}
    notebook = {"metadata": {"kernelspec": {}}, "cells": [cell]}
    assert normalise(notebook)["cells"][0]["outputs"] == [
        text("stdout", "a\n", "bc\n"),
        picture,
        text("stdout", "d\n"),
        text("stderr", "warning\n", "another\n"),
    ]
