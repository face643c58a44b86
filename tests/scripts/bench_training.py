"""`make bench`, second half: how near training comes to what the machine can do.

Each row is a ratio of two rates that were measured in turn within this run, so that a
busy machine slows both: the median over the rounds. Nothing is asserted. The stand-in's
network is measured on a processor, the paper's (VGG16 at 224 pixels) on a GPU.

Operations of a training step, as PyTorch counts them: 92.6 GFLOP an image at full width
and 224 pixels; 0.39 in small, at an eighth of the channels and 112 pixels. What was
tried: `tests/scripts/bench_tried.md`.
"""

import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from PIL import Image
from torch import nn
from torch.utils.benchmark import Timer
from torch.utils.flop_counter import FlopCounterMode
from tqdm import tqdm

import companion.methods.objective
from aulib.loss import scaled_smooth_l1
from aulib.model import build_model
from companion.base.paths import ROOT
from companion.base.profiles import load_profile
from companion.bp4d import AU_NAMES
from companion.crops.batches import image_batches
from companion.crops.squares import cut_squares, random_corners
from companion.crops.store import CropStore, mean_and_std, pixel_sums
from companion.faces.crop import crop_face
from companion.training.device import open_accelerator, prepare
from companion.training.loop import EVALUATION_BATCH, Settings, predict, train_epoch
from companion.training.microbatches import microbatches
from companion.training.run import train

GPU = torch.cuda.is_available()
ROUNDS = 7
STEPS = 100 if GPU else 10


def write_store(folder: Path, count: int, size: int) -> CropStore:
    """A crop store of noise, half of it for training, a third higher than wide."""
    height = size * 4 // 3
    generator = np.random.default_rng(0)
    index = pd.DataFrame({"frame": np.arange(count)})
    index["subject"], index["task"] = "F001", "T1"
    index["split"] = np.where(np.arange(count) % 2 == 0, "train", "evaluation")
    levels = generator.integers(0, 6, (count, len(AU_NAMES)), dtype=np.int8)
    index[list(AU_NAMES)] = levels
    index["offset"] = np.arange(count) * height * size * 3
    index["height"], index["width"] = height, size
    folder.mkdir(parents=True)
    noise = generator.integers(0, 256, height * size * 3, dtype=np.uint8)
    with open(folder / "crops.bin", "wb") as file:
        for number in range(count):
            file.write(np.roll(noise, number).tobytes())
    index.to_parquet(folder / "index.parquet")
    mean, std = mean_and_std(pixel_sums(noise.reshape(height, size, 3)))
    about = {"fingerprint": "noise", "crop_size": size, "count": count}
    about |= {"mean": mean, "std": std}
    (folder / "store.json").write_text(json.dumps(about))
    return CropStore(folder)


def in_turn(*functions: Callable, rounds: int = ROUNDS) -> list[list[float]]:
    """Seconds of each function in each round, after one that is not counted.

    Timer waits for a GPU to come to its end.
    """
    threads = torch.get_num_threads()
    timers = [
        Timer("f()", globals={"f": function}, num_threads=threads)
        for function in functions
    ]
    times = [[timer.timeit(1).median for timer in timers] for _ in range(rounds + 1)]
    return list(map(list, zip(*times[1:])))


def ratio(ours: list[float], plain: list[float]) -> float:
    """How much of the plain way's speed ours has: the median over the rounds."""
    return statistics.median(b / a for a, b in zip(ours, plain))


class Bench:
    """A network, a store to train it from, and one batch that stays in memory."""

    def __init__(self, folder: Path, profile: dict) -> None:
        self.batch = profile["batch_size"]
        count = 2 * max(STEPS * self.batch, 2 * EVALUATION_BATCH)
        self.store = write_store(folder, count, profile["crop_size"])
        self.accelerator = open_accelerator()
        self.device = self.accelerator.device
        torch.manual_seed(0)
        network = build_model("proposed", width=profile["network_width"])
        network = network.to(self.device, memory_format=torch.channels_last)
        self.network = prepare(self.accelerator, network, profile["crop_size"])
        self.layers = network
        self.optimizer = torch.optim.SGD(
            network.parameters(), lr=1e-4, momentum=0.9, weight_decay=5e-4, fused=True
        )
        split = self.store.index["split"]
        self.rows = np.flatnonzero(split == "train")[: STEPS * self.batch]
        self.others = np.flatnonzero(split == "evaluation")
        levels = self.store.index[list(AU_NAMES)].to_numpy().astype(np.int64)
        self.levels = levels[self.rows]
        self.targets = torch.from_numpy(self.levels[: self.batch]).to(self.device)
        self.images = next(self.crops([slice(0, self.batch)]))
        times = -(-EVALUATION_BATCH // self.batch)
        self.large_batch = torch.cat([self.images] * times)[:EVALUATION_BATCH]

    def crops(self, parts: list[slice]):
        offsets = np.random.default_rng(0).random((len(self.rows), 2))
        corners = random_corners(self.store, self.rows, offsets)
        return image_batches(self.store, self.rows, corners, parts, self.device)

    def epoch(self) -> None:
        """STEPS steps as `train` takes them, bar and all."""
        parts = list(microbatches(len(self.rows), self.batch))
        places = [part.positions for part in parts]
        levels = torch.from_numpy(self.levels).to(self.device)
        targets = (levels[place] for place in places)
        with open(os.devnull, "w") as nowhere, tqdm(file=nowhere) as bar:
            train_epoch(
                self.accelerator,
                self.network,
                self.optimizer,
                zip(self.crops(places), targets, parts),
                lambda outputs, targets, batch: scaled_smooth_l1(outputs, targets),
                bar.update,
            )

    def step(self) -> None:
        self.optimizer.zero_grad()
        loss = scaled_smooth_l1(self.network(self.images), self.targets, 2.0)
        loss.backward()
        self.optimizer.step()

    def bare_epoch(self) -> None:
        """As many steps on the one batch."""
        self.network.train()
        for _ in range(STEPS):
            self.step()

    def evaluation(self) -> None:
        predict(self.accelerator, self.network, self.store, self.others)

    def bare_evaluation(self) -> None:
        """As many frames, the same ones again and again."""
        self.network.eval()
        with torch.inference_mode():
            for start in range(0, len(self.others), EVALUATION_BATCH):
                self.network(self.large_batch[: len(self.others) - start])

    def products(self, batch: torch.Tensor, backward: bool) -> list[Callable]:
        """Each convolution and each product of a step by itself, as it occurs in it."""
        calls, inputs = [], {}
        layers = [
            layer
            for layer in self.layers.modules()
            if isinstance(layer, (nn.Conv2d, nn.Linear))
        ]
        hooks = [
            layer.register_forward_hook(
                lambda layer, given, out: inputs.__setitem__(
                    layer, (given[0].detach(), out.dtype == torch.bfloat16)
                )
            )
            for layer in layers
        ]
        with torch.no_grad():
            self.network(batch)
        for hook in hooks:
            hook.remove()
        for layer in layers:
            calls.append(
                _alone(layer, *inputs[layer], backward, layer is not layers[0])
            )
        return calls


def _alone(
    layer: nn.Module, given: torch.Tensor, half: bool, backward: bool, inner: bool
):
    given = given.clone().requires_grad_(backward and inner)

    def call() -> None:
        with torch.autocast(given.device.type, torch.bfloat16, enabled=half):
            result = layer(given)
        if backward:
            wanted = [layer.weight, layer.bias] + [given] * inner
            torch.autograd.grad(result, wanted, torch.ones_like(result))

    def without_gradient() -> None:
        with torch.inference_mode():
            call()

    return call if backward else without_gradient


def matrix_peak(device: torch.device) -> float:
    """FLOP/s of one large product of matrices, in the network's precision."""
    size, dtype = (8192, torch.bfloat16) if GPU else (2048, torch.float32)
    matrix = torch.randn(size, size, device=device, dtype=dtype)
    (times,) = in_turn(lambda: matrix @ matrix)
    return 2 * size**3 / min(times)


def peak_anonymous_mib(count: int) -> float:
    """Of a process that trains an epoch on `count` frames: the memory that is its own.

    The mapped crops are the system's, which takes them back when it needs room.
    """
    command = [sys.executable, __file__, "--memory", str(count)]
    answers = [
        subprocess.run(command, capture_output=True, text=True, check=True)
        for _ in range(3)
    ]
    return min(float(answer.stdout) for answer in answers)


def train_for_memory(count: int) -> None:
    torch.set_num_threads(1)
    os.environ["TQDM_DISABLE"] = "1"
    layers = {
        "features": nn.Sequential(nn.Conv2d(3, 3, 8, stride=8), nn.Flatten()),
        "avgpool": nn.Identity(),
        "classifier": nn.Sequential(nn.Linear(48, 5)),
    }
    network = nn.Sequential(OrderedDict(layers))
    companion.methods.objective.build_model = lambda *arguments, **named: network
    peak, ended = 0, threading.Event()

    def watch() -> None:
        nonlocal peak
        while not ended.wait(0.02):
            status = Path("/proc/self/status").read_text()
            peak = max(peak, int(status.split("RssAnon:")[1].split()[0]))

    with tempfile.TemporaryDirectory() as folder:
        store = write_store(Path(folder) / "crops", count, 32)
        watcher = threading.Thread(target=watch)
        watcher.start()
        settings = Settings(
            **dict(method="proposed", weights=None, width=1.0, scale=2.0, seed=0),
            **dict(sampler="multinomial", epochs=1, batch_size=16, accumulation=1),
            **dict(learning_rate=1e-4, learning_rate_step=1, momentum=0.9),
            weight_decay=0.0,
        )
        train(store, Path(folder) / "run", settings)
        ended.set()
        watcher.join()
    print(peak / 1024)


def crops_and_jpegs(folder: Path) -> tuple[float, float]:
    """Images a second, drawn from the store and decoded at BP4D's size."""
    store = write_store(folder / "drawn", 512, 224)
    path = folder / "face.jpg"
    small = np.random.default_rng(0).integers(0, 256, (44, 33, 3), dtype=np.uint8)
    Image.fromarray(small).resize((1040, 1392), Image.BICUBIC).save(path, quality=92)
    generator = np.random.default_rng(1)

    def draw() -> None:
        rows = generator.integers(0, len(store), 64)
        offsets = generator.random((64, 2))
        cut_squares(store, rows, random_corners(store, rows, offsets))

    def decode() -> None:
        with Image.open(path) as picture:
            crop_face(np.asarray(picture), np.array([300.0, 400, 700, 920]), 224)

    drawn, decoded = in_turn(draw, decode)
    return 64 / statistics.median(drawn), 1 / statistics.median(decoded)


def machine() -> dict[str, str]:
    """What the numbers were measured on."""
    processor = platform.processor() or platform.machine()
    if Path("/proc/cpuinfo").is_file():
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                processor = line.split(":")[1].strip()
    gpu = torch.cuda.get_device_name() if GPU else "none"
    return {
        "processor": f"{processor}, {os.cpu_count()} of its threads",
        "GPU": gpu,
        "torch": torch.__version__,
        "python": platform.python_version(),
        "measured": time.strftime("%Y-%m-%d"),
    }


def measure() -> list[tuple[str, str, float, str, float, float]]:
    """Rows: what, unit, its rate, beside what, that rate, their ratio."""
    name = "bp4d" if GPU else "standin"
    profile = load_profile(name)
    torch.set_num_threads(profile["threads"])
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        bench = Bench(Path(folder) / "crops", profile)
        frames, others = len(bench.rows), len(bench.others)
        network = (
            f"width {profile['network_width']:g}, {profile['crop_size']} pixels, "
            f"batch {bench.batch}"
        )
        ours, bare = in_turn(bench.epoch, bench.bare_epoch)
        rows.append(
            (
                f"training, {network}",
                "img/s",
                frames / statistics.median(ours),
                "one batch in memory",
                frames / statistics.median(bare),
                ratio(ours, bare),
            )
        )
        evaluated, forward = in_turn(bench.evaluation, bench.bare_evaluation)
        rows.append(
            (
                "evaluation",
                "img/s",
                others / statistics.median(evaluated),
                "one batch in memory",
                others / statistics.median(forward),
                ratio(evaluated, forward),
            )
        )
        if GPU:
            eager, bench.network = bench.network, torch.compile(bench.network)
            compiled = bench.bare_epoch
            rows.append(_compiled(bench, eager, compiled, frames))
            bench.network = eager
        for what, batch, image, backward in (
            ("the bare training step", bench.images, min(bare) / frames, True),
            ("the bare evaluation", bench.large_batch, min(forward) / others, False),
        ):
            alone = in_turn(*bench.products(batch, backward))
            ceiling = sum(map(min, alone)) / len(batch)
            rows.append(
                (
                    what,
                    "img/s",
                    1 / image,
                    "its convolutions and products alone",
                    1 / ceiling,
                    ceiling / image,
                )
            )
        with FlopCounterMode(display=False) as counter:
            bench.step()
        flops = counter.get_total_flops() / bench.batch
        peak = matrix_peak(bench.device)
        reached = flops * frames / min(bare)
        rows.append(
            (
                f"the same, {flops / 1e9:.2f} GFLOP an image",
                "GFLOP/s",
                reached / 1e9,
                "one large product of matrices",
                peak / 1e9,
                reached / peak,
            )
        )
        drawn, decoded = crops_and_jpegs(Path(folder))
        rows.append(
            (
                "crops of 224 drawn from the store",
                "img/s",
                drawn,
                "JPEGs of 1040 x 1392 decoded, cropped",
                decoded,
                drawn / decoded,
            )
        )
    few, many = 2_000, 128_000
    if sys.platform.startswith("linux") and not GPU:
        small, large = peak_anonymous_mib(few), peak_anonymous_mib(many)
        rows.append(
            (
                f"own memory at its peak, {many:,} frames",
                "MiB",
                large,
                f"{few:,} frames",
                small,
                large / small,
            )
        )
    return rows


def _compiled(bench: Bench, eager: nn.Module, run: Callable, frames: int) -> tuple:
    compiled = bench.network

    def with_compiled() -> None:
        bench.network = compiled
        run()

    def with_eager() -> None:
        bench.network = eager
        run()

    ours, plain = in_turn(with_compiled, with_eager)
    rates = frames / statistics.median(ours), frames / statistics.median(plain)
    return (
        "the bare step under torch.compile",
        "img/s",
        rates[0],
        "as it is",
        rates[1],
        ratio(ours, plain),
    )


def main() -> None:
    if sys.argv[1:2] == ["--memory"]:
        train_for_memory(int(sys.argv[2]))
        return
    facts = machine()
    print("\n" + ", ".join(f"{key}: {value}" for key, value in facts.items()))
    table = pd.DataFrame(
        measure(), columns=["what", "unit", "rate", "beside", "its rate", "ratio"]
    )
    print(table.round({"rate": 1, "its rate": 1, "ratio": 3}).to_string(index=False))
    folder = ROOT / "runs" / "bench"
    folder.mkdir(parents=True, exist_ok=True)
    device = "gpu" if GPU else "cpu"
    table.to_csv(folder / f"{device}.csv", index=False, float_format="%.6g")
    about = json.dumps(facts, indent=2) + "\n"
    (folder / f"{device}.json").write_text(about)
    print(f"\nwritten to runs/bench/{device}.csv, the machine to {device}.json")


if __name__ == "__main__":
    main()
