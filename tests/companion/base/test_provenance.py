"""Provenance: facts that equal runs share, and facts that change."""

import hashlib
import json
import os
import platform
import subprocess
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from importlib.metadata import version
from pathlib import Path

import pandas as pd
import pytest
from joblib import cpu_count

from companion.base import provenance
from companion.base.provenance import (
    PACKAGES,
    file_origin,
    join_origins,
    machine_facts,
    stable_provenance,
    table_digest,
    write_provenance,
)


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


def test_an_origin_is_plain_json_and_the_same_for_equal_runs():
    asked = {"data": ["crops b", "crops a", "crops b"], "commits": ["2", "1", "2"]}
    asked |= {"seeds": [44, 42, 42], "models": ["proposed", "baseline", "proposed"]}
    origin = file_origin("tiny", "runs", **asked)
    assert origin == {
        "profile": "tiny",
        "source": "runs",
        "data": ["crops a", "crops b"],
        "models": ["proposed", "baseline"],
        "seeds": [42, 44],
        "commits": ["1", "2"],
        "versions": provenance.versions(),
    }
    assert json.loads(json.dumps(origin)) == origin
    current = machine_facts()["commit"]
    assert current not in json.dumps(origin)


def test_origins_are_joined():
    data = file_origin("tiny", "data", ["crops a"], [7])
    runs = file_origin("tiny", "runs", ["crops a"], [42], ["proposed"], ["abc"])
    joined = join_origins([data, runs, runs])
    assert joined == runs | {"source": "data and runs", "seeds": [7, 42]}
    assert join_origins([runs]) == runs


def test_the_digest_of_a_table_sees_values_names_and_index():
    table = pd.DataFrame({"a": [1, 2]})
    others = [table.rename(columns={"a": "b"}), table.set_axis([1, 0]), table * 2]
    digests = {table_digest(each) for each in (table, table.copy(), *others)}
    assert len(digests) == 4
    assert table_digest(table) == hashlib.sha256(b",a\n0,1\n1,2\n").hexdigest()[:16]


def written(directory: Path) -> dict:
    path = directory / "provenance.json"
    stable = {"seed": 7, "data": "abc"}
    write_provenance(path, stable, machine_facts(), epoch_seconds=1.5)
    return json.loads(path.read_text())


def test_facts_that_change_between_equal_runs_are_kept_apart(tmp_path):
    record = written(tmp_path)
    volatile = record.pop("volatile")
    assert record == {"seed": 7, "data": "abc"}
    assert volatile["epoch_seconds"] == 1.5
    assert volatile["seconds"] >= 0
    assert 30 < volatile["peak_memory_mib"] < 2**20
    assert volatile["system"] == platform.system()
    assert volatile["machine"].endswith(f", {cpu_count()} processors")
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


def commit() -> str:
    return machine_facts()["commit"]


@pytest.fixture
def root(tmp_path, monkeypatch) -> Path:
    """A directory that counts as the checkout; it has no repository yet."""
    directory = tmp_path / "copy" / "checkout"
    directory.mkdir(parents=True)
    (directory / "file").write_text("1")
    monkeypatch.setattr(provenance, "ROOT", directory)
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path))
    return directory


def make_repository(root: Path) -> Callable[..., str]:
    """Make a repository with one commit; gives a function that calls git in it."""

    def git(*words: str) -> str:
        author = ["-c", "user.name=A", "-c", "user.email=a@example.org"]
        command = ["git", "-C", str(root), *author, *words]
        return subprocess.check_output(command, text=True).strip()

    git("init", "--quiet")
    git("add", ".")
    git("commit", "--quiet", "--message", "first")
    return git


def test_the_commit_says_whether_files_were_changed(root):
    git = make_repository(root)
    clean = commit()
    assert len(clean) >= 7 and git("rev-parse", "HEAD").startswith(clean)
    (root / "file").write_text("2")
    assert commit() == f"{clean}-dirty"


def test_a_checkout_reached_by_a_link_has_its_commit(root, monkeypatch, tmp_path):
    git = make_repository(root)
    (tmp_path / "link").symlink_to(root)
    monkeypatch.setattr(provenance, "ROOT", tmp_path / "link")
    assert git("rev-parse", "HEAD").startswith(commit())


def test_a_copy_without_a_repository_has_no_commit(root):
    assert commit().startswith("unknown (fatal: not a git repository")


def test_the_commit_of_a_repository_around_the_copy_is_not_named(root):
    make_repository(root.parent)
    assert commit() == "unknown (not a git checkout, but inside another repository)"
    (root / ".git").mkdir()  # as an archive may leave it; git looks further up
    assert commit() == "unknown (not a git checkout, but inside another repository)"


def test_a_caller_that_works_in_another_repository(root, tmp_path, monkeypatch):
    """As a git hook does, which sets these variables."""
    git = make_repository(root)
    other = tmp_path / "other"
    other.mkdir()
    (other / "file").write_text("other")
    make_repository(other)
    for name in provenance.OF_ANOTHER_REPOSITORY:
        part = {"GIT_WORK_TREE": "", "GIT_INDEX_FILE": ".git/index"}.get(name, ".git")
        monkeypatch.setenv(name, str(other / part))
    found = commit()
    monkeypatch.undo()
    assert git("rev-parse", "HEAD").startswith(found)


def test_a_checkout_of_another_owner_is_called_that(root, monkeypatch):
    make_repository(root)
    monkeypatch.setenv("GIT_TEST_ASSUME_DIFFERENT_OWNER", "1")  # git's own means
    assert commit().startswith("unknown (fatal: detected dubious ownership in")


def test_a_repository_without_a_commit_says_why(root):
    subprocess.run(["git", "init", "--quiet", root], check=True)
    assert commit().startswith("unknown (fatal: ") and "\n" not in commit()


def test_without_git_that_stands_there(root, tmp_path, monkeypatch):
    make_repository(root)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert commit() == "unknown ([Errno 2] No such file or directory: 'git')"


@pytest.mark.parametrize(
    "script, expected",
    [
        ("exit 3", "unknown (git ended with status 3)"),
        ("echo first >&2; echo second >&2; exit 1", "unknown (first)"),
        (r"printf '\377' >&2; exit 1", "unknown (\udcff)"),
        ("exec sleep 60", "unknown (git did not answer in 0.5 s)"),
    ],
)
def test_a_git_that_fails_stops_nothing(tmp_path, monkeypatch, script, expected):
    program = tmp_path / "git"
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    monkeypatch.setattr(provenance, "GIT_SECONDS", 0.5)
    assert written(tmp_path)["volatile"]["commit"] == expected


def test_a_package_without_metadata_is_unknown(monkeypatch):
    monkeypatch.setattr(provenance, "PACKAGES", ("torch", "nosuch"))
    facts = stable_provenance("tiny")
    assert facts["torch"] == version("torch")
    assert facts["nosuch"].startswith("unknown (No package metadata was found for")


def test_a_system_that_does_not_tell_the_memory(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "resource", None)  # as on Windows
    peak = written(tmp_path)["volatile"]["peak_memory_mib"]
    assert peak == "unknown (no module resource)"
