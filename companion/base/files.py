"""Files that survive a crash, locks, checksums, and work spread over processes."""

import errno
import hashlib
import multiprocessing
import os
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from tempfile import TemporaryFile
from typing import BinaryIO

from filelock import FileLock, Timeout
from tqdm import tqdm

BLOCK = 512  # tasks handed to the processes at a time
NO_LOCKS = (
    *(errno.ENOSYS, errno.ENOLCK, errno.EINVAL),
    *(errno.EOPNOTSUPP, errno.ENOTSUP),  # two numbers on macOS
)
"""How Lustre, NFS, FUSE and others report that they have no locks."""


@contextmanager
def atomic_write(path: Path) -> Iterator[BinaryIO]:
    """Open a file for writing; it replaces `path` when the block ends, or not at all.

    The content is on the disk before the file gets its name, so a crash at any moment
    leaves either the old file or the new one.

    Raises:
        OSError: the file can't be written; the error names it.
    """
    partial = path.with_name(f"{path.name}.partial")
    try:
        with open(partial, "wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        os.replace(partial, path)
    except BaseException as error:
        partial.unlink(missing_ok=True)
        # A full disk is reported without a file name, and by torch.save as a
        # RuntimeError with the OSError as its context.
        cause = error.__context__ if isinstance(error, RuntimeError) else error
        if isinstance(cause, OSError):
            raise OSError(cause.errno, cause.strerror, str(path)) from error
        raise
    directory = os.open(path.parent, os.O_RDONLY)
    os.fsync(directory)  # makes the rename durable
    os.close(directory)


class InUse(ValueError):
    """Another process holds the lock."""


@contextmanager
def lock(path: Path, wait: bool = False) -> Iterator[None]:
    """Keep other processes from working on a directory or file while the block runs.

    The lock is the file `<path>.lock`. It ends when the process does. On a file system
    without locks a line on standard error says so, and the block runs without one.

    Args:
        path: what only this process may change.
        wait: for the other process to end, which a line on standard error says.

    Raises:
        InUse: another process holds the lock, and `wait` is False.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    if reason := can_lock(path.parent):
        _say_once(
            f"{path.parent}: this file system has no locks ({reason}); do not start "
            "the same work twice at a time"
        )
        yield
        return
    held = FileLock(path.with_name(f"{path.name}.lock"))
    busy = f"{path}: another process works on this; "
    try:
        held.acquire(timeout=0)
    except Timeout:
        if not wait:
            raise InUse(f"{busy}wait for it or stop it") from None
        _say_once(f"{busy}waiting for it to end")
        held.acquire()
    try:
        yield
    finally:
        held.release()


def can_lock(directory: Path) -> str:
    """Why the file system of a directory has no locks; empty if it has them.

    Raises:
        OSError: no file can be made in the directory.
    """
    import fcntl  # here, because Windows has none

    with TemporaryFile(dir=directory) as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            if error.errno not in NO_LOCKS:
                raise
            return error.strerror
    return ""


@cache
def _say_once(line: str) -> None:
    # The carriage return makes it progress, which executed notebooks do not keep.
    print(f"\r{line}", file=sys.stderr)


def sha256(path: Path) -> str:
    """The SHA-256 checksum of a file, in hexadecimal."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def file_stamp(path: str | Path) -> str:
    """A file's size and time of change, as text; "-" if it can't be read."""
    try:
        state = os.stat(path)
    except OSError:
        return "-"
    return f"{state.st_size}/{state.st_mtime_ns}"


def map_in_processes(
    function: Callable, tasks: list, workers: int, description: str
) -> Iterator:
    """`function` of each task, in order, by several processes, with a progress bar.

    The processes are spawned: a fork of a process in which torch has threads may hang.
    Tasks are handed out in blocks, so that few results wait in memory.
    """
    with tqdm(total=len(tasks), desc=description) as bar:
        if workers <= 1:
            for task in tasks:
                yield function(task)
                bar.update()
            return
        context = multiprocessing.get_context("spawn")
        with ProcessPoolExecutor(workers, mp_context=context) as pool:
            for start in range(0, len(tasks), BLOCK):
                block = tasks[start : start + BLOCK]
                for result in pool.map(function, block, chunksize=8):
                    yield result
                    bar.update()
