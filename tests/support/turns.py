"""Two callers that want the same directory or file at a time."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Event

from companion.base import files


def wait_its_turn(
    monkeypatch, path: Path, call: Callable, meanwhile: Callable = lambda: None
) -> object:
    """The answer of `call`, which must wait while another caller holds the lock.

    Args:
        path: what the other one works on.
        meanwhile: what the other one does.
    """
    waits = Event()
    monkeypatch.setattr(files, "_say_once", lambda line: waits.set())
    with ThreadPoolExecutor(1) as pool:
        with files.lock(path):
            answer = pool.submit(call)
            assert waits.wait(60), f"it did not wait for the lock of {path}"
            assert not answer.done()
            meanwhile()
        return answer.result(60)
