"""The whole graph on the tiny profile: its notebooks, changes, failures, grids."""

import json
import os
import re
import shutil
import subprocess
import sys

import pandas as pd
import pytest

from companion.analysis.runs import read_grid
from companion.base.paths import ROOT, run_directory
from companion.bp4d import AU_NAMES

RUN = run_directory("tiny")
pytestmark = pytest.mark.graph


def snakemake(*arguments: str, profile: str = "tiny") -> str:
    command = [sys.executable, "-m", "snakemake", "--cores", "2", "--nolock"]
    answer = subprocess.run(
        [*command, *arguments, "--config", f"profile={profile}"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        env={**os.environ, "TQDM_DISABLE": "1"},
    )
    assert answer.returncode == 0, answer.stdout[-3000:] + answer.stderr[-3000:]
    return answer.stdout + answer.stderr


def planned(*arguments: str) -> set[str]:
    """The rules that a dry run names."""
    lines = snakemake("-n", "--quiet", "rules", *arguments).splitlines()
    return {line.split()[0] for line in lines if line and line.split()[-1].isdigit()}


@pytest.fixture(scope="module")
def graph():
    shutil.rmtree(RUN, ignore_errors=True)
    before = subprocess.check_output(["git", "status", "--porcelain"], cwd=ROOT)
    snakemake()
    after = subprocess.check_output(["git", "status", "--porcelain"], cwd=ROOT)
    assert before == after, "the graph has written a tracked file"


def test_every_notebook_has_ended(graph):
    names = sorted(path.name for path in (RUN / "notebooks").glob("*.ipynb"))
    assert names == [
        "00_stand_in.ipynb",
        "01_data_cleaning.ipynb",
        "02_pca_dropout.ipynb",
        "03_training_baseline_42.ipynb",
        "03_training_proposed_42.ipynb",
        "04_table_2.ipynb",
        "05_figures.ipynb",
    ]
    assert not list(RUN.rglob("*.failed.ipynb"))


@pytest.mark.parametrize("model", ["baseline", "proposed"])
def test_training_has_learned(graph, model):
    """In some epoch it beats the best constant, whose loss the notebook prints.

    Which epoch that is depends on the processor: at a rate of .01 the tiny baseline's
    loss jumps, and its last epoch may be a bad one.
    """
    directory = RUN / "training" / f"{model}_42"
    metrics = pd.read_csv(directory / "metrics.csv")
    text = (RUN / "notebooks" / f"03_training_{model}_42.ipynb").read_text()
    constant = float(re.search(r"loss of the best constant: ([\d.]+)", text)[1])
    assert metrics["train_loss"].min() < 0.9 * constant
    assert metrics["mean"].max() > 0.2  # a constant answer has 0
    ends_below = metrics["train_loss"].iloc[-1] < constant
    assert ("the training loss ends below it\\n" in text) == ends_below
    assert bool(re.search(r"stalled: it ends at \d", text)) != ends_below
    outputs = pd.read_parquet(directory / "outputs.parquet")
    assert set(AU_NAMES) <= set(outputs) and outputs["epoch"].max() == len(metrics)


def test_figures_have_numbers_and_vectors(graph):
    names = {path.name for path in (RUN / "figures").iterdir()}
    for figure in ("figure_2", "figure_5", "figure_6", "figure_7"):
        assert {f"{figure}.{kind}" for kind in ("png", "svg", "pdf", "csv")} <= names


def test_titles_say_that_the_data_are_a_stand_in(graph):
    svg = (RUN / "figures" / "figure_5.svg").read_text()
    assert "tiny stand-in data" in svg


def test_a_second_call_has_nothing_to_do(graph):
    assert "Nothing to be done" in snakemake("-n")


def test_only_the_rules_that_depend_on_a_change_run_again(graph):
    notebook = RUN / "notebooks" / "03_training_proposed_42.ipynb"
    kept = notebook.read_bytes()
    notebook.unlink()
    assert planned() == {"all", "training", "table_2", "figures", "total"}
    notebook.write_bytes(kept)
    assert "Nothing to be done" in snakemake("-n")  # contents count, not times


def test_a_finished_training_is_read_when_its_notebook_runs_again(graph):
    """Snakemake removes the outputs of a rule that runs again; the run is none."""
    run = RUN / "training" / "proposed_42"
    notebook = RUN / "notebooks" / "03_training_proposed_42.ipynb"
    kept, log = notebook.read_bytes(), (run / "log.txt").read_text()
    outputs = (run / "outputs.parquet").read_bytes()
    notebook.unlink()
    snakemake(str(notebook.relative_to(ROOT)))
    assert (run / "log.txt").read_text() == log  # nothing was trained
    assert (run / "outputs.parquet").read_bytes() == outputs
    assert notebook.read_bytes() == kept


def test_a_training_that_fails_keeps_the_earlier_files(graph):
    """A job that fails must not leave old outputs beside new ones, nor remove any."""
    run = RUN / "training" / "proposed_42"
    kept = {path: path.read_bytes() for path in run.iterdir() if path.is_file()}
    notebook = RUN / "notebooks" / "03_training_proposed_42.ipynb"
    before = notebook.read_bytes()
    notebook.unlink()
    command = [sys.executable, "-m", "snakemake", "--cores", "1", "--nolock"]
    blocked = {**os.environ, "TQDM_DISABLE": "1", "MPLBACKEND": "nonsense"}
    answer = subprocess.run(
        [*command, "--config", "profile=tiny", "--", str(notebook.relative_to(ROOT))],
        cwd=ROOT,
        capture_output=True,
        env=blocked,
    )
    assert answer.returncode != 0 and not notebook.exists()
    assert {path: path.read_bytes() for path in kept} == kept
    notebook.write_bytes(before)
    assert "Nothing to be done" in snakemake("-n")


def test_a_grid_resumes_where_it_was_stopped_and_names_the_run_that_failed(graph):
    """One of three runs fails, the second time too; then it is repaired."""
    blocked = RUN / "training" / "x2-joint_47"
    blocked.write_text("a file where a directory should be")
    command = ["--keep-going", "--config", "profile=tiny", "grid=tiny"]
    answer = grid_call(*command)
    assert answer.returncode != 0
    done = {path.name for path in RUN.glob("grid/*_47.done")}
    assert {"hog_47.done", "x1-joint_47.done"} <= done
    assert "x2-joint_47.done" not in done
    assert answer.stderr.count("Error in rule grid_run") == 2  # it was tried twice
    assert list(read_grid("tiny", "runs", "tiny")[1]) == [("x2-joint", 47)]

    blocked.unlink()
    log = RUN / "training" / "x1-joint_47" / "log.txt"
    before = log.read_text()
    planned = grid_call("-n", "--quiet", "host", *command).stdout
    assert re.search(r"^grid_run +1$", planned, re.M), planned
    answer = grid_call(*command)
    assert answer.returncode == 0, answer.stderr[-3000:]
    assert not read_grid("tiny", "runs", "tiny")[1]
    assert log.read_text() == before  # read, not trained
    answer = grid_call("-n", *command)
    assert "Nothing to be done" in answer.stdout + answer.stderr


def grid_call(*arguments: str) -> subprocess.CompletedProcess:
    command = [sys.executable, "-m", "snakemake", "--cores", "2", "--nolock"]
    return subprocess.run(
        [*command, *arguments, "--", "grid"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        env={**os.environ, "TQDM_DISABLE": "1"},
    )


def test_all_rules_are_planned_for_the_profile_at_the_papers_scale():
    planned = snakemake("-n", "--quiet", "host", profile="standin_gpu")
    for rule, count in [("data", 1), ("pretrain", 1), ("training", 6), ("figures", 1)]:
        assert re.search(rf"^{rule} +{count}$", planned, re.M), planned


def test_provenance_stands_beside_each_run(graph):
    record = json.loads((RUN / "training/proposed_42/provenance.json").read_text())
    assert record["parameters"]["sampler"] == "multinomial"
    assert record["versions"]["torch"]
