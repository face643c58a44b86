"""A small training run in a process of its own that can be killed at any of its writes.

The processes are forks of one that has imported torch, so that each costs milliseconds.
What a run writes is watched by an audit hook: Python calls it before it opens, renames
or removes a file or makes a directory, which are the boundaries of its writing.
"""

import errno
import multiprocessing
import os
import resource
import signal
import sys
import time
from collections import OrderedDict
from pathlib import Path

import torch
from torch import nn

import companion.methods.objective
from companion.crops.store import CropStore
from companion.training.loop import Settings
from companion.training.run import train

OPTIONS = dict(
    method="proposed",
    seed=7,
    epochs=4,
    batch_size=5,
    accumulation=1,
    learning_rate=0.02,
    learning_rate_step=2,
    momentum=0.9,
    weight_decay=0.0005,
    scale=2.0,
    sampler="multinomial",
    weights=None,
    width=0.125,
)
WATCHED = ("open", "os.rename", "os.remove", "os.mkdir", "os.rmdir")
HOW = {"os.remove": 1, "os.rmdir": 1}  # which argument is the directory of a bare name
RESULTS = ("outputs.parquet", "metrics.csv", "best.pt", "parameters.json")

PROCESSES = multiprocessing.get_context("forkserver")
PROCESSES.set_forkserver_preload(["companion.training.run"])


def small_network(name, num_aus=5, weights=None, width=1.0) -> nn.Module:
    """For squares of 32 pixels; with dropout, as VGG16, in 2,789 numbers."""
    features = nn.Sequential(nn.Conv2d(3, 8, 3, stride=4), nn.ReLU(), nn.Flatten())
    last = nn.Sequential(nn.Dropout(0.5), nn.Linear(8 * 8 * 8, num_aus))
    return nn.Sequential(
        OrderedDict(features=features, avgpool=nn.Identity(), classifier=last)
    )


class Boundaries:
    """An audit hook that counts the run's writes and acts at one of them.

    "torn" is a machine that loses its power: of every file that has been opened since
    and was not brought to the disk by fsync, a half is left.
    """

    def __init__(self, run: Path, at: int | str, action: str) -> None:
        self.run, self.at, self.action = str(run), at, action
        self.count, self.fresh = 0, set()
        if action == "torn":
            fsync = os.fsync

            def kept(descriptor):
                fsync(descriptor)
                self.fresh.discard(os.readlink(f"/proc/self/fd/{descriptor}"))

            os.fsync = kept

    def __call__(self, event: str, arguments: tuple) -> None:
        if event not in WATCHED or not isinstance(arguments[0], (str, Path)):
            return
        path = str(arguments[0])
        if event in HOW and not path.startswith("/"):  # within shutil.rmtree
            path = f"{os.readlink(f'/proc/self/fd/{arguments[HOW[event]]}')}/{path}"
        inside = path.startswith(f"{self.run}/") or path == self.run
        if not inside or "/events" in path or "log.txt" in path:
            return
        self.count += 1
        if self.at in (self.count, Path(path).name):
            self.act()
        if event == "open" and "w" in str(arguments[1]):
            self.fresh.add(path)

    def act(self) -> None:
        if self.action == "torn":
            for path in self.fresh:
                if os.path.exists(path):
                    os.truncate(path, os.path.getsize(path) // 2)
        if self.action in ("kill", "torn"):
            os.kill(os.getpid(), signal.SIGKILL)
        code = {"full": errno.ENOSPC, "forbidden": errno.EACCES}[self.action]
        raise OSError(code, os.strerror(code))


def target(
    store: Path, run: Path, at: int | str, action: str, options: dict, pipe
) -> None:
    """Train; send how many boundaries there were, or the error that ended it."""
    torch.set_num_threads(1)
    os.environ["TQDM_DISABLE"] = "1"
    sys.stderr = open(os.devnull, "w")
    if options.pop("small", True):
        companion.methods.objective.build_model = small_network
    if limit := options.pop("largest_file", None):
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
    hook = Boundaries(run, at, action)
    try:
        opened = CropStore(store)
        sys.addaudithook(hook)
        train(opened, run, Settings(**{**OPTIONS, **options}))
    except Exception as error:
        pipe.send(f"{type(error).__name__}: {error}")
    else:
        pipe.send(hook.count)


def attempt(store, run, at=0, action="kill", after=None, **options):
    """A run up to its end or its death.

    Args:
        store, run: directories.
        at, action: "kill", "torn", "full" or "forbidden" at which boundary, by its
            number or by the name of the file; 0: none.
        after: seconds from the start of the process to a kill; None: no such kill.
        options: of the training, others than `OPTIONS`; small=False for the real
            network, largest_file for a limit in bytes.

    Returns:
        The number of its boundaries; or its error, as text; or None if it was killed.
    """
    receiver, sender = PROCESSES.Pipe(duplex=False)
    arguments = (Path(store), Path(run), at, action, options, sender)
    process = PROCESSES.Process(target=target, args=arguments)
    process.start()
    sender.close()
    if after is not None:
        time.sleep(after)
        process.kill()
    try:
        answer = receiver.recv()
    except EOFError:
        answer = None
    process.join()
    assert answer is not None or process.exitcode == -signal.SIGKILL
    return answer
