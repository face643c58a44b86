"""Atomic files, locks, work over processes."""

import errno
import fcntl
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from companion.base.files import (
    InUse,
    atomic_write,
    can_lock,
    lock,
    map_in_processes,
    sha256,
)


def test_a_file_is_replaced_as_a_whole_or_not_at_all(tmp_path):
    path = tmp_path / "file"
    with atomic_write(path) as file:
        file.write(b"first")
    with pytest.raises(ZeroDivisionError), atomic_write(path) as file:
        file.write(b"second")
        assert path.read_bytes() == b"first"  # until the block has ended
        raise ZeroDivisionError
    assert path.read_bytes() == b"first"
    assert list(tmp_path.iterdir()) == [path]
    with atomic_write(path) as file:
        file.write(b"third")
    assert path.read_bytes() == b"third"


def test_a_failing_disk_is_named(tmp_path):
    path = tmp_path / "no such folder" / "file"
    with pytest.raises(OSError, match="no such folder/file"), atomic_write(path):
        pass
    path = tmp_path / "file"
    with pytest.raises(OSError, match="No space left .*file'"):
        with atomic_write(path):
            try:
                raise OSError(28, "No space left on device")
            except OSError:
                raise RuntimeError("unexpected pos 64 vs 0")  # noqa: B904, torch's way
    with pytest.raises(RuntimeError, match="another"), atomic_write(path):
        raise RuntimeError("another")


@contextmanager
def another_process(path: Path, wait: bool = False) -> Iterator[subprocess.Popen]:
    """A process that locks `path`, prints "held" and waits for a line."""
    held = "import sys; from pathlib import Path\n"
    held += "from companion.base.files import lock\n"
    held += f"with lock(Path(sys.argv[1]), wait={wait}):\n"
    held += " print('held', flush=True); input()"
    command = [sys.executable, "-c", held, str(path)]
    pipes = dict.fromkeys(("stdin", "stdout", "stderr"), subprocess.PIPE)
    with subprocess.Popen(command, text=True, **pipes) as process:
        yield process
        process.kill()


def test_one_process_at_a_time_holds_a_lock(tmp_path):
    with another_process(tmp_path / "run") as other:
        assert other.stdout.readline() == "held\n"
        with pytest.raises(InUse, match="run: another process works on this; wait"):
            with lock(tmp_path / "run"):
                pass
        other.kill()  # the lock goes with it
        other.wait()
        with lock(tmp_path / "run"):
            pass


def test_a_lock_can_be_waited_for(tmp_path):
    with another_process(tmp_path / "file.txt", wait=True) as other:
        with lock(tmp_path / "file.txt"):
            line = other.stderr.readline() + other.stderr.readline()  # parted at "\r"
            assert line.endswith(
                "another process works on this; waiting for it to end\n"
            )
        assert other.stdout.readline() == "held\n"


@pytest.mark.parametrize(
    "code", ["ENOSYS", "ENOLCK", "EOPNOTSUPP", "ENOTSUP", "EINVAL"]
)
def test_without_locks_the_work_goes_on_and_that_is_said_once(
    tmp_path, monkeypatch, capsys, code
):
    code = getattr(errno, code)

    def flock(file, operation):
        raise OSError(code, os.strerror(code))

    assert can_lock(tmp_path) == ""
    monkeypatch.setattr(fcntl, "flock", flock)
    assert can_lock(tmp_path) == os.strerror(code)
    for name in ("run", "other run"):
        done = False
        with lock(tmp_path / name), lock(tmp_path / name, wait=True):
            done = True
        assert done
    lines = capsys.readouterr().err.split("\n")
    assert len(lines) == 2 and f"has no locks ({os.strerror(code)})" in lines[0]
    assert not list(tmp_path.iterdir())


def test_another_error_of_the_lock_is_no_lack_of_locks(tmp_path, monkeypatch):
    def flock(file, operation):
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(fcntl, "flock", flock)
    with pytest.raises(OSError, match="Input/output error"), lock(tmp_path / "run"):
        pass


def test_a_checksum_is_that_of_the_systems_tool(tmp_path):
    path = tmp_path / "file"
    path.write_bytes(b"abc" * 1000)
    expected = subprocess.check_output(["sha256sum", path], text=True).split()[0]
    assert sha256(path) == expected


@pytest.mark.parametrize("workers", [1, 2])
def test_results_come_in_the_order_of_the_tasks(workers):
    tasks = list(range(600, 0, -1))
    assert list(map_in_processes(str, tasks, workers, "numbers")) == [*map(str, tasks)]
