"""Files that are there whole or not at all, whenever the process is killed."""

import fcntl
import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO


@contextmanager
def durable(path: Path) -> Iterator[BinaryIO]:
    """A file to write; its content is on the disk when the block has ended.

    Raises:
        OSError: it can't be written; the error names it.
    """
    try:
        with open(path, "wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
    except (OSError, RuntimeError) as error:
        # A full disk is told without the file's name, and within torch.save as an
        # error of another kind.
        cause = error if isinstance(error, OSError) else error.__context__
        if not isinstance(cause, OSError):
            raise
        raise OSError(cause.errno, cause.strerror, str(path)) from error


@contextmanager
def whole(path: Path) -> Iterator[BinaryIO]:
    """A file to write; it is there, whole and on the disk, when the block has ended.

    Until then, and if the block fails, what was at `path` stays as it was.
    """
    partial = path.with_name(f"{path.name}.partial")
    try:
        with durable(partial) as file:
            yield file
        os.replace(partial, path)
    except BaseException:
        partial.unlink(missing_ok=True)
        raise
    names_to_disk(path.parent)


def names_to_disk(directory: Path) -> None:
    """Bring the names in a directory, as a rename has left them, to the disk."""
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def only_one(directory: Path) -> Iterator[None]:
    """Keep others from writing to a directory: a lock that ends with the process.

    Raises:
        ValueError: another process holds it.
    """
    directory.parent.mkdir(parents=True, exist_ok=True)
    path = directory.with_name(f"{directory.name}.lock")
    with open(path, "w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise ValueError(
                f"{directory}: another process trains it; wait for its end or stop it"
            ) from None
        yield


def digest(path: Path) -> str:
    """The SHA-256 of a file, in hexadecimal."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
