"""Data that the tests of several rooms share."""

import pytest
from people import write_store

from companion.crops.store import CropStore


@pytest.fixture(scope="session")
def people(tmp_path_factory) -> CropStore:
    """Crops of eight people to train on and three to evaluate."""
    return write_store(tmp_path_factory.mktemp("people"))
