"""The whole graph on a tree as licensees have it, killed twelve times."""

import hashlib
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pandas as pd
import pytest
from checkout import copy_checkout, environment, run, write_profile
from PIL import Image

from companion.bp4d import AU_NAMES
from companion.standin.tree import write_tree

pytestmark = [pytest.mark.stress, pytest.mark.xdist_group("real_tree")]

VOLATILE = ("provenance.json", "log.txt")
"""Files that tell when and where; beside them the curves in `events/`, and locks."""


def write_real_tree(root: Path) -> None:
    """The later distribution's folders, with what real copies of the data set have."""
    made = root.with_name("made")
    write_tree(made, seed=2018, frames_per_task=2, height=348, width=260, workers=2)
    pictures, codes = root / "BP4D", root / "AUCoding" / "AU_INT"
    codes.parent.mkdir(parents=True)
    shutil.move(made / "BP4D-training", pictures)
    shutil.move(made / "AU Intensity Codes3.0", codes)
    shutil.rmtree(made)

    (codes / "AU17" / "M003_T2_AU17.csv").unlink()  # not coded
    for path in (codes / "AU10").glob("F002_T*"):  # unknown all through
        rows = pd.read_csv(path, header=None).assign(code=9)
        rows[[0, "code"]].to_csv(path, header=False, index=False)
    broken = codes / "AU06" / "F003_T1_AU06.csv"
    broken.write_text(broken.read_text() + "12,\n7,7\nend\n")
    coded = codes / "AU12" / "F004_T4_AU12.csv"
    coded.write_bytes(coded.read_text().replace("\n", "\r\n").encode("utf-8-sig"))
    (codes / "AU06" / "Thumbs.db").write_bytes(b"\xd0\xcf\x11\xe0")
    first, *_, last = sorted((pictures / "F005" / "T1").glob("*.jpg"))
    first.write_bytes(first.read_bytes()[:3000])
    last.unlink()
    sequence = pictures / "M001" / "T5"
    for path in sequence.glob("*.jpg"):  # a gray camera
        Image.open(path).convert("L").save(path, quality=92)
    shutil.copy(path, sequence / "9999.jpg")  # without a code
    write_occurrences(root / "AUCoding" / "AU_OCC", codes)


def write_occurrences(folder: Path, codes: Path) -> None:
    folder.mkdir()
    for path in sorted((codes / "AU06").glob("F00*.csv")):
        name = path.stem.removesuffix("_AU06")
        frames = [line.split(",")[0] for line in path.read_text().split()]
        header = ",".join(["0", *(str(int(au[2:])) for au in AU_NAMES)])
        rows = [f"{frame},1,0,1,0,0" for frame in frames]
        (folder / f"{name}.csv").write_text("\n".join([header, *rows]) + "\n")


def write_checkout(directory: Path, tree: Path) -> Path:
    checkout = copy_checkout(directory / "check out")
    shutil.copytree(tree, checkout / "BP4D and more")  # with the times of the files
    changes = {"title": "BP4D", "data_root": "BP4D and more", "standin": None}
    write_profile(checkout, "real", changes | {"epochs": 3, "seeds": [1, 2]})
    return checkout


def digests(checkout: Path) -> dict[str, str]:
    made = checkout / "runs" / "real"
    return {
        str(path.relative_to(made)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(made.rglob("*"))
        if path.is_file()
        and path.name not in VOLATILE
        and path.suffix != ".lock"
        and "events" not in path.parts
    }


GRAPH = ["snakemake", "--cores", "2", "--nolock", "--rerun-incomplete"]
GRAPH += ["--keep-incomplete", "--config", "profile=real"]


def start_and_kill(checkout: Path, seconds: float) -> bool:
    """Start the graph and kill all its processes; whether it ended before that."""
    graph = subprocess.Popen(
        [sys.executable, "-m", *GRAPH],
        cwd=checkout,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env=environment(checkout),
        start_new_session=True,
    )
    try:
        graph.wait(seconds)
        return True
    except subprocess.TimeoutExpired:
        os.killpg(graph.pid, signal.SIGKILL)
        graph.wait()
        time.sleep(3)  # the kernels have sessions of their own, and end by themselves
        return False


def test_twelve_kills_of_the_whole_graph_leave_the_same_files(tmp_path):
    write_real_tree(tmp_path / "tree")
    whole, killed = (
        write_checkout(tmp_path / name, tmp_path / "tree") for name in ("one", "two")
    )
    began = time.monotonic()
    answer = run(whole, *GRAPH)
    assert answer.returncode == 0, answer.stdout[-3000:] + answer.stderr[-3000:]
    duration = time.monotonic() - began
    quarantine = pd.read_csv(whole / "runs" / "real" / "clean" / "quarantine.csv")
    reasons = {"no CSV", "no image", "truncated image", "not two columns"}
    assert reasons <= set(quarantine["reason"])

    draw = random.Random(12)
    kills = [start_and_kill(killed, draw.uniform(6, duration / 4)) for _ in range(12)]
    assert kills.count(False) >= 8, "most of the kills came before the end"
    answer = run(killed, *GRAPH)
    assert answer.returncode == 0, answer.stdout[-3000:] + answer.stderr[-3000:]
    expected, found = digests(whole), digests(killed)
    differing = {name for name in expected if found.get(name) != expected[name]}
    assert not differing and not set(found) - set(expected)
    assert len(expected) > 40
