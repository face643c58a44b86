"""The files of the explorable pages, made once from a made-up run."""

import pytest
from madeup import MadeUp, make_explorables


@pytest.fixture(scope="session")
def made(tmp_path_factory) -> MadeUp:
    return make_explorables(tmp_path_factory.mktemp("madeup"))
