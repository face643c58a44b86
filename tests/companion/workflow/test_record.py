"""Recording: which files are copied, and what is left alone."""

import hashlib
import subprocess

import numpy as np
import pandas as pd
import pytest
from origins import ORIGIN

from companion.base import paths
from companion.base.grids import load_grid
from companion.workflow import record


def test_every_run_of_the_profile_is_recorded_with_its_provenance():
    copies = record.training_copies("standin")
    names = {f"{t.parent.name}/{t.name}" for t in copies.values()}
    for model in ("baseline", "proposed"):
        for seed in (42, 43, 44):
            assert f"{model}_{seed}/outputs.parquet" in names
            assert f"{model}_{seed}/provenance.json" in names
    assert "standin/training_pairs.csv" in names
    assert "standin/components_by_frames.csv" in names
    assert "standin/spectrum_without.csv" in names
    assert "standin/training_pairs.origin.json" in names
    assert not [name for name in names if name.endswith(".pt")]


def test_finished_runs_of_the_grid_are_recorded_without_a_spectrum(
    tmp_path, monkeypatch
):
    monkeypatch.setattr(paths, "ROOT", tmp_path)  # of run_directory alone
    before = record.training_copies("standin")
    assert all(path.is_relative_to(tmp_path) for path in before)
    assert "hog" in load_grid("table_2")["models"]
    directory = tmp_path / "runs" / "standin" / "training" / "hog_42"
    directory.mkdir(parents=True)
    (directory / "provenance.json").touch()
    added = record.training_copies("standin").keys() - before.keys()
    assert added == {directory / name for name in record.GRID_FILES}


def test_licensed_labels_are_never_recorded():
    with pytest.raises(ValueError, match="profile bp4d: .* licensed"):
        record.training_copies("bp4d")


def test_existing_benchmarks_are_recorded(tmp_path, monkeypatch):
    monkeypatch.setattr(record, "ROOT", tmp_path)
    assert record.benchmark_copies() == {}
    made = tmp_path / "runs" / "bench"
    made.mkdir(parents=True)
    (made / "cpu.csv").touch()
    target = tmp_path / "data" / "benchmarks" / "cpu.csv"
    assert record.benchmark_copies() == {made / "cpu.csv": target}


def test_nothing_is_copied_if_a_file_is_missing(tmp_path):
    (tmp_path / "a").write_text("a")
    copies = {tmp_path / name: tmp_path / "to" / name for name in ("a", "b")}
    with pytest.raises(FileNotFoundError, match="b: no such file; run `make`"):
        record.copy_all(copies)
    assert not (tmp_path / "to").exists()
    (tmp_path / "b").write_text("b")
    record.copy_all(copies)
    assert (tmp_path / "to" / "b").read_text() == "b"


def test_sums_are_recorded_only_if_every_run_is_finished(tmp_path, monkeypatch):
    monkeypatch.setattr(record, "ROOT", tmp_path)
    target = tmp_path / "data" / "recorded" / "standin" / "ablation.parquet"
    target.parent.mkdir(parents=True)
    run = ["baseline", 42]
    sums = {tuple(run): np.ones((2, 3, 5, 6))}

    def said(*of):
        return ORIGIN | {"of": [*of[:2], [list(each) for each in of[2]]]}

    monkeypatch.setattr(record, "runs_origin", said)
    missing = {("proposed", 42): "never begun"}
    monkeypatch.setattr(record, "read_sums", lambda *names: (sums, missing))
    assert not record.record_sums("standin", "ablation")
    assert not target.exists()
    missing.clear()
    assert record.record_sums("standin", "ablation")
    recorded = pd.read_parquet(target)
    assert len(recorded) == 2 * 3 * 5
    assert recorded.attrs["origin"] == ORIGIN | {"of": ["standin", "runs", [run]]}


def test_what_notebooks_make_is_kept_and_a_users_own_notebook_left_alone(
    tmp_path, monkeypatch
):
    notebooks = tmp_path / "notebooks"
    notebooks.mkdir()
    for name in ("00_ours.ipynb", "07_mine.ipynb"):
        (notebooks / name).write_text("old")
    subprocess.run(["git", "init", "-q", tmp_path], check=True)
    subprocess.run(
        ["git", "-C", tmp_path, "add", notebooks / "00_ours.ipynb"], check=True
    )

    def execute(source, target, parameters):
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text("new")
        names = ["figures/one.png", "figures/one.bak", "figures/one.origin.json"]
        names += ["ablation/effects.csv", "ablation/effects.origin.json"]
        for name in names:
            made = target.parents[2] / name
            made.parent.mkdir(exist_ok=True)
            made.write_text(name)

    monkeypatch.setattr(record, "ROOT", tmp_path)
    monkeypatch.setattr(paths, "ROOT", tmp_path)
    monkeypatch.setattr(record, "execute", execute)
    record.record_notebooks(record.tracked_notebooks())
    assert (notebooks / "00_ours.ipynb").read_text() == "new"
    assert (notebooks / "07_mine.ipynb").read_text() == "old"
    figures = sorted(path.name for path in (tmp_path / "figures").iterdir())
    assert figures == ["one.origin.json", "one.png"]
    tables = tmp_path / "data" / "recorded" / "standin" / "tables"
    names = ["effects.csv", "effects.origin.json"]
    assert sorted(path.name for path in tables.iterdir()) == names


def test_checksums_are_those_of_other_tools(tmp_path, monkeypatch):
    monkeypatch.setattr(record, "ROOT", tmp_path)
    for name in ("data/recorded/standin/tables/a.csv", "figures/b.png", "data/c.csv"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(name)
    record.write_checksums()
    lines = (tmp_path / "data" / "recorded.sha256").read_text().splitlines()
    assert [line.split("  ")[1] for line in lines] == [
        "data/recorded/standin/tables/a.csv",
        "figures/b.png",
    ]
    for line in lines:
        digest, name = line.split("  ")
        assert digest == hashlib.sha256(name.encode()).hexdigest()


def test_without_git_nothing_is_copied(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(record, "copy_all", lambda copies: pytest.fail("copied"))
    monkeypatch.setattr(record.sys, "argv", ["record", "standin"])
    monkeypatch.setattr(record, "ROOT", tmp_path)  # no repository
    reason = "git can't list the notebooks, so nothing is recorded: "

    def refused(why: str) -> None:
        with pytest.raises(SystemExit, match=reason + why) as ended:
            record.main()
        assert "\n" not in ended.value.code

    refused("fatal: not a git repository")
    subprocess.run(["git", "init", "-q", tmp_path], check=True)
    refused("it tracks none here; use a clone")
    with monkeypatch.context() as patch:  # git's own switch for its tests
        patch.setenv("GIT_TEST_ASSUME_DIFFERENT_OWNER", "1")
        refused("fatal: detected dubious ownership .* git config --global --add safe")
    monkeypatch.setenv("PATH", str(tmp_path))
    refused(".*No such file or directory: 'git'")
