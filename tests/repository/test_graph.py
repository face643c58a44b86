"""The whole graph on the tiny profile: its notebooks, changes, failures, grids."""

import json
import os
import re
import shutil
import subprocess
import sys

import pandas as pd
import pytest
import yaml
from checkout import copy_checkout, run, write_profile

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
        "07_icc.ipynb",
        "08_claims.ipynb",
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
    after = {"pca", "table_2", "figures", "icc", "claims"}
    assert planned() == {"all", "training", "total"} | after
    notebook.write_bytes(kept)
    assert "Nothing to be done" in snakemake("-n")  # contents count, not times


@pytest.mark.parametrize("removed", ["training/proposed_42", "crops"])
def test_what_is_removed_by_hand_is_made_again(graph, removed):
    """Messages say "remove it": then the graph must have something to do."""
    directory, aside = RUN / removed, RUN.with_name("tiny_removed")
    os.rename(directory, aside)
    try:
        rules = planned()
    finally:
        os.rename(aside, directory)
    assert ("training" in rules) and ("cleaning" in rules) == (removed == "crops")
    assert "Nothing to be done" in snakemake("-n")


@pytest.mark.parametrize(
    "key, value", [("momentum", 0.8), ("weight_decay", 0.1), ("network_width", 0.25)]
)
def test_a_changed_setting_trains_anew(graph, tmp_path, key, value):
    """The profile's own runs and a grid's."""
    checkout = copy_checkout(tmp_path / "copy")
    (checkout / "runs").symlink_to(ROOT / "runs")
    (checkout / ".snakemake").symlink_to(ROOT / ".snakemake")
    write_profile(checkout, "tiny", {key: value})
    command = ["snakemake", "-n", "--quiet", "host", "--cores", "2", "--nolock"]
    command += ["--config", "profile=tiny", "grid=tiny", "--", "all", "grid"]
    plan = run(checkout, *command).stdout
    assert re.search(r"^training +2$", plan, re.M), plan
    assert re.search(r"^grid_run +3$", plan, re.M), plan


def test_a_grid_of_other_profiles_is_refused_in_one_line(graph):
    command = ["snakemake", "-n", "--cores", "2", "--nolock", "--config"]
    answer = run(ROOT, *command, "profile=tiny", "grid=ablation", "--", "grid")
    assert answer.returncode != 0
    assert "ablation.yaml: profiles: standin, not tiny; add tiny" in answer.stdout


def test_a_grid_plans_each_profiles_crops_and_what_its_jobs_ask_for(tmp_path):
    """On a cluster: GPUs and memory of each job, from the command line and profile."""
    checkout = copy_checkout(tmp_path / "copy")
    grid = yaml.safe_load((checkout / "notebooks/grids/tiny.yaml").read_text())
    grid |= {"profiles": ["tiny", "paper"], "models": {}}
    (checkout / "notebooks/grids/two.yaml").write_text(yaml.safe_dump(grid))
    models = {"proposed": {"weights": "imagenet"}}
    changes = {
        "network_width": 1.0,
        "models": models,
        "crop_size": 224,
        "batch_size": 64,
    }
    write_profile(checkout, "paper", changes)
    command = [
        "snakemake",
        "-n",
        "--cores",
        "2",
        "--nolock",
        "--config",
        "profile=tiny",
    ]
    answer = run(checkout, *command, "grid=two", "gpus=1", "--", "grid")
    plan = answer.stdout
    assert answer.returncode == 0, plan[-2000:] + answer.stderr[-2000:]
    for rule, count in [("cleaning", 1), ("other_profile", 1), ("grid_run", 4)]:
        assert re.search(rf"^{rule} +{count}$", plan, re.M), plan[:2000]
    memory = {int(mib) for mib in re.findall(r"mem_mb=(\d+)", plan)}
    assert len(memory) == 2 and min(memory) < 4000 < 12_000 < max(memory)
    assert "gpu=1" in plan
    for wrong in ("gpus=two", "runtime=long", "processes=0", "processes=-2"):
        answer = run(checkout, *command, "grid=two", wrong, "--", "grid")
        assert answer.returncode != 0
        assert f"{wrong}: a whole number of " in answer.stdout


def test_a_training_that_fails_keeps_the_files_and_is_read_the_next_time(graph):
    """Snakemake removes the outputs of a rule that runs again; a run is none."""
    directory = RUN / "training" / "proposed_42"
    kept = {path: path.read_bytes() for path in directory.iterdir() if path.is_file()}
    notebook = RUN / "notebooks" / "03_training_proposed_42.ipynb"
    before = notebook.read_bytes()
    notebook.unlink()
    command = ["snakemake", "--cores", "1", "--nolock", "--config", "profile=tiny"]
    target = str(notebook.relative_to(ROOT))
    answer = run(ROOT, *command, "--", target, MPLBACKEND="nonsense")
    assert answer.returncode != 0 and not notebook.exists()
    mark = directory / "notebook_03"
    assert {p: p.read_bytes() for p in kept if p != mark} | {mark: b""} == kept
    snakemake(target)
    log = directory / "log.txt"
    assert log.read_bytes() == kept[log]  # nothing was trained
    assert {p: p.read_bytes() for p in kept} == kept
    assert notebook.read_bytes() == before
    assert "Nothing to be done" in snakemake("-n")


def test_a_grid_resumes_where_it_was_stopped_and_names_the_run_that_failed(graph):
    """One of three runs fails, the second time too; then it is repaired."""
    blocked = RUN / "training" / "x2-joint_47" / "parameters.json"
    blocked.parent.mkdir()
    blocked.write_text("{")
    command = ["--keep-going", "--config", "profile=tiny", "grid=tiny"]
    answer = grid_call(*command)
    assert answer.returncode != 0
    done = {path.parent.name for path in RUN.glob("training/*_47/grid")}
    assert done == {"hog_47", "x1-joint_47"}
    assert answer.stderr.count("Error in rule grid_run") == 2  # it was tried twice
    assert "parameters.json: damaged" in answer.stderr and "remove it" in answer.stderr
    assert list(read_grid("tiny", "runs", "tiny")[1]) == [("x2-joint", 47)]
    answer = execute_ablation("slurm")
    assert answer.returncode != 0
    assert "no run is finished: `make ablation PROFILE=tiny GRID=slurm` trains" in (
        answer.stderr
    )
    answer = execute_ablation("tiny")  # two runs of three
    assert answer.returncode == 0, answer.stderr[-2000:]

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
    answer = execute_ablation("tiny")
    assert answer.returncode == 0, answer.stderr[-2000:]
    effects = pd.read_csv(RUN / "ablation" / "effects.csv")
    assert effects.loc[effects["AU"] == "mean", "size"].notna().all()


def execute_ablation(grid: str) -> subprocess.CompletedProcess:
    """Notebook 06 on the runs of a grid."""
    target = RUN / "notebooks" / "06_ablation.ipynb"
    command = ["companion.workflow.execute", "notebooks/06_ablation.ipynb", target]
    options = {"profile": "tiny", "source": "runs", "grid": grid}
    return run(ROOT, *command, *(w for o in options.items() for w in ("-p", *o)))


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
    assert record["ran_on"][-1]["torch"]
