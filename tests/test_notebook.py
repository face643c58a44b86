"""Running notebooks with papermill: refused parameters, whole files, equal bytes."""

import json
import subprocess
import sys

import nbformat
import pandas as pd
import papermill
import pytest
import yaml

from aulib.notebook import (
    ROOT,
    execute,
    figure_style,
    load_profile,
    normalise,
    save_figure,
    training_settings,
)


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


def test_a_failed_notebook_never_stands_under_its_final_name(tmp_path):
    source = write_notebook(tmp_path / "bad.ipynb", "x = 1", "1 / 0")
    with pytest.raises(papermill.PapermillExecutionError):
        execute(source, tmp_path / "out.ipynb", {})
    assert not (tmp_path / "out.ipynb").exists()
    assert "ZeroDivisionError" in (tmp_path / "out.failed.ipynb").read_text()


def test_the_command_says_in_one_line_what_failed(tmp_path):
    source = write_notebook(
        tmp_path / "bad.ipynb", "x = 1", "raise ValueError('tree.csv:3: code 7')"
    )
    command = [sys.executable, "-m", "aulib.notebook", source, tmp_path / "out.ipynb"]
    answer = subprocess.run(command, capture_output=True, text=True)
    assert answer.returncode == 1
    last = answer.stderr.strip().split("\n")[-1]
    assert last == "bad.ipynb: ValueError: tree.csv:3: code 7"


@pytest.mark.parametrize("name", ["standin", "bp4d", "tiny"])
def test_profiles_load_and_agree_on_the_papers_numbers(name):
    profile = load_profile(name)
    assert profile["momentum"] == 0.9 and profile["weight_decay"] == 0.0005
    baseline, proposed = profile["models"]["baseline"], profile["models"]["proposed"]
    assert (baseline["learning_rate"], proposed["learning_rate"]) == (0.01, 0.001)
    assert (baseline["scale"], proposed["scale"]) == (1, 2)
    assert baseline["weights"] is None and proposed["weights"] is not None


def test_the_papers_profile_is_the_papers_protocol():
    profile = load_profile("bp4d")
    assert profile["epochs"] == 100 and profile["learning_rate_step"] == 20
    assert profile["crop_size"] == 224 and profile["network_width"] == 1
    assert profile["models"]["proposed"]["weights"] == "imagenet"
    assert len(profile["seeds"]) == 3


def test_an_unknown_profile_names_those_there_are():
    with pytest.raises(ValueError, match="no such profile; there are bp4d, standin"):
        load_profile("bp5d")


@pytest.mark.parametrize(
    "change, message",
    [
        ({"epoch": 3}, "key 'epoch' is unknown"),
        ({"epochs": ...}, "key 'epochs' is missing"),
        ({"models": {"baseline": {}}}, "key 'learning_rate' of model baseline"),
    ],
)
def test_a_wrong_key_is_refused(tmp_path, monkeypatch, change, message):
    profile = yaml.safe_load((ROOT / "notebooks/profiles/standin.yaml").read_text())
    profile = {k: v for k, v in (profile | change).items() if v is not ...}
    monkeypatch.setattr("aulib.notebook.ROOT", tmp_path)
    path = tmp_path / "notebooks" / "profiles" / "mine.yaml"
    path.parent.mkdir(parents=True)
    path.write_text(yaml.safe_dump(profile))
    with pytest.raises(ValueError, match=message):
        load_profile("mine")


def test_training_settings_find_weights_from_the_checkout():
    profile = load_profile("standin")
    proposed = profile["models"]["proposed"]
    weights = training_settings(profile, proposed)["weights"]
    assert weights == ROOT / profile["models"]["proposed"]["weights"]
    profile = load_profile("bp4d")
    proposed = profile["models"]["proposed"]
    assert training_settings(profile, proposed)["weights"] == "imagenet"


def test_figures_are_the_same_bytes_each_time(tmp_path):
    import matplotlib.pyplot as plt

    figure_style()
    for directory in (tmp_path / "a", tmp_path / "b"):
        figure, axes = plt.subplots()
        axes.plot([0, 1], [0, 1], label="x")
        save_figure(figure, directory, "line", pd.DataFrame({"x": [0, 1]}))
        plt.close(figure)
    names = sorted(path.name for path in (tmp_path / "a").iterdir())
    assert names == ["line.csv", "line.pdf", "line.png", "line.svg"]
    for name in names:
        one, other = (tmp_path / k / name for k in "ab")
        assert one.read_bytes() == other.read_bytes(), name


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
