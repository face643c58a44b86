"""Provenance: facts that equal runs share, and facts that change."""

import json
import os
import platform
import re
import subprocess
from importlib.metadata import version

import pytest

from companion.base.paths import ROOT
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


@pytest.fixture
def written(tmp_path) -> dict:
    path = tmp_path / "provenance.json"
    write_provenance(path, {"seed": 7, "data": "abc"}, epoch_seconds=1.5)
    assert [p.name for p in tmp_path.iterdir()] == [path.name]
    return json.loads(path.read_text())


def test_what_changes_between_equal_runs_is_kept_apart(written):
    volatile = written.pop("volatile")
    versions = {package: version(package) for package in PACKAGES}
    assert written == {"seed": 7, "data": "abc", "versions": versions}
    assert volatile["epoch_seconds"] == 1.5
    assert volatile["seconds"] >= 0
    assert 30 < volatile["peak_memory_mib"] < 2**20
    assert volatile["system"] == platform.system()
    assert volatile["machine"].endswith(f", {os.cpu_count()} processors")
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", volatile["finished"])
    assert platform.node() not in volatile.values()


def test_the_commit_is_the_one_of_the_checkout(written):
    def commit_of(name: str) -> str:
        command = ["git", "-C", str(ROOT), "rev-parse", f"{name}^{{commit}}"]
        return subprocess.run(command, capture_output=True, text=True).stdout

    commit = written["volatile"]["commit"]
    if commit != "not a git checkout":
        assert commit_of(commit.removesuffix("-dirty")) == commit_of("HEAD") != ""
