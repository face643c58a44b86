import json
import os
import shutil
from pathlib import Path

import numpy as np
import pytest
from trees import NAMES, OLD, sequence, write_tree

from companion.base.paths import ROOT
from companion.bp4d import AU_NAMES, read_frames
from companion.bp4d.codes import join_codes
from companion.bp4d.folders import PEOPLE, TASKS
from companion.bp4d.layout import Layout, find_layout, find_sequences, tree_state
from companion.standin.labels import make_labels


def test_a_root_that_is_none_is_one_clear_error(tmp_path):
    def complaint(root, error):
        with pytest.raises(error) as caught:
            read_frames(root)
        assert str(root) in str(caught.value) and "\n" not in str(caught.value)
        return str(caught.value)

    assert "data_root" in complaint(tmp_path / "nowhere", FileNotFoundError)
    assert "BP4D-training" in complaint(tmp_path, FileNotFoundError)
    file = tmp_path / "file"
    file.write_text("")
    complaint(file, NotADirectoryError)
    pictures = tmp_path / "BP4D-training" / "F001" / "T1"
    pictures.mkdir(parents=True)
    assert "AU Intensity Codes3.0" in complaint(tmp_path, FileNotFoundError)
    (tmp_path / OLD / "AU06").mkdir(parents=True)
    assert "F001_T1_AU06.csv" in complaint(tmp_path, FileNotFoundError)
    (tmp_path / "AUCoding" / "AU_INT" / "AU06").mkdir(parents=True)
    assert "keep one" in complaint(tmp_path, ValueError)


def test_the_whole_label_set_is_read_as_it_was_written(tmp_path):
    """As many CSVs and frames as BP4D's, of the stand-in's labels; without pictures."""
    labels = make_labels(2018).sort_values(["subject", "task", "frame"])
    (tmp_path / "BP4D-training").mkdir()
    for name in AU_NAMES:
        folder = tmp_path / OLD / name
        folder.mkdir(parents=True)
        for (subject, task), rows in labels.groupby(["subject", "task"]):
            path = folder / f"{subject}_{task}_{name}.csv"
            rows[["frame", name]].to_csv(path, header=False, index=False)
    layout = Layout(tmp_path, tmp_path / "BP4D-training", tmp_path / OLD)
    sequences, problems = find_sequences(layout)
    assert len(sequences) == 328 and not problems
    read = []
    for place in sorted(sequences):
        numbers, codes, coded, problems = join_codes(sequences[place])
        assert coded.all() and not problems
        read.append(np.column_stack([numbers, codes]))
    read = np.concatenate(read)
    assert len(read) > 146_000
    np.testing.assert_array_equal(read, labels[["frame", *AU_NAMES]].to_numpy())


def test_the_known_people_and_tasks_are_the_published_ones():
    published = json.loads((ROOT / "data" / "bp4d_statistics.json").read_text())
    assert list(PEOPLE) == list(published["frames_per_subject"]["value"])
    count = published["frames_per_sequence"]["sequences"]
    assert len(PEOPLE) * len(TASKS) == count == 328


@pytest.mark.parametrize(
    "subject, task, part",
    [
        ("F024", "T1", "all"),
        ("M019", "T1", "pictures"),
        ("F082", "T1", "codes"),
        ("F001", "T9", "codes"),
        ("F001", "T10", "pictures"),
        ("F000", "T1", "codes"),
    ],
)
def test_people_and_tasks_of_another_data_set_are_refused(
    tmp_path, subject, task, part
):
    write_tree(tmp_path, {("F001", "T1"): NAMES}, sequence())
    find_layout(tmp_path)
    if part != "codes":
        write_tree(tmp_path, {(subject, task): NAMES}, {})
    if part != "pictures":
        write_tree(tmp_path, {}, sequence(subject=subject, task=task))
    name = subject if subject != "F001" else task
    for function in (find_layout, read_frames):
        with pytest.raises(ValueError, match=f"{name}: not in BP4D.* BP4D\\+"):
            function(tmp_path)


def complaint(root) -> str:
    with pytest.raises(FileNotFoundError) as caught:
        find_layout(root)
    message = str(caught.value)
    assert message.startswith(f"{root}: ") and "\n" not in message
    return message


@pytest.fixture
def tree(tmp_path):
    root = tmp_path / "data" / "BP4D"
    images = {("F001", "T1"): NAMES, ("M002", "T3"): NAMES}
    write_tree(root, images, sequence() | sequence(subject="M002", task="T3"))
    return root


@pytest.mark.parametrize(
    "name, others",
    [
        ("BP4D-training", ["BP4D-Training", "bp4d training", "Sequences(2D+3D)"]),
        (OLD, ["au intensity codes3.0", "AU Intensity Codes 3.0", "AU_INT", "AUs"]),
        (f"{OLD}/AU06", ["au06", "AU6", "AU 06", "au_6"]),
        ("BP4D-training/M002", ["m002"]),
    ],
)
def test_a_folder_of_another_name_is_to_be_renamed(tree, name, others):
    folder = tree / name
    for sibling in folder.parent.iterdir():  # one of a kind would do
        if sibling.parent != tree and sibling != folder:
            sibling.rename(tree.parent / sibling.name)
    for other in others:
        renamed = folder.rename(folder.with_name(other))
        message = complaint(tree)
        assert f"rename '{renamed.relative_to(tree).as_posix()}'" in message
        last = name.rpartition("/")[2]
        assert message.endswith(f"'{last}'") or message.endswith(f"'{last[0]}001'")
        folder = renamed.rename(folder)
        find_layout(tree)


@pytest.mark.parametrize(
    "root",
    ["..", "BP4D-training", "BP4D-training/F001", "BP4D-training/F001/T1", OLD]
    + [f"{OLD}/AU06"],
)
def test_a_root_too_high_or_too_deep_is_to_be_corrected(tree, root):
    root = (tree / root).resolve()
    message = complaint(root)
    assert message.endswith(f"set data_root to {tree}")
    find_layout(message.rpartition(" set data_root to ")[2])


@pytest.mark.parametrize("name", ["BP4D-training", OLD])
def test_a_folder_within_its_like_is_to_be_moved(tree, name):
    (tree / name).rename(tree / "aside")
    (tree / name).mkdir()
    (tree / "aside").rename(tree / name / name)
    first = "F001" if name == "BP4D-training" else "AU06"
    advice = f"move '{name}/{name}/{first}', and what is beside it, to '{name}'"
    assert advice in complaint(tree)
    for folder in (tree / name / name).iterdir():
        folder.rename(tree / name / folder.name)
    find_layout(tree)


@pytest.mark.parametrize(
    "name", ["F001.zip", "BP4D.7z", "2D.part1.rar", "F001.tar.gz", "BP4D.zip.001"]
)
@pytest.mark.parametrize("part", ["BP4D-training", OLD])
def test_archives_are_to_be_unpacked(tree, part, name):
    (tree / part).rename(tree.parent / "elsewhere")
    (tree / part).mkdir()
    for file in (name, f"0{name}"):
        (tree / part / file).write_bytes(b"x")
    message = complaint(tree)
    assert f"'{part}/0{name}' and 1 more not unpacked" in message
    assert f"{part}/F001" in message or f"{part}/AU06/F001_T1_AU06.csv" in message


def test_occurrences_alone_are_no_intensities(tree):
    (tree / OLD).rename(tree.parent / "elsewhere")
    for folder in ("AUCoding", "AUCoding/AU_OCC"):
        (tree / folder).mkdir()
        (tree / folder / "F001_T1.csv").write_text("0,6,10\n")
        assert "'AUCoding' holds occurrence codes" in complaint(tree)
    (tree / "AUCoding" / "F001_T1.csv").unlink()
    assert "'AUCoding/AU_OCC' holds occurrence codes" in complaint(tree)
    (tree / "AUCoding" / "AU_INT.zip").write_bytes(b"x")
    assert "'AUCoding/AU_INT.zip' not unpacked" in complaint(tree)


def test_csvs_of_all_aus_in_one_folder_are_to_be_sorted(tree):
    for path in [*(tree / OLD).glob("AU*/*.csv")]:
        path.rename(tree / OLD / path.name)
    for name in AU_NAMES:
        (tree / OLD / name).rmdir()
    assert f"'{OLD}/F001_T1_AU06.csv' lies in no AU's folder" in complaint(tree)


def test_pictures_of_bp4d_plus_are_called_that(tree):
    (tree / "BP4D-training" / "M002").rename(tree / "BP4D-training" / "M058")
    (tree / "BP4D-training").rename(tree / "2D+3D")
    assert "'2D+3D' holds M058: not in BP4D" in complaint(tree)


def test_a_root_that_is_not_there_has_its_likeness_named(tree):
    message = complaint(tree.with_name("bp4d "))
    assert message.endswith(f"there is 'BP4D'; set data_root to {tree}")
    link = tree.with_name("link")
    link.symlink_to(tree / "nowhere")
    assert f"a link to {tree / 'nowhere'}, which is not there" in complaint(link)


def test_a_folder_of_other_things_is_described(tmp_path, monkeypatch):
    assert "the folder is empty" in complaint(tmp_path)
    for name in "abcd":
        (tmp_path / name).mkdir()
    assert "it holds 'a', 'b', 'c' and 1 more" in complaint(tmp_path)
    listed = Path.iterdir

    def refuse(path):
        if path in (tmp_path / "a", tmp_path.parent):
            raise PermissionError(13, "Permission denied", str(path))
        return listed(path)

    monkeypatch.setattr(Path, "iterdir", refuse)  # what can't be listed is passed over
    assert "it holds 'a', 'b', 'c' and 1 more" in complaint(tmp_path)


def test_the_state_of_a_tree_changes_with_whatever_is_read(tmp_path):
    write_tree(tmp_path, {("F001", "T1"): NAMES}, sequence())
    states = [tree_state(tmp_path)]
    picture = tmp_path / "BP4D-training" / "F001" / "T1" / "2.jpg"
    picture.write_bytes(picture.read_bytes() + b"x")  # in place
    states.append(tree_state(tmp_path))
    os.utime(picture, (1, 1))
    states.append(tree_state(tmp_path))
    os.rename(picture, picture.with_name("4.jpg"))
    states.append(tree_state(tmp_path))
    (tmp_path / OLD / "AU10" / "F001_T1_AU10.csv").write_text("1,1\n")
    states.append(tree_state(tmp_path))
    assert len(set(states)) == 5
    (tmp_path / "notes.txt").write_text("mine")
    shutil.rmtree(tmp_path / OLD / "AU10")
    assert tree_state(tmp_path) not in states
    with pytest.raises(FileNotFoundError):
        tree_state(tmp_path / "nowhere")
