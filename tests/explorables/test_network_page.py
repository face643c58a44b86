"""The page's network computes what PyTorch computes."""

import base64
import io

import numpy as np
import pytest
import torch
from javascript import SCRIPTS, evaluate
from madeup import run_network
from PIL import Image

from aulib.inference import to_intensity
from companion.analysis import compression
from companion.crops.squares import normalise
from companion.workflow.explorables import LARGEST_FILE, squares_of

TOLERANCE = 2e-3
"""Of an output; a level is two outputs wide. Sums are in another order than torch's."""

RUN = """(() => {
    const data = EXPLORABLES.face, layers = data.layers.map(EXPLORABLES.network.unpack);
    return DATA.map((pixels) => EXPLORABLES.network.run(layers, pixels, data));
})()"""


def pixels_of(face: dict) -> np.ndarray:
    """A face's picture as uint8 (S, S, 3)."""
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(face["webp"]))))


def node_outputs(path, faces: list[dict]) -> np.ndarray:
    pixels = [pixels_of(face).ravel().tolist() for face in faces]
    return np.array(evaluate(["network.js", path], RUN, pixels))


def read(path, name: str) -> dict:
    return evaluate([path], f"EXPLORABLES.{name}")


@pytest.fixture(scope="module")
def face(made) -> dict:
    return read(made.scripts / "data_face.js", "face")


def unpacked(layer: dict) -> dict:
    if layer["kind"] == "pool":
        return layer
    types = {"values": np.int8, "scales": np.float32, "bias": np.float32}
    arrays = {
        name: np.frombuffer(base64.b64decode(layer[name]), dtype=kind).copy()
        for name, kind in types.items()
    }
    arrays["values"] = arrays["values"].reshape(layer["rows"], -1)
    return layer | arrays


def test_the_page_reads_30_faces_as_torch_does(made, face):
    assert len(face["faces"]) == 30
    squares = np.stack([pixels_of(each) for each in face["faces"]])
    layers = [unpacked(layer) for layer in face["layers"]]
    images = normalise(squares, tuple(face["mean"]), tuple(face["std"]))
    with torch.inference_mode():
        expected = compression.run(layers, images)
    found = node_outputs(made.scripts / "data_face.js", face["faces"])
    assert expected.std() > 1  # the faces differ
    np.testing.assert_allclose(found, expected, atol=TOLERANCE)
    recorded = [each["outputs"] for each in face["faces"]]
    np.testing.assert_allclose(found, recorded, atol=TOLERANCE)
    away = np.abs((found / 2) % 1 - 0.5) > TOLERANCE  # from a border of rounding
    levels = to_intensity(torch.tensor(found)).numpy()
    assert (levels == to_intensity(expected).numpy())[away].all()


def test_the_faces_are_the_crops_and_their_numbers_the_networks(made, face):
    names = (
        made.store.index[["subject", "task", "frame"]].astype(str).agg(" ".join, axis=1)
    )
    rows = [
        names[names == f"{each['subject']} {each['task']} {each['frame']}"].index[0]
        for each in face["faces"]
    ]
    assert set(rows) == set(made.store.rows("evaluation"))
    np.testing.assert_array_equal(
        squares_of(made.store, np.array(rows)),
        np.stack([pixels_of(each) for each in face["faces"]]),
    )
    labels = [each["labels"] for each in face["faces"]]
    np.testing.assert_array_equal(labels, made.store.levels[rows])
    full = [each["full"] for each in face["faces"]]
    expected = run_network(made.network, made.store, np.array(rows))
    np.testing.assert_allclose(full, expected, atol=1e-3)


def test_the_loss_of_accuracy_is_measured(face):
    about = face["about"]
    assert about["seed"] == 42 and about["epoch"] == 2 and about["model"] == "proposed"
    full, small = about["trainingIcc"]
    assert full - small < about["bound"]
    pairs = zip(*((e["outputs"], e["full"]) for e in face["faces"]))
    small, full = (to_intensity(torch.tensor(values)) for values in pairs)
    same = (small == full).double().mean().item()
    assert about["sameLevels"] == pytest.approx(same, abs=1e-4)


def test_the_committed_network_reads_its_faces_as_torch_did():
    path = SCRIPTS / "data_face.js"
    data = read(path, "face")
    found = node_outputs(path, data["faces"])
    recorded = [each["outputs"] for each in data["faces"]]
    np.testing.assert_allclose(found, recorded, atol=TOLERANCE)
    labels = np.array([each["labels"] for each in data["faces"]])
    assert all(set(range(6)) <= set(levels) for levels in labels.T)  # as the page says
    about = data["about"]
    assert len(data["faces"]) == 30 and path.stat().st_size <= LARGEST_FILE
    assert about["trainingIcc"][0] - about["trainingIcc"][1] < about["bound"]
