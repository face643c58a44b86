import numpy as np
import pytest
from trees import OLD

from companion.bp4d import AU_NAMES, read_frames
from companion.bp4d.codes import join_codes
from companion.bp4d.layout import Layout, find_sequences
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
