"""What counts as memory that is short, and what is said about it."""

from types import SimpleNamespace

import faults
import pytest
import torch

import companion.methods.objective
from companion.analysis.features import extract_features
from companion.training import device, loop
from companion.training.device import memory_advice, out_of_memory
from companion.training.loop import Settings
from companion.training.run import train

SIZES = ("WORLD_SIZE", "PMI_SIZE", "OMPI_COMM_WORLD_SIZE", "MV2_COMM_WORLD_SIZE")


RANKS = ("RANK", "PMI_RANK", "OMPI_COMM_WORLD_RANK", "MV2_COMM_WORLD_RANK")


@pytest.fixture
def nothing_left(monkeypatch):
    for name in (*SIZES, *RANKS, "LOCAL_RANK", "MASTER_ADDR"):
        monkeypatch.delenv(name, raising=False)


@pytest.mark.parametrize("name", [*SIZES, "LOCAL_RANK"])
@pytest.mark.parametrize("more", [{}, {"MASTER_ADDR": "node7"}])
def test_a_launchers_variable_that_is_left_over_is_one_line(
    monkeypatch, nothing_left, name, more
):
    """An address alone makes Accelerate wait for the others without end."""
    for key, value in (more | {name: "4"}).items():
        monkeypatch.setenv(key, value)
    message = f"^{name}=4: left over from other work, .*; `unset {name}`, or start "
    with pytest.raises(ValueError, match=message):
        device.open_accelerator()
    monkeypatch.setenv(name, "-1" if name == "LOCAL_RANK" else "1")
    assert device.open_accelerator().num_processes == 1


def test_all_that_is_left_over_is_unset_at_once(monkeypatch, nothing_left):
    for name in ("WORLD_SIZE", "LOCAL_RANK", "RANK"):  # but no address
        monkeypatch.setenv(name, "2")
    with pytest.raises(ValueError, match="`unset WORLD_SIZE LOCAL_RANK`, or") as told:
        device.open_accelerator()
    assert "WORLD_SIZE=2, LOCAL_RANK=2" in str(told.value)
    assert "\n" not in str(told.value)


@pytest.mark.parametrize("size, rank", [*zip(SIZES, RANKS, strict=True)])
def test_a_process_that_a_launcher_has_started_is_not_refused(
    monkeypatch, nothing_left, size, rank
):
    """Whatever else a cluster sets; test_processes.py has real launchers."""
    launched = {"PMI_SIZE": "8", size: "2", rank: "0", "LOCAL_RANK": "0"}
    for name, value in (launched | {"MASTER_ADDR": "127.0.0.1"}).items():
        monkeypatch.setenv(name, value)
    device.refuse_leftovers()


def test_a_gpu_is_used_with_deterministic_algorithms(monkeypatch):
    asked = {}
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.backends.cudnn, "deterministic", False)
    monkeypatch.setattr(device, "Accelerator", lambda **options: asked.update(options))
    device.open_accelerator()
    assert asked == {"cpu": False, "mixed_precision": "no"}
    assert torch.backends.cudnn.deterministic


CPU = SimpleNamespace(device=torch.device("cpu"))

SHORT = [
    torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 MiB."),
    RuntimeError("CUDA error: out of memory\nCUDA kernel errors might be reported"),
    RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate`"),
    RuntimeError("cuDNN error: CUDNN_STATUS_ALLOC_FAILED"),
    RuntimeError("cuDNN error: CUDNN_STATUS_INTERNAL_ERROR_DEVICE_ALLOCATION_FAILED"),
    RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate"),
    RuntimeError("DefaultCPUAllocator: not enough memory: you tried to allocate 9"),
    MemoryError(),
]
OTHERS = [
    RuntimeError("cuDNN error: CUDNN_STATUS_NOT_SUPPORTED. This error may appear if"),
    RuntimeError("GET was unable to find an engine to execute this computation"),
    RuntimeError("CUDA error: CUBLAS_STATUS_NOT_SUPPORTED when calling `cublasLt`"),
    RuntimeError("CUDA error: an illegal memory access was encountered"),
    RuntimeError(
        "CUDA error: no kernel image is available for execution on the device"
    ),
    ValueError("out of memory"),
]


@pytest.mark.parametrize("error", SHORT)
def test_memory_that_is_short_is_told_with_its_cause(error):
    assert out_of_memory(error)
    with pytest.raises(torch.OutOfMemoryError) as told:
        with memory_advice(CPU, "the evaluation", "use less"):
            raise error
    assert told.value.__cause__ is error
    reason = str(error).split("\n")[0] or "MemoryError"
    expected = f"cpu: the evaluation did not fit into memory ({reason}); use less"
    assert str(told.value) == expected


@pytest.mark.parametrize("error", OTHERS)
def test_other_errors_stay_as_they_are(error):
    assert not out_of_memory(error)
    with pytest.raises(type(error)) as told:
        with memory_advice(CPU, "the evaluation", "use less"):
            raise error
    assert told.value is error


def narrow_memory(*arguments, **named) -> torch.nn.Module:
    """A network that evaluates at most five frames at a time."""
    network = faults.small_network("proposed")

    def refuse(module, inputs):
        if not module.training and len(inputs[0]) > 5:
            raise RuntimeError("CUDA error: out of memory\nand more")

    network.register_forward_pre_hook(refuse)
    return network


def test_the_advice_for_the_evaluation_helps(store, tmp_path, monkeypatch):
    """It is told apart from training, and a larger `accumulation` serves it too."""
    monkeypatch.setattr(companion.methods.objective, "build_model", narrow_memory)
    monkeypatch.setattr(loop, "EVALUATION_BATCH", 10)
    options = {**faults.OPTIONS, "epochs": 1, "batch_size": 8}
    with pytest.raises(torch.OutOfMemoryError) as told:
        train(store, tmp_path, Settings(**options))
    assert "the evaluation did not fit" in str(told.value)
    assert "multiply `accumulation`" in str(told.value)
    assert "10 frames" in str(told.value) and "\n" not in str(told.value)
    assert len(train(store, tmp_path, Settings(**options | {"accumulation": 2}))) == 1


def test_features_take_the_profiles_accumulation(store, monkeypatch):
    sizes = []

    def features(network, images):
        sizes.append(len(images))
        if len(images) > 5:
            raise torch.OutOfMemoryError("CUDA out of memory.")
        return torch.zeros(len(images), 4096)

    monkeypatch.setattr("companion.analysis.features.features", features)
    monkeypatch.setattr(loop, "EVALUATION_BATCH", 10)
    rows, network = store.rows("evaluation"), torch.nn.Identity()
    with pytest.raises(torch.OutOfMemoryError, match="multiply `accumulation`"):
        extract_features(network, store, rows)
    assert extract_features(network, store, rows, 2).shape == (len(rows), 4096)
    assert sizes[0] == 10 and max(sizes[1:]) == 5
