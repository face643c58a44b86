"""The tool removes and changes no file but its own."""

import itertools
import shutil
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from trees import JPEG

from companion.bp4d import AU_NAMES
from companion.standin import tree
from companion.standin.ownership import CODES, NOTICE, PICTURES

PARAMETERS = {"seed": 5, "frames_per_task": 2, "height": 32, "width": 32}
PICTURE, CODE = f"{PICTURES}/F001/T1", f"{CODES}/AU06/F001_T1_AU06.csv"
LICENCE = "BP4D is licensed to one person. Do not copy.\n"


def few_labels(seed: int) -> pd.DataFrame:
    rows = [(s, t, f) for s in ("F001", "M002") for t in ("T1", "T2") for f in (1, 2)]
    table = pd.DataFrame(rows, columns=["subject", "task", "frame"])
    return table.assign(split="train", **dict.fromkeys(AU_NAMES, 3))


def write(root: Path, renderer: str = "now") -> None:
    """`write_tree` with eight pictures of noise, by a renderer of this name."""
    noise = np.random.default_rng(0).integers(0, 255, (32, 32, 3), dtype=np.uint8)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tree, "make_labels", few_labels)
        patch.setattr(tree, "render_row", lambda *_: noise)
        patch.setattr(tree, "renderer_hash", lambda: renderer)
        tree.write_tree(root, **PARAMETERS, workers=1)


def contents(folder: Path) -> dict[str, object]:
    """What lies under a folder: a file's bytes, a link's target, None for a folder.

    The lock that the tool makes beside its root is left out.
    """
    found = {}
    for path in sorted(folder.glob("**/*")):
        name = path.relative_to(folder).as_posix()
        if path.is_symlink():
            found[name] = path.readlink()
        elif path.suffix != ".lock":
            found[name] = path.read_bytes() if path.is_file() else None
    return found


def refusal(root: Path) -> str:
    """The message of a refused `write_tree`, which leaves everything as it was."""
    before = contents(root.parent)
    with pytest.raises(ValueError) as caught:
        write(root)
    assert contents(root.parent) == before
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.fixture
def outdated(tmp_path) -> Path:
    """A tree that another renderer finished: the next call makes it anew."""
    write(tmp_path / "root", "another")
    return tmp_path / "root"


def test_a_licensed_copy_with_its_own_readme_is_refused(tmp_path):
    root = tmp_path / "BP4D"
    for name in (f"{PICTURE}/2440.jpg", CODE):
        (root / name).parent.mkdir(parents=True)
        (root / name).write_bytes(JPEG)
    (root / "README.txt").write_text(LICENCE)
    assert "holds files that are not a stand-in's, such as AU" in refusal(root)
    link = tmp_path / "link"
    link.symlink_to(root)
    assert f"{link} is a link" in refusal(link)
    (root / "README.txt").write_text(f"{NOTICE}\n")  # even if the notice is there
    assert f"{root / CODE}: not written by this version" in refusal(root)


def test_a_licensed_copy_unpacked_over_a_finished_tree_is_refused(outdated):
    """The names are the same, and the tree's own files are still there."""
    (outdated / PICTURE / "2440.jpg").write_bytes(JPEG)
    told = refusal(outdated)
    assert told.startswith(f"{outdated / PICTURE / '2440.jpg'}: not written by this")
    assert told.endswith(f"rm -r {outdated}; else name another data_root")
    (outdated / PICTURE / "2440.jpg").unlink()
    (outdated / CODE).write_text("2440,3\n")
    assert refusal(outdated).startswith(f"{outdated / CODE}: not written by this")
    shutil.rmtree(outdated)  # what the message says
    write(outdated)


@pytest.mark.parametrize(
    "name", ["notes.txt", f"{PICTURES}/.DS_Store", f"{PICTURE}/1 (copy).jpg"]
)
def test_a_file_of_another_name_is_refused(outdated, name):
    (outdated / name).write_text(NOTICE)
    assert refusal(outdated).startswith(f"{outdated / name}: not written by this")


def test_an_empty_folder_of_another_name_is_refused(outdated):
    (outdated / "mine").mkdir()
    assert refusal(outdated).startswith(f"{outdated / 'mine'}: not written by this")


@pytest.mark.parametrize("name", [PICTURES, PICTURE, CODE, "README.txt"])
def test_a_link_in_the_tree_is_refused(outdated, name):
    moved = outdated.parent / "elsewhere"
    (outdated / name).rename(moved)
    (outdated / name).symlink_to(moved)
    assert refusal(outdated).startswith(f"{outdated / name}: not written by this")


def test_a_finished_tree_may_be_reached_through_a_link(outdated):
    place = outdated.parent / "runs"
    place.symlink_to(outdated.parent)
    told = refusal(place / "root")
    assert f"{place} is a link" in told and f"data_root: {outdated}" in told
    write(outdated)  # what the message says
    before = contents(outdated)
    write(place / "root")
    assert contents(outdated) == before


def test_an_empty_folder_may_be_reached_through_a_link(tmp_path):
    (tmp_path / "disk").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "disk")
    write(tmp_path / "link" / "root")
    assert (tmp_path / "disk" / "root" / "standin.json").is_file()


def test_a_broken_link_is_refused(tmp_path):
    (tmp_path / "link").symlink_to(tmp_path / "nowhere")
    with pytest.raises(ValueError, match="link: is a file or a broken link"):
        write(tmp_path / "link")


def test_notes_in_the_readme_stay(outdated):
    with open(outdated / "README.txt", "a") as file:
        file.write("I keep this for the course.\n")
    written = (outdated / "README.txt").read_bytes()
    write(outdated)
    assert (outdated / "README.txt").read_bytes() == written


def test_a_tree_removed_or_written_in_part_is_begun_anew(tmp_path):
    """The work ends at every fourth of its steps: in a removal, or in a write."""
    write(tmp_path / "whole")
    whole = contents(tmp_path / "whole")
    steps = [(Path, "unlink"), (Path, "rmdir"), (Path, "mkdir"), (tree, "_write_new")]
    for owner, name in steps:
        for last in itertools.count(step=4):
            root = tmp_path / f"{name}_{last}"
            write(root, "another")
            left, real = iter(range(last)), getattr(owner, name)

            def step(path, *more, real=real, left=left, owner=owner, **options):
                if next(left, None) is None:
                    if owner is tree:
                        path.write_bytes(b"")  # the file is open and still empty
                    raise KeyboardInterrupt
                return real(path, *more, **options)

            with pytest.MonkeyPatch.context() as patch:
                patch.setattr(owner, name, step)
                try:
                    write(root)
                    break
                except KeyboardInterrupt:
                    pass
            write(root)
            assert contents(root) == whole
        assert last > 3


@pytest.mark.parametrize("name", ["standin.sha256", "README.txt", "standin.json"])
def test_a_file_of_the_root_that_was_cut_off_is_written_again(tmp_path, name):
    write(tmp_path / "whole")
    whole = contents(tmp_path / "whole")
    content = whole[name]
    for length in (0, 5, 70, len(content) // 2, len(content) - 1):
        root = tmp_path / str(length)
        root.mkdir()
        (root / "README.txt").write_bytes(whole["README.txt"])
        partial = f"{name}.partial" if name == "standin.json" else name
        (root / partial).write_bytes(content[:length])
        write(root)
        assert contents(root).items() >= (whole.items() - {(name, content)})
        assert (root / name).read_bytes().startswith(content[:70])


PATHS = [
    *("README.txt", "standin.json", "standin.json.partial", "standin.sha256"),
    *("notes.txt", ".DS_Store", PICTURES, f"{PICTURES}/a.jpg", f"{PICTURE}/2440.jpg"),
    *(f"{PICTURE}/1.jpg", f"{PICTURE}/001.jpg", f"{PICTURE}/0001.jpg"),
    *(f"{PICTURE}/mine/1.jpg", f"{PICTURES}/F099/T1/1.jpg", CODE, f"{CODES}/x"),
    *(f"{CODES}/AU06/F001_T1_AU10.csv", f"{CODES}/AU01/F001_T1_AU01.csv"),
]
MINE = [JPEG, b"1,3\n", b"{}", LICENCE.encode(), f"{NOTICE}\nMine.\n".encode()]
STARTS = ["nothing", "empty", "finished", "outdated", "no marker", "half"]


def begin(root: Path, start: str) -> None:
    """A root in one of the states that calls of the tool leave."""
    if start == "empty":
        root.mkdir()
    elif start != "nothing":
        write(root, "another" if start == "outdated" else "now")
    if start in ("no marker", "half"):
        (root / "standin.json").unlink()
    if start == "half":
        shutil.rmtree(root / PICTURES / "M002")


def put(path: Path, content: bytes) -> None:
    """Write a user's file, in place of whatever is there."""
    for parent in reversed(path.parents):
        if parent.is_file():
            return
    if path.is_dir():
        shutil.rmtree(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)


@settings(max_examples=150, deadline=None)
@given(
    start=st.sampled_from(STARTS),
    mine=st.dictionaries(st.sampled_from(PATHS), st.sampled_from(MINE), max_size=3),
    link=st.sampled_from(["", "", "", "root", "parent", PICTURES, f"{CODES}/AU06"]),
)
def test_files_of_a_user_stay_whatever_happens(start, mine, link):
    with TemporaryDirectory() as name:
        place = Path(name).resolve() / "place"
        root, elsewhere = place / "root", place.parent / "elsewhere"
        place.mkdir()
        (place / "beside.txt").write_bytes(JPEG)
        begin(root, start)
        for path, content in mine.items():
            put(root / path, content)
        linked = (
            {"root": root, "parent": place}.get(link, root / link) if link else root
        )
        if link and linked.exists():
            linked.rename(elsewhere)
            linked.symlink_to(elsewhere)
        own = {path for path in mine if (root / path).is_file()}
        before = {path: (root / path).read_bytes() for path in own}
        everything = contents(place.parent)
        try:
            write(root)
        except ValueError as error:
            assert "\n" not in str(error)
            assert contents(place.parent) == everything
            assert own or linked.is_symlink()  # there was a reason
        else:
            assert (root / "standin.json").is_file()
        assert {path: (root / path).read_bytes() for path in own} == before
        assert (place / "beside.txt").read_bytes() == JPEG
