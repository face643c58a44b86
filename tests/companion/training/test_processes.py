"""Two processes that talk over gloo against one, and what a small GPU is told."""

import io
import json
import os
import shutil
import subprocess
import sys
from contextlib import redirect_stdout
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import torch
from accelerate import notebook_launcher
from accelerate.utils import patch_environment
from faults import OPTIONS, PROCESSES, RESULTS, Boundaries, small_network
from torch import nn

import companion.methods.objective
from aulib.model import build_model, features
from companion.base.files import InUse, lock
from companion.base.paths import ROOT, run_directory, training_directory
from companion.bp4d import AU_NAMES
from companion.crops.store import CropStore
from companion.training import loop
from companion.training.device import (
    Bfloat16,
    execution_facts,
    open_accelerator,
    prepare,
)
from companion.training.loop import Settings, predict, train_epoch
from companion.training.microbatches import microbatches
from companion.training.outputs import OUTPUT_NAMES
from companion.training.run import train

FRAMES, BATCH = 31, 6  # the last batch has one frame: less than there are processes


def without_dropout(*arguments, **named) -> nn.Module:
    network = small_network(*arguments, **named)
    network.classifier[0] = nn.Identity()
    return network


def smooth_l1(outputs, targets, batch):
    return nn.functional.smooth_l1_loss(outputs, targets)


def float64_epoch(folder: Path, accumulation: int) -> None:
    """Train a small network in float64 without dropout; its weights go to a file."""
    accelerator = open_accelerator()
    rank, ranks = accelerator.process_index, accelerator.num_processes
    torch.manual_seed(0)
    inputs = torch.randn(FRAMES, 6, dtype=torch.float64)
    targets = torch.randn(FRAMES, 5, dtype=torch.float64)
    network = nn.Sequential(nn.Linear(6, 7), nn.Tanh(), nn.Linear(7, 5)).double()
    optimizer = torch.optim.SGD(network.parameters(), lr=0.1, momentum=0.9)
    prepared = accelerator.prepare_model(network)
    loss = 0.0
    for _ in range(3):
        batches = (
            (inputs[part.positions], targets[part.positions], part)
            for part in microbatches(FRAMES, BATCH, accumulation, rank, ranks)
        )
        loss = train_epoch(accelerator, prepared, optimizer, batches, smooth_l1)
    torch.save(
        (network.state_dict(), loss), folder / f"{ranks}_{accumulation}_{rank}.pt"
    )


def training(crops: Path, run: Path, at: str = "") -> None:
    """`train` without dropout; the first process dies when it writes the file `at`."""
    torch.set_num_threads(1)
    os.environ["TQDM_DISABLE"] = "1"
    companion.methods.objective.build_model = without_dropout
    store = CropStore(crops)
    if at and os.environ.get("RANK", "0") == "0":
        sys.addaudithook(Boundaries(run, at, "kill"))
    metrics = train(store, run, Settings(**OPTIONS))
    rank = os.environ.get("RANK", "0")
    metrics.to_csv(run.with_name(f"{run.name}_{rank}.csv"), index=False)


def launch(function, arguments: tuple, processes: int, pipe) -> None:
    """In a fresh process, whose forks can't hang."""
    threads = torch.get_num_threads()  # Accelerate would make it 1
    quiet = redirect_stdout(io.StringIO())  # it calls processors CUDA devices
    try:
        if processes == 1:
            function(*arguments)
        else:
            with quiet, patch_environment(omp_num_threads=threads):
                notebook_launcher(
                    function,
                    arguments,
                    num_processes=processes,
                    rdzv_backend="c10d",
                    rdzv_endpoint="localhost:0",  # a free port
                )
    except Exception as error:
        pipe.send(repr(error))
    else:
        pipe.send("")


def run_in(processes: int, function, *arguments) -> str:
    """Call the function in so many processes; the error, or an empty text."""
    receiver, sender = PROCESSES.Pipe(duplex=False)
    process = PROCESSES.Process(
        target=launch, args=(function, arguments, processes, sender)
    )
    process.start()
    answer = receiver.recv()
    process.join()
    return answer


def test_two_processes_step_as_one(tmp_path):
    """The mean of a batch is the same number however it is parted, to 1e-9."""
    for processes, accumulation in [(1, 1), (1, 4), (2, 1), (2, 2)]:
        assert run_in(processes, float64_epoch, tmp_path, accumulation) == ""
    expected, loss = torch.load(tmp_path / "1_1_0.pt")
    for name in ("1_4_0", "2_1_0", "2_1_1", "2_2_0", "2_2_1"):
        weights, other = torch.load(tmp_path / f"{name}.pt")
        assert abs(other - loss) < 1e-9, name
        for key in expected:
            assert (weights[key] - expected[key]).abs().max() < 1e-9, (name, key)


@pytest.fixture(scope="module")
def runs(store, tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs")
    for processes in (1, 2):
        run = folder / f"by_{processes}"
        assert run_in(processes, training, store.directory, run) == ""
    return folder


def test_two_processes_train_and_evaluate_as_one(runs, store):
    one, two = (pd.read_parquet(runs / f"by_{n}" / "outputs.parquet") for n in (1, 2))
    names = ["epoch", "subject", "task", "frame", *AU_NAMES]
    pd.testing.assert_frame_equal(one[names], two[names])  # every frame once
    outputs = list(OUTPUT_NAMES)
    np.testing.assert_allclose(two[outputs], one[outputs], rtol=1e-3, atol=1e-4)
    assert (one[outputs].to_numpy() != two[outputs].to_numpy()).any()
    evaluation = (store.index["split"] == "evaluation").sum()
    assert evaluation % 2 == 0 and len(two) == OPTIONS["epochs"] * evaluation


def test_all_processes_have_the_metrics(runs):
    first, second = (runs / f"by_2_{rank}.csv" for rank in (0, 1))
    assert first.read_bytes() == second.read_bytes()
    assert first.read_bytes() == (runs / "by_2" / "metrics.csv").read_bytes()


@pytest.mark.parametrize("processes", [2, 3])
def test_processes_that_die_go_on_to_the_same_bytes(runs, store, tmp_path, processes):
    """From three on the order counts in which gradients are added up."""
    whole, run = runs / f"by_{processes}", tmp_path / "run"
    if processes == 3:
        assert run_in(3, training, store.directory, whole) == ""
    third = "checkpoint_0003.pt.partial"
    died = run_in(processes, training, store.directory, run, third)
    assert "ChildFailedError" in died
    assert 0 < len(list(run.glob("checkpoint_????.pt"))) < OPTIONS["epochs"]
    assert run_in(processes, training, store.directory, run) == ""
    for name in RESULTS:
        assert (run / name).read_bytes() == (whole / name).read_bytes()


def prediction(crops: Path, folder: Path) -> None:
    """What each process is told of so many frames that some have none of their own."""
    accelerator, store = open_accelerator(), CropStore(crops)
    torch.manual_seed(0)
    network = without_dropout("")
    for count in (1, 5, 15):
        rows = np.arange(48)[::3][:count]
        outputs = predict(accelerator, network, store, rows)
        rank, ranks = accelerator.process_index, accelerator.num_processes
        np.save(folder / f"{count}_{ranks}_{rank}.npy", outputs)


def test_each_process_predicts_its_part_and_knows_all(store, tmp_path):
    for processes in (1, 2, 3):
        assert run_in(processes, prediction, store.directory, tmp_path) == ""
    for count in (1, 5, 15):
        expected = np.load(tmp_path / f"{count}_1_0.npy")
        assert expected.shape == (count, 5)
        for name in ("2_0", "2_1", "3_0", "3_1", "3_2"):
            found = np.load(tmp_path / f"{count}_{name}.npy")
            np.testing.assert_allclose(found, expected, atol=1e-5)


def too_large(crops: Path, run: Path) -> None:
    """`train` where a share of a batch does not fit into memory."""
    companion.methods.objective.build_model = lambda *_, **__: gluttonous_network(2)
    train(CropStore(crops), run, Settings(**{**OPTIONS, "batch_size": 16}))


def test_out_of_memory_is_told_by_several_processes_too(store, tmp_path):
    answer = run_in(2, told, too_large, store.directory, tmp_path)
    assert answer == ""
    for rank in (0, 1):
        said = (tmp_path / f"told_{rank}").read_text()
        assert "a step of 16 frames of 32 x 32" in said and "`accumulation`" in said


def told(function, crops: Path, folder: Path) -> None:
    """What the function's error says goes to a file of the process."""
    with pytest.raises(torch.OutOfMemoryError) as error:
        function(crops, folder / "run")
    rank = os.environ["RANK"]
    (folder / f"told_{rank}").write_text(str(error.value))


def differing(crops: Path, run: Path) -> None:
    """Each process has a seed of its own."""
    companion.methods.objective.build_model = without_dropout
    seed = int(os.environ["RANK"])
    with pytest.raises(ValueError, match="the processes differ: seed"):
        train(CropStore(crops), run, Settings(**{**OPTIONS, "seed": seed}))
    assert not run.exists()


def test_processes_with_different_settings_train_nothing(store, tmp_path):
    assert run_in(2, differing, store.directory, tmp_path / "run") == ""


def refused(crops: Path, run: Path) -> None:
    with pytest.raises(InUse, match="run: another process works on this"):
        train(CropStore(crops), run, Settings(**OPTIONS))
    assert not run.exists()


def test_every_process_is_told_that_another_one_trains_the_run(store, tmp_path):
    with lock(tmp_path / "run"):
        assert run_in(2, refused, store.directory, tmp_path / "run") == ""


def gluttonous_network(limit: int) -> nn.Module:
    """It runs out of memory at more frames than its limit."""
    network = without_dropout("")

    def refuse(module, inputs):
        if len(inputs[0]) > limit:
            raise torch.OutOfMemoryError("out of memory")

    network.register_forward_pre_hook(refuse)
    return network


def gluttonous(monkeypatch, limit: int) -> None:
    def build(*arguments, **named):
        return gluttonous_network(limit)

    monkeypatch.setattr(companion.methods.objective, "build_model", build)


def test_out_of_memory_says_what_to_do(store, tmp_path, monkeypatch):
    gluttonous(monkeypatch, 3)
    settings = Settings(**{**OPTIONS, "batch_size": 16})
    advice = r"cpu: a step of 16 frames of 32 x 32 .* multiply `accumulation`"
    with pytest.raises(torch.OutOfMemoryError, match=advice) as error:
        train(store, tmp_path, settings)
    assert str(error.value.__cause__) == "out of memory"
    # the advice is right, and the evaluation has a message of its own
    settings = replace(settings, accumulation=8)
    with pytest.raises(torch.OutOfMemoryError, match="cpu: the evaluation did not fit"):
        train(store, tmp_path, settings)
    monkeypatch.setattr(loop, "EVALUATION_BATCH", 3)
    assert len(train(store, tmp_path, settings)) == 4


@pytest.mark.parametrize(
    "device, supported, expected",
    [
        ("cuda", True, "bfloat16"),
        ("cuda", False, "float32"),
        ("cpu", True, "float32"),
    ],
)
def test_the_precision_is_that_of_the_network(monkeypatch, device, supported, expected):
    bfloat16 = {"is_bf16_supported": lambda including_emulation: supported}
    for name, answer in (bfloat16 | {"get_device_name": lambda _: "H100"}).items():
        monkeypatch.setattr(torch.cuda, name, answer)
    accelerator = SimpleNamespace(
        device=torch.device(device), num_processes=1, prepare_model=lambda model: model
    )
    facts = execution_facts(accelerator)
    assert facts["precision"] == expected
    assert facts["device"] == ("H100" if device == "cuda" else "cpu")
    network = prepare(accelerator, without_dropout(""), 32)
    assert isinstance(network, Bfloat16) == (expected == "bfloat16")


def test_in_bfloat16_the_last_layer_is_still_in_float32():
    """On the processor here, which can do it as well, slowly."""
    torch.manual_seed(0)
    network = build_model("baseline", width=0.125).eval()
    images = torch.randn(8, 3, 32, 32)
    with torch.inference_mode():
        expected, outputs = network(images), Bfloat16(network)(images)
        values = features(network, images)
    assert outputs.dtype == torch.float32
    assert (outputs != outputs.bfloat16().float()).any()  # no steps of 1/256
    assert not torch.equal(outputs, expected)  # the features are coarser
    scale = values.norm(dim=1) * network.classifier[6].weight.norm()
    assert ((outputs - expected).abs().amax(dim=1) < 0.02 * scale).all()


@pytest.mark.parametrize("count", [1, 5, 16])
def test_prediction_answers_for_every_frame(store, count):
    network = without_dropout("")
    rows = np.arange(48)[::3][:count]
    accelerator = open_accelerator()
    whole = predict(accelerator, network, store, rows)
    parts = predict(accelerator, network, store, rows, 4)
    assert whole.shape == (count, 5) and whole.dtype == torch.float32
    np.testing.assert_allclose(whole, parts, atol=1e-5)


@pytest.fixture(scope="module")
def tiny() -> None:
    """The crops of the tiny profile."""
    notebook = ["companion.workflow.execute", "notebooks/01_data_cleaning.ipynb"]
    target = str(run_directory("tiny") / "notebooks" / "01_data_cleaning.ipynb")
    shell("-m", "companion.standin", "tiny")
    shell("-m", *notebook, target, "-p", "profile", "tiny")


def shell(*arguments: str) -> None:
    subprocess.run(
        [sys.executable, *arguments],
        cwd=ROOT,
        check=True,
        capture_output=True,
        env={**os.environ, "TQDM_DISABLE": "1", "OMP_NUM_THREADS": "1"},
    )


@pytest.mark.stress
@pytest.mark.xdist_group("tiny")  # who makes and reads runs/tiny
def test_one_run_by_a_notebook_alone_by_two_processes_and_from_a_shell(tiny, tmp_path):
    """Three runs of one seed; the first two executed notebooks, the third a shell's."""
    run = training_directory("tiny", "proposed", 47)
    arguments = ["-p", "profile", "tiny", "-p", "seed", "47", "-p", "processes"]
    made = {}
    for processes in ("1", "2", "shell"):
        shutil.rmtree(run, ignore_errors=True)
        target = tmp_path / f"{processes}.ipynb"
        if processes == "shell":
            arguments_of = ["tiny", "proposed", "47", "--processes", "2"]
            shell("-m", "companion.training", *arguments_of)
        else:
            notebook = [
                "companion.workflow.execute",
                "notebooks/03_training.ipynb",
                str(target),
            ]
            shell("-m", *notebook, *arguments, processes)
            assert "the training loss ends below it" in target.read_text()
        record = json.loads((run / "provenance.json").read_text())
        assert record["ran_on"][0]["processes"] == (1 if processes == "1" else 2)
        made[processes] = pd.read_csv(run / "metrics.csv")
    shutil.rmtree(run)
    pd.testing.assert_frame_equal(made["2"], made["shell"])  # the same bits
    one, two = made["1"]["train_loss"], made["2"]["train_loss"]
    # other masks of dropout, and half as many frames of a step in each process
    np.testing.assert_allclose(one, two, rtol=0.2)
    assert (one != two).any()
