"""The stand-in on disk: BP4D's shape, reproducible bytes, never half a tree."""

import hashlib
import json
import shutil
import subprocess
import sys
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from turns import wait_its_turn

from companion.bp4d import AU_NAMES
from companion.standin import tree
from companion.standin.muscles import DISTRACTORS

SMALL = {"seed": 5, "frames_per_task": 3, "height": 64, "width": 48}


def few_labels(seed: int) -> pd.DataFrame:
    """Two people, three tasks, five frames each, in the form of `make_labels`."""
    generator = np.random.default_rng(seed)
    rows = []
    for subject in ("F001", "M018"):
        for task, first in (("T1", 2440), ("T2", 1), ("T8", 97)):
            for frame in range(first, first + 5):
                row = {"subject": subject, "task": task, "frame": frame}
                row["split"] = "train" if subject == "F001" else "evaluation"
                for name in AU_NAMES:
                    drawn = generator.uniform(0, 5)
                    row |= {name: int(drawn), f"drawn_{name}": drawn}
                row |= {name: generator.uniform() for name in DISTRACTORS}
                rows.append(row)
    rows[0]["AU14"] = 9
    return pd.DataFrame(rows)


@pytest.fixture(autouse=True)
def _few_labels(monkeypatch):
    monkeypatch.setattr(tree, "make_labels", few_labels)


def write(root, workers=1, **changes):
    tree.write_tree(root, **(SMALL | changes), workers=workers)


def digest(root) -> dict[str, str]:
    return {
        path.relative_to(root).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(root.rglob("*"))
        if path.is_file()
    }


def test_has_the_shape_of_bp4d(tmp_path):
    write(tmp_path / "BP4D")
    labels = few_labels(SMALL["seed"]).set_index(["subject", "task", "frame"])
    seen, lengths = [], set()
    for folder in sorted((tmp_path / "BP4D" / "BP4D-training").glob("*/*")):
        subject, task = folder.parts[-2:]
        pictures = sorted(folder.iterdir(), key=lambda path: int(path.stem))
        frames = [int(path.stem) for path in pictures]
        digits = min(len(path.stem) for path in pictures)
        assert [path.name for path in pictures] == [
            f"{frame:0{digits}d}.jpg" for frame in frames
        ]
        lengths.add(digits)
        assert Image.open(pictures[0]).size == (48, 64)
        for name in AU_NAMES:
            codes = tmp_path / "BP4D" / "AU Intensity Codes3.0" / name
            table = pd.read_csv(codes / f"{subject}_{task}_{name}.csv", header=None)
            assert table[0].tolist() == frames
            rows = [(subject, task, frame) for frame in frames]
            assert table[1].tolist() == labels.loc[rows, name].tolist()
        seen.append((subject, task, len(frames)))
    assert seen == [(s, t, 3) for s in ("F001", "M018") for t in ("T1", "T2", "T8")]
    assert lengths == {3, 4}
    marker = json.loads((tmp_path / "BP4D" / "standin.json").read_text())
    assert marker == SMALL | {"renderer": tree.renderer_hash()}


def test_workers_change_no_byte(tmp_path):
    write(tmp_path / "one", workers=1)
    write(tmp_path / "two", workers=2)
    assert digest(tmp_path / "one") == digest(tmp_path / "two")


def test_a_second_caller_waits_and_uses_the_tree_of_the_first(tmp_path, monkeypatch):
    write(tmp_path / "first")
    monkeypatch.setattr(tree, "map_in_processes", None)  # calling it would fail
    root = tmp_path / "BP4D"
    copy = partial(shutil.copytree, tmp_path / "first", root)
    wait_its_turn(monkeypatch, root, partial(write, root), copy)
    assert digest(root) == digest(tmp_path / "first")


def test_seed_changes_the_pictures(tmp_path):
    write(tmp_path / "one")
    write(tmp_path / "two", seed=6)
    one, two = digest(tmp_path / "one"), digest(tmp_path / "two")
    same = {name for name in one if name.endswith("jpg") and one[name] == two.get(name)}
    assert not same


def test_pictures_do_not_depend_on_the_stride(tmp_path):
    write(tmp_path / "few")
    write(tmp_path / "all", frames_per_task=10**6)
    few, every = digest(tmp_path / "few"), digest(tmp_path / "all")
    pictures = [name for name in few if name.endswith("jpg")]
    assert len(pictures) == 18
    assert sum(name.endswith("jpg") for name in every) == 30
    assert all(few[name] == every[name] for name in pictures)


def test_finished_tree_is_left_alone(tmp_path):
    write(tmp_path)
    for path in tmp_path.rglob("*.jpg"):
        path.write_bytes(b"mark")
    write(tmp_path)
    assert {path.read_bytes() for path in tmp_path.rglob("*.jpg")} == {b"mark"}


def test_a_tree_of_another_renderer_is_begun_anew(tmp_path, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr(tree, "renderer_hash", lambda: "another")
        write(tmp_path)
    mark = next(tmp_path.rglob("*.jpg")).read_bytes()[:999] + b"mark"
    for path in tmp_path.rglob("*.jpg"):
        path.write_bytes(mark)
    write(tmp_path)
    assert mark not in {path.read_bytes() for path in tmp_path.rglob("*.jpg")}


def test_the_hash_covers_every_module_that_a_picture_depends_on():
    """They are the modules of this room that the import of the tree loads."""
    code = "import sys, companion.standin.tree; print(*sys.modules)"
    loaded = subprocess.check_output([sys.executable, "-c", code], text=True).split()
    room = "companion.standin."
    names = {name.removeprefix(room) for name in loaded if name.startswith(room)}
    assert names == set(tree.MODULES)


def test_the_hash_follows_a_modules_source(tmp_path, monkeypatch):
    source = Path(tree.__file__).parent
    for module in tree.MODULES:
        shutil.copy(source / f"{module}.py", tmp_path)
    monkeypatch.setattr(tree, "__file__", str(tmp_path / "tree.py"))
    before = tree.renderer_hash()
    with open(tmp_path / "furrows.py", "a") as file:
        file.write("\nWALL = 0.36\n")
    assert tree.renderer_hash() != before


def test_other_parameters_are_refused(tmp_path):
    write(tmp_path)
    before = digest(tmp_path)
    with pytest.raises(ValueError, match="standin.json: made with .* delete") as error:
        write(tmp_path, seed=6)
    assert "\n" not in str(error.value)
    assert digest(tmp_path) == before


def test_interrupted_tree_is_begun_anew(tmp_path, monkeypatch):
    write(tmp_path / "whole")
    done, real = [], tree._write_pictures

    def interrupted(sequence):
        if len(done) == 2:
            raise KeyboardInterrupt
        done.append(real(sequence))
        return done[-1]

    monkeypatch.setattr(tree, "_write_pictures", interrupted)
    with pytest.raises(KeyboardInterrupt):
        write(tmp_path / "broken")
    assert not (tmp_path / "broken" / "standin.json").exists()
    stray = tmp_path / "broken" / "BP4D-training" / "F001" / "T1" / "1.jpg"
    picture = next((tmp_path / "whole").rglob("*.jpg")).read_bytes()
    stray.write_bytes(picture[: len(picture) // 2])
    monkeypatch.setattr(tree, "_write_pictures", real)
    write(tmp_path / "broken")
    assert digest(tmp_path / "broken") == digest(tmp_path / "whole")


def test_other_directories_are_not_touched(tmp_path):
    (tmp_path / "BP4D-training").mkdir()
    (tmp_path / "BP4D-training" / "precious.jpg").write_bytes(b"x")
    with pytest.raises(ValueError, match="holds files that are not a stand-in's"):
        write(tmp_path)
    assert [path.name for path in tmp_path.rglob("*.jpg")] == ["precious.jpg"]
    (tmp_path / "file").write_text("x")
    with pytest.raises(ValueError, match="is a file"):
        write(tmp_path / "file")


@pytest.mark.parametrize("text", ["{", "[1]", "3", "\xff"])
def test_broken_marker_is_one_line(tmp_path, text):
    write(tmp_path)
    (tmp_path / "standin.json").write_text(text)
    with pytest.raises(ValueError, match="standin.json: no JSON object; delete"):
        write(tmp_path)


@pytest.mark.parametrize("name", ["frames_per_task", "height", "width"])
def test_parameters_out_of_range(tmp_path, name):
    with pytest.raises(ValueError, match=rf"{name} (must be at least \d+, not|is) 0"):
        write(tmp_path / "BP4D", **{name: 0})
    assert not (tmp_path / "BP4D").exists()


def test_people_do_not_share_an_identity():
    subjects = [f"F{i:03d}" for i in range(1, 24)] + [f"M{i:03d}" for i in range(1, 19)]
    people = {subject: tree.subject_identity(5, subject) for subject in subjects}
    assert len({identity.texture for identity in people.values()}) == 41
    assert tree.subject_identity(5, "F001") == people["F001"]
    assert tree.subject_identity(6, "F001") != people["F001"]


def test_command_line_names_an_unknown_profile():
    ended = subprocess.run(
        [sys.executable, "-m", "companion.standin", "nosuch"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 1
    assert "nosuch.yaml: no such file" in ended.stderr
    assert ended.stderr.count("\n") == 1
