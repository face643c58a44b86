"""The device, and the processes that train together.

One process on a processor or on one GPU is the rule. Hugging Face Accelerate handles
several processes, on one machine or more: each has an `Accelerator`.
"""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch
from accelerate import Accelerator
from torch import nn
from torchvision.models.vgg import VGG

from aulib.model import features

OUT_OF_MEMORY = (
    *("out of memory", "not enough memory", "allocate memory"),
    *("alloc_failed", "allocation_failed"),  # cuBLAS and cuDNN
)
"""How PyTorch, cuDNN and cuBLAS report that memory is short, in lower case.

Errors that have other causes as well, such as CUDNN_STATUS_NOT_SUPPORTED and "unable to
find an engine", are not among them.
"""


LAUNCHERS = {
    "WORLD_SIZE": "RANK",  # of torchrun, which `accelerate launch` uses
    "PMI_SIZE": "PMI_RANK",  # of Intel's MPI
    "OMPI_COMM_WORLD_SIZE": "OMPI_COMM_WORLD_RANK",
    "MV2_COMM_WORLD_SIZE": "MV2_COMM_WORLD_RANK",
}
"""Where Accelerate looks for the number of processes → for the number of this one."""


class Bfloat16(nn.Module):
    """VGG16 with its 4,096 features in bfloat16 and its last layer in float32.

    With bfloat16's 8 bits an output between 4 and 8 would have steps of 1/32. Weights
    and gradients are float32 throughout.
    """

    def __init__(self, network: VGG) -> None:
        super().__init__()
        self.network = network

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        with torch.autocast(images.device.type, torch.bfloat16):
            values = features(self.network, images)
        return self.network.classifier[5:](values.float())


def open_accelerator() -> Accelerator:
    """This process and its device: a GPU where there is one, else the processor.

    On a GPU it selects cuDNN's deterministic algorithms. The precision in the user's
    configuration of Accelerate is ignored.

    Raises:
        ValueError: the environment has a launcher's variables, and no launcher has
            started this process.
    """
    refuse_leftovers()
    gpu = torch.cuda.is_available()
    if gpu:
        torch.backends.cudnn.deterministic = True
    return Accelerator(cpu=not gpu, mixed_precision="no")


def refuse_leftovers() -> None:
    """Refuse variables of a launcher that has not started this process.

    Accelerate would wait for processes that nobody starts, without end. A launcher
    gives each process its number, the number of all, and the first one's address.

    Raises:
        ValueError: there are such variables; the error names them.
    """
    there, idle = os.environ, dict.fromkeys(LAUNCHERS, "1") | {"LOCAL_RANK": "-1"}
    numbered = any(there.keys() >= {*names} for names in LAUNCHERS.items())
    if numbered and "MASTER_ADDR" in there:
        return
    left = [name for name in idle if there.get(name, idle[name]) != idle[name]]
    if left:
        values = ", ".join(f"{name}={there[name]}" for name in left)
        raise ValueError(
            f"{values}: left over from other work, since no launcher has started this "
            f"process; `unset {' '.join(left)}`, or start with `accelerate launch`"
        )


def prepare(accelerator: Accelerator, network: nn.Module, size: int) -> nn.Module:
    """The network as training and evaluation call it; it shares the weights.

    On a GPU that supports bfloat16 it computes in bfloat16. With several processes it
    averages the gradients over them.

    Args:
        accelerator: this process's.
        network: already on the accelerator's device.
        size: pixels of a side of its images.
    """
    if precision(accelerator) == "bfloat16":
        network = Bfloat16(network)
    prepared = accelerator.prepare_model(network)
    if accelerator.num_processes > 1:
        # After its first step PyTorch regroups the gradients that it sends together,
        # and three or more processes then add them in another order. This extra step
        # makes a resumed run add in the same order as one that was never stopped.
        images = torch.zeros(1, 3, size, size, device=accelerator.device)
        prepared(images).sum().backward()
        network.zero_grad()
    return prepared


def seed_dropout(accelerator: Accelerator, seed: int, epoch: int) -> None:
    """Seed the generator behind dropout from (seed, epoch, process)."""
    generator = np.random.default_rng([seed, epoch, 2, accelerator.process_index])
    torch.manual_seed(int(generator.integers(2**62)))


def device_name(accelerator: Accelerator) -> str:
    """The GPU's name, or "cpu"."""
    device = accelerator.device
    cuda = device.type == "cuda"
    return torch.cuda.get_device_name(device) if cuda else str(device.type)


def precision(accelerator: Accelerator) -> str:
    """What the network computes in: "bfloat16" on a GPU that supports it, "float32"."""
    gpu = accelerator.device.type == "cuda"
    short = gpu and torch.cuda.is_bf16_supported(including_emulation=False)
    return "bfloat16" if short else "float32"


def execution_facts(accelerator: Accelerator) -> dict[str, str | int]:
    """Where a run is executed: device, precision, processes, threads of each.

    The same run has other last digits elsewhere.
    """
    return {
        "device": device_name(accelerator),
        "precision": precision(accelerator),
        "processes": accelerator.num_processes,
        "threads": torch.get_num_threads(),
    }


def out_of_memory(error: Exception) -> bool:
    """Whether PyTorch, cuDNN or cuBLAS failed because memory is short."""
    if isinstance(error, torch.OutOfMemoryError | MemoryError):
        return True
    reported = any(sign in str(error).lower() for sign in OUT_OF_MEMORY)
    return isinstance(error, RuntimeError) and reported


@contextmanager
def memory_advice(accelerator: Accelerator, what: str, advice: str) -> Iterator[None]:
    """Say what did not fit into memory, why, and what to do about it.

    Raises:
        torch.OutOfMemoryError: the block ran out of memory. Other errors stay as they
            are.
    """
    try:
        yield
    except (RuntimeError, MemoryError) as error:
        if not out_of_memory(error):
            raise
        reason = str(error).split("\n")[0] or type(error).__name__
        raise torch.OutOfMemoryError(
            f"{device_name(accelerator)}: {what} did not fit into memory ({reason}); "
            f"{advice}"
        ) from error


def launch(
    profile: str, model: str, seed: int, processes: int, grid: str | None = None
) -> None:
    """Train one run with several processes of this machine, one GPU each.

    The processes are started afresh: forks of a process in which torch has threads can
    hang.

    Raises:
        RuntimeError: the processes failed; the run's log.txt says why.
    """
    launcher = ["accelerate.commands.launch", "--multi_gpu", "--main_process_port", "0"]
    training = ["companion.training", profile, model, str(seed)]
    training += ["--grid", grid] if grid else []
    command = [sys.executable, "-m", *launcher, "--num_processes", str(processes)]
    if subprocess.run([*command, "-m", *training], check=False).returncode:
        raise RuntimeError(
            f"the {processes} processes failed: see log.txt in the run's directory"
        )
