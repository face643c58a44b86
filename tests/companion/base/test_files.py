"""Atomic files, locks, work over processes."""

import subprocess
import sys

import pytest

from companion.base.files import atomic_write, lock, map_in_processes, sha256


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


def test_one_process_at_a_time_holds_a_lock(tmp_path):
    held = "import sys; from pathlib import Path\n"
    held += "from companion.base.files import lock\n"
    held += "with lock(Path(sys.argv[1])):\n print('held', flush=True); input()"
    command = [sys.executable, "-c", held, str(tmp_path / "run")]
    pipes = dict(stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    with subprocess.Popen(command, **pipes) as other:
        assert other.stdout.readline() == "held\n"
        with pytest.raises(ValueError, match="run: another process trains this run"):
            with lock(tmp_path / "run"):
                pass
        other.kill()  # the lock goes with it
        other.wait()
        with lock(tmp_path / "run"):
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
