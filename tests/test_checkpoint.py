"""Checkpoints that are damaged, foreign or gone; files that are whole or not there."""

import itertools
import shutil

import pandas as pd
import pytest
import torch

from aulib.checkpoint import begin, finish, read_newest, write_epoch
from aulib.files import whole

PARAMETERS = {"model": "proposed", "seed": 7, "learning_rate": 0.001, "weights": None}


def metrics_up_to(epoch: int) -> pd.DataFrame:
    means = [0.1, 0.7, 0.1 / 3, 0.4, 0.5, 0.6]  # the second is the best
    return pd.DataFrame({"epoch": range(1, epoch + 1), "mean": means[:epoch]})


def checkpoint_of(epoch: int, parameters: dict = PARAMETERS) -> dict:
    network = {"weight": torch.full((3,), float(epoch))}
    return {"network": network, "parameters": parameters}


def outputs_of(epoch: int) -> pd.DataFrame:
    return pd.DataFrame({"epoch": epoch, "subject": ["F002"], "task": ["T1"]})


@pytest.fixture
def run(tmp_path):
    """Five epochs, of which the second, the fourth and the fifth have a checkpoint."""
    for epoch in range(1, 6):
        write_epoch(
            tmp_path,
            epoch,
            checkpoint_of(epoch),
            metrics_up_to(epoch),
            outputs_of(epoch),
        )
    return tmp_path


def newest(run, parameters=PARAMETERS):
    """The epoch that is gone on from, and what was said."""
    said = []
    checkpoint = read_newest(run, parameters, said.append)
    metrics = pd.DataFrame(checkpoint["metrics"])
    assert checkpoint["network"]["weight"].unique().item() == len(metrics)
    pd.testing.assert_frame_equal(metrics, metrics_up_to(len(metrics)))
    left = sorted(path.name for path in (run / "epochs").iterdir())
    assert left == [f"{epoch:04d}" for epoch in range(1, len(metrics) + 1)]
    return len(metrics), said


def test_the_last_two_and_the_best_are_kept(run):
    kept = sorted(path.parent.name for path in run.glob("epochs/*/checkpoint.pt"))
    assert kept == ["0002", "0004", "0005"]
    assert len(list(run.glob("epochs/*/outputs.parquet"))) == 5
    assert newest(run) == (5, [])


def test_nothing_is_there(tmp_path):
    assert read_newest(tmp_path, PARAMETERS, print) is None


@pytest.mark.parametrize(
    "name, damage",
    [
        *itertools.product(
            ["checkpoint.pt", "outputs.parquet", "metrics.csv"],
            ["flip", "half", "empty"],
        ),
        ("outputs.parquet", "gone"),  # without a checkpoint it is one that was pruned
        ("metrics.csv", "gone"),
    ],
)
def test_a_damaged_epoch_is_named_and_the_one_before_it_used(run, name, damage):
    path = run / "epochs" / "0005" / name
    content = path.read_bytes()
    middle = len(content) // 2
    flipped = content[:middle] + bytes([content[middle] ^ 1]) + content[middle + 1 :]
    path.unlink()
    if damage != "gone":
        contents = {"flip": flipped, "half": content[:middle], "empty": b""}
        path.write_bytes(contents[damage])
    epoch, said = newest(run)
    assert epoch == 4
    assert len(said) == 1 and "0005" in said[0] and "damaged" in said[0]
    assert "\n" not in said[0]


def test_an_earlier_epochs_outputs_count_as_well(run):
    """Going on after the fifth would leave a hole where the third was."""
    (run / "epochs" / "0003" / "outputs.parquet").write_bytes(b"x")
    epoch, said = newest(run)
    assert epoch == 2 and len(said) == 2 and "0003" in said[0]


def test_the_sums_may_be_gone(run):
    (run / "epochs" / "0005" / "SHA256SUMS").unlink()
    assert newest(run)[0] == 4


def test_a_foreign_checkpoint_is_refused(run):
    shutil.rmtree(run / "epochs" / "0005")
    other = {**PARAMETERS, "learning_rate": 0.1}
    contents = checkpoint_of(5, other), metrics_up_to(5), outputs_of(5)
    write_epoch(run, 5, *contents)
    epoch, said = newest(run)
    assert epoch == 4
    assert "of another run, learning_rate 0.1 not 0.001" in said[0]


def test_something_else_under_the_checkpoints_name(run, tmp_path):
    import pickle

    for content in ([1, 2], {"network": {}}, print):
        folder = run / "epochs" / "0005"
        shutil.rmtree(folder, ignore_errors=True)
        contents = checkpoint_of(5), metrics_up_to(5), outputs_of(5)
        write_epoch(run, 5, *contents)
        (folder / "checkpoint.pt").write_bytes(pickle.dumps(content, protocol=2))
        _sign(folder)
        epoch, said = newest(run)
        assert epoch == 4 and "no checkpoint of a training run" in said[0]


def test_code_in_a_checkpoint_is_not_run(run, tmp_path):
    class Evil:
        def __reduce__(self):
            return (open, (str(tmp_path / "evil"), "w"))

    folder = run / "epochs" / "0005"
    torch.save({"parameters": Evil()}, folder / "checkpoint.pt")
    _sign(folder)
    assert newest(run)[0] == 4
    assert not (tmp_path / "evil").exists()


def _sign(folder) -> None:
    """Make the sums right, as the system's own tool does."""
    import subprocess

    names = ["outputs.parquet", "metrics.csv", "checkpoint.pt"]
    with open(folder / "SHA256SUMS", "w") as file:
        subprocess.run(["sha256sum", *names], cwd=folder, stdout=file, check=True)


def test_no_checkpoint_is_sound(run):
    for path in run.glob("epochs/*/checkpoint.pt"):
        path.write_bytes(b"x")
    with pytest.raises(ValueError, match="no other can be used: remove .*epochs"):
        read_newest(run, PARAMETERS, print)
    assert len(list((run / "epochs").iterdir())) == 5  # nothing has been removed


def test_other_parameters_begin_anew_and_say_what_has_changed(run):
    said = []
    begin(run, PARAMETERS, said.append)
    assert said == [f"{run}: goes on after epoch 5"]
    start = begin(run, {**PARAMETERS, "seed": 8}, said.append)
    assert said[1:] == [f"{run}: begun anew, seed 7 not 8"]
    assert not start.finished and start.checkpoint is None and start.metrics.empty
    assert not (run / "epochs").exists()


def test_a_finished_run_is_read(run):
    finish(run, PARAMETERS, metrics_up_to(5), [])
    best = torch.load(run / "best.pt", weights_only=True)
    assert best["weight"].unique().item() == 2
    assert pd.read_parquet(run / "outputs.parquet")["epoch"].tolist() == [1, 2, 3, 4, 5]
    start = begin(run, PARAMETERS, print)
    assert start.finished
    pd.testing.assert_frame_equal(start.metrics, metrics_up_to(5))


def test_leftovers_of_a_finished_run_are_cleared(run):
    kept = shutil.copytree(run / "epochs", run / "kept")
    finish(run, PARAMETERS, metrics_up_to(5), [])
    kept.rename(run / "epochs")  # as if a kill had come before it was removed
    assert begin(run, PARAMETERS, print).finished
    assert not (run / "epochs").exists()


def test_a_file_is_whole_or_as_it_was(tmp_path):
    path = tmp_path / "file"
    with whole(path) as file:
        file.write(b"first")
    with pytest.raises(ZeroDivisionError), whole(path) as file:
        file.write(b"second")
        raise ZeroDivisionError
    assert path.read_bytes() == b"first"
    assert list(tmp_path.iterdir()) == [path]
