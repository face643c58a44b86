"""The processes that train together, and the devices that they run on.

One process on a processor or a GPU is the rule. Several, of one machine or of more, are
Hugging Face Accelerate's matter: each sees itself through an `Accelerator`.
"""

import io
from collections.abc import Callable
from contextlib import redirect_stdout

import torch
from accelerate import Accelerator, notebook_launcher
from accelerate.utils import patch_environment
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

    There those of cuDNN's algorithms are used that give the same bits each time.
    """
    gpu = torch.cuda.is_available()
    if gpu:
        torch.backends.cudnn.deterministic = True
    return Accelerator(cpu=not gpu)


def prepare(accelerator: Accelerator, network: nn.Module) -> nn.Module:
    """The network as it is called in training and evaluation: the weights are shared.

    In bfloat16 on a GPU that computes in it; together with the other processes'.
    """
    gpu = accelerator.device.type == "cuda"
    if gpu and torch.cuda.is_bf16_supported(including_emulation=False):
        network = Bfloat16(network)
    return accelerator.prepare_model(network)


def too_many_frames(
    accelerator: Accelerator, network: nn.Module, size: int, frames: int
) -> str:
    """What to do where a step of so many frames has run out of memory: a sentence.

    Tries a half, a quarter … of the frames until one fits.
    """
    plain = accelerator.unwrap_model(network)
    fits = frames // 2
    while fits and not _fits(accelerator, plain, size, fits):
        fits //= 2
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
    network.zero_grad()
    if accelerator.device.type == "cuda":
        torch.cuda.empty_cache()
    shape = (frames, 3, size, size)
    try:
        batch = torch.zeros(shape, device=accelerator.device)
        network(batch.to(memory_format=torch.channels_last)).sum().backward()
    except torch.OutOfMemoryError:
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


def in_processes(run: Callable[[], object], processes: int) -> None:
    """Call `run` in so many processes of this machine; here, where it is one.

    For a notebook; from a shell `accelerate launch` does it. Nothing may have used a
    GPU in this process before.
    """
    if processes == 1:
        run()
        return

    def training() -> None:  # a partial has no name, and the launcher wants one
        run()

    threads = torch.get_num_threads()  # Accelerate would make it 1
    quiet = redirect_stdout(io.StringIO())  # it calls processors CUDA devices
    with quiet, patch_environment(omp_num_threads=threads):
        notebook_launcher(
            training,
            num_processes=processes,
            rdzv_backend="c10d",
            rdzv_endpoint="localhost:0",  # a free port
        )
