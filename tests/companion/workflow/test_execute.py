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


LINGERING = """
import time
session = get_ipython().kernel.session
def linger(stream, message, *arguments, send=session.send, pause=time.sleep, **options):
    sent = send(stream, message, *arguments, **options)
    if message == "kernel_info_reply":  # papermill's last question
        pause(2)
    return sent
session.send = linger
"""


def test_an_interrupt_at_the_kernels_end_is_no_error(tmp_path):
    """jupyter_client interrupts a kernel that may still be at its last answer."""
    notebook = write_notebook(tmp_path / "n.ipynb", "level = 1", LINGERING)
    command = [sys.executable, "-m", "companion.workflow.execute"]
    answer = subprocess.run(
        [*command, notebook, tmp_path / "out.ipynb"], capture_output=True, text=True
    )
    assert answer.returncode == 0 and "done in" in answer.stdout
    assert "KeyboardInterrupt" not in answer.stderr + answer.stdout


PLOT = """
import matplotlib.pyplot as plt
from companion.base.figures import figure_style
figure_style()
"""


def test_pictures_do_not_depend_on_the_users_matplotlib(tmp_path, monkeypatch):
    cells = "level = 1", PLOT, "plt.plot([0, 1], [1, 0], label='x')\nplt.show()"
    notebook = write_notebook(tmp_path / "n.ipynb", *cells)
    execute(notebook, tmp_path / "plain.ipynb", {})
    assert outputs_of(tmp_path / "plain.ipynb").count("image/png") == 1

    monkeypatch.setenv("MPLBACKEND", "Agg")
    execute(notebook, tmp_path / "agg.ipynb", {})
    monkeypatch.delenv("MPLBACKEND")
    settings = tmp_path / "matplotlibrc"
    settings.write_text("backend: svg\nlines.linewidth: 9\nimage.cmap: hot\n")
    monkeypatch.setenv("MATPLOTLIBRC", str(settings))
    profile = tmp_path / "ipython" / "profile_default"
    profile.mkdir(parents=True)
    (profile / "ipython_kernel_config.py").write_text(
        "c.InlineBackend.figure_formats = {'svg'}\n"
        "c.InlineBackend.rc = {'figure.dpi': 30}\n"
    )
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path / "ipython"))
    execute(notebook, tmp_path / "theirs.ipynb", {})
    plain = (tmp_path / "plain.ipynb").read_bytes()
    assert (tmp_path / "agg.ipynb").read_bytes() == plain
    assert (tmp_path / "theirs.ipynb").read_bytes() == plain
