"""Provenance: facts that equal runs share, and facts that change."""

import json
import os
import platform
import subprocess
import time
from datetime import UTC, datetime, timedelta
from importlib.metadata import version
from pathlib import Path

import pytest

from companion.base import provenance
from companion.base.provenance import PACKAGES, stable_provenance, write_provenance


def test_stable_facts_are_text_and_name_every_package():
    facts = stable_provenance("tiny", seed=42, threads=1)
    assert facts.to_dict() == {
        "profile": "tiny",
        "seed": "42",
        "threads": "1",
        "python": ".".join(platform.python_version_tuple()[:2]),
        **{package: version(package) for package in PACKAGES},
    }
    assert {"torch", "torchvision", "numpy"} <= set(PACKAGES)


def written(directory: Path) -> dict:
    path = directory / "provenance.json"
    write_provenance(path, {"seed": 7, "data": "abc"}, epoch_seconds=1.5)
    return json.loads(path.read_text())


def test_facts_that_change_between_equal_runs_are_kept_apart(tmp_path):
    record = written(tmp_path)
    volatile = record.pop("volatile")
    versions = {package: version(package) for package in PACKAGES}
    assert record == {"seed": 7, "data": "abc", "versions": versions}
    assert volatile["epoch_seconds"] == 1.5
    assert volatile["seconds"] >= 0
    assert 30 < volatile["peak_memory_mib"] < 2**20
    assert volatile["system"] == platform.system()
    assert volatile["machine"].endswith(f", {os.cpu_count()} processors")
    assert platform.node() not in volatile.values()
    assert [path.name for path in tmp_path.iterdir()] == ["provenance.json"]


@pytest.fixture
def far_east(monkeypatch):
    monkeypatch.setenv("TZ", "Asia/Tokyo")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


def test_the_time_is_universal(tmp_path, far_east):
    finished = datetime.fromisoformat(written(tmp_path)["volatile"]["finished"])
    assert finished.utcoffset() == timedelta(0)
    assert abs(datetime.now(UTC) - finished) < timedelta(minutes=5)


def test_the_commit_says_whether_files_were_changed(tmp_path, monkeypatch):
    def git(*words: str) -> str:
        author = ["-c", "user.name=A", "-c", "user.email=a@example.org"]
        command = ["git", "-C", str(root), *author, *words]
        return subprocess.check_output(command, text=True).strip()

    def commit() -> str:
        return written(tmp_path)["volatile"]["commit"]

    root = tmp_path / "checkout"
    root.mkdir()
    monkeypatch.setattr(provenance, "ROOT", root)
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path))
    assert commit() == "not a git checkout"
    (root / "file").write_text("1")
    git("init", "--quiet")
    git("add", "file")
    git("commit", "--quiet", "--message", "first")
    assert len(commit()) >= 7 and git("rev-parse", "HEAD").startswith(commit())
    clean = commit()
    (root / "file").write_text("2")
    assert commit() == f"{clean}-dirty"
