"""The processes that train together, and the devices that they run on.

One process on a processor or a GPU is the rule. Several, of one machine or of more, are
Hugging Face Accelerate's matter: each sees itself through an `Accelerator`.
"""

import subprocess
import sys

import torch
from accelerate import Accelerator
from torch import nn
from torchvision.models.vgg import VGG

from aulib.model import features


class Bfloat16(nn.Module):
    """VGG16 with its 4,096 features in bfloat16 and the last layer in float32.

    Eight bits would make steps of 1/32 out of an output between 4 and 8. Weights and
    gradients are float32 throughout.
    """

    def __init__(self, network: VGG) -> None:
        super().__init__()
        self.network = network

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        with torch.autocast(images.device.type, torch.bfloat16):
            values = features(self.network, images)
        return self.network.classifier[5:](values.float())


def open_accelerator() -> Accelerator:
    """This process among those that train, and its device: a GPU where there is one.

    There those of cuDNN's algorithms are used that give the same bits each time. What
    the user's own configuration of Accelerate says of precision does not count.
    """
    gpu = torch.cuda.is_available()
    if gpu:
        torch.backends.cudnn.deterministic = True
    return Accelerator(cpu=not gpu, mixed_precision="no")


def prepare(accelerator: Accelerator, network: nn.Module, size: int) -> nn.Module:
    """The network as it is called in training and evaluation: the weights are shared.

    In bfloat16 on a GPU that computes in it; together with the other processes'.

    Args:
        size: pixels of the images that it will be given.
    """
    gpu = accelerator.device.type == "cuda"
    if gpu and torch.cuda.is_bf16_supported(including_emulation=False):
        network = Bfloat16(network)
    prepared = accelerator.prepare_model(network)
    if accelerator.num_processes > 1:
        # After its first step PyTorch sorts the gradients that go out together anew,
        # and three processes or more then add them up in another order. That step is
        # made here, so that a run that goes on adds as one that was never stopped.
        prepared(
            torch.zeros(1, 3, size, size, device=accelerator.device)
        ).sum().backward()
        network.zero_grad()
    return prepared


def out_of_memory(error: Exception) -> bool:
    """Whether PyTorch, cuDNN or cuBLAS has failed for want of memory."""
    signs = ("out of memory", "can't allocate memory", "ALLOC_FAILED", "NOT_SUPPORTED")
    signs = (
        *signs,
        "unable to find an engine",
    )  # cuDNN's, where its workspace is short
    return isinstance(error, (torch.OutOfMemoryError, MemoryError)) or (
        isinstance(error, RuntimeError) and any(sign in str(error) for sign in signs)
    )


def too_many_frames(
    accelerator: Accelerator, network: nn.Module, size: int, frames: int
) -> str:
    """What to do where a step of so many frames has run out of memory: a sentence.

    Tries a half, a quarter … of the frames until one fits.
    """
    plain = accelerator.unwrap_model(network)
    plain.zero_grad()
    if accelerator.device.type == "cuda":
        torch.cuda.empty_cache()
    # what a step holds beside it: the gradients and their running mean
    held = [torch.empty_like(p) for p in plain.parameters() for _ in range(2)]
    fits = frames // 2
    while fits and not _fits(accelerator, plain, size, fits):
        fits //= 2
    del held
    device = accelerator.device
    where = torch.cuda.get_device_name(device) if device.type == "cuda" else device
    if not fits:
        return f"{where}: not even a step of one frame fits into its memory"
    return (
        f"{where}: {frames} frames of {size} x {size} pixels at once do not fit into "
        f"its memory, {fits} do: multiply `accumulation` in the profile by "
        f"{-(-frames // fits)}, which leaves the frames of a gradient step as they are"
    )


def _fits(accelerator: Accelerator, network: nn.Module, size: int, frames: int) -> bool:
    if accelerator.device.type == "cuda":
        torch.cuda.empty_cache()
    shape, weights = (frames, 3, size, size), list(network.parameters())
    try:
        batch = torch.zeros(shape, device=accelerator.device)
        outputs = network(batch.to(memory_format=torch.channels_last))
        if isinstance(outputs, tuple):  # of `aulib.compared.structured`
            outputs = outputs[0]
        # not `backward`, which would wait for the other processes
        torch.autograd.grad(outputs.sum(), weights, allow_unused=True)
    except RuntimeError as error:
        if not out_of_memory(error):
            raise
        return False
    return True


def where_it_runs(accelerator: Accelerator) -> dict[str, str | int]:
    """On what the last digits depend: device, processes, and threads of each."""
    device = accelerator.device
    cuda = device.type == "cuda"
    return {
        "device": torch.cuda.get_device_name(device) if cuda else str(device.type),
        "processes": accelerator.num_processes,
        "threads": torch.get_num_threads(),
    }


def in_processes(
    profile: str, model: str, seed: int, processes: int, grid: str | None = None
) -> None:
    """One training run by so many processes of this machine, one GPU each.

    They are started afresh: copies of a process in which torch has threads can hang.

    Raises:
        RuntimeError: they have failed; the run's log.txt says why.
    """
    launcher = ["accelerate.commands.launch", "--multi_gpu", "--main_process_port", "0"]
    training = ["aulib.training", profile, model, str(seed)]
    training += ["--grid", grid] if grid else []
    command = [sys.executable, "-m", *launcher, "--num_processes", str(processes)]
    if subprocess.run([*command, "-m", *training], check=False).returncode:
        raise RuntimeError(
            f"the {processes} processes have failed: see log.txt in the run's directory"
        )
