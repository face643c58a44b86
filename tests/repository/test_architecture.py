"""The layout: `aulib` is the paper alone, and imports in `companion` go one way."""

import ast
import sys
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

from companion.base.paths import ROOT
from companion.standin.tree import MODULES as MODULES_OF_THE_RENDERER

FOLDERS = (
    *("base", "bp4d", "faces", "crops", "methods", "training"),
    *("analysis", "standin", "workflow"),
)
"""A folder may import the folders before it."""

THE_PAPER = {"__init__", "sampler", "model", "loss", "inference", "icc"}
LONGEST = 60  # lines of a function without its docstring
RENDERER = set(MODULES_OF_THE_RENDERER) - {"labels", "tree"}


def modules() -> dict[str, Path]:
    """All modules of both packages, by dotted name."""
    found = {}
    for package in ("aulib", "companion"):
        for path in sorted((ROOT / package).rglob("*.py")):
            parts = path.relative_to(ROOT).with_suffix("").parts
            found[".".join(parts).removesuffix(".__init__")] = path
    return found


def imports_of(name: str, source: str, known: set[str]) -> set[str]:
    """What a module imports: modules of ours by dotted name, others by package.

    Imports inside functions count too.
    """
    found = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{name}: a relative import"
            for alias in node.names:
                full = f"{node.module}.{alias.name}"
                found.add(full if full in known else node.module)
    return {i if i in known else i.split(".")[0] for i in found}


MODULES = modules()
IMPORTS = {
    name: imports_of(name, path.read_text(), set(MODULES))
    for name, path in MODULES.items()
}


def wrong_imports(imports: dict[str, set[str]]) -> list[str]:
    """Imports of `companion` by `aulib`, and of a later folder by an earlier one."""
    wrong = []
    for name, imported in imports.items():
        for other in imported:
            if not other.startswith("companion"):
                continue
            if name.startswith("aulib"):
                wrong.append(f"{name} imports {other}")
            elif name.count(".") and other.count("."):
                here, there = (FOLDERS.index(n.split(".")[1]) for n in (name, other))
                if there > here:
                    wrong.append(f"{name} imports {other}")
    return wrong


def cycle(imports: dict[str, set[str]]) -> list[str] | None:
    try:
        TopologicalSorter(imports).prepare()
    except CycleError as error:
        return error.args[1]
    return None


def test_aulib_is_the_five_modules_of_the_paper():
    paths = [path for name, path in MODULES.items() if name.startswith("aulib")]
    assert {path.stem for path in paths} == THE_PAPER
    assert sum(len(path.read_text().splitlines()) for path in paths) <= 500


def test_aulib_imports_numpy_torch_torchvision_and_itself():
    imported = set()
    for name in MODULES:
        if name.startswith("aulib"):
            imported |= {other.split(".")[0] for other in IMPORTS[name]}
    assert imported - set(sys.stdlib_module_names) <= {
        "numpy",
        "torch",
        "torchvision",
        "aulib",
    }


def test_the_folders_are_these():
    assert {p.name for p in (ROOT / "companion").iterdir() if p.is_dir()} - {
        "__pycache__"
    } == set(FOLDERS)
    listed = (ROOT / "companion" / "__init__.py").read_text()
    places = [listed.index(f"\n    {folder} ") for folder in FOLDERS]
    assert places == sorted(places)


def test_no_import_goes_the_wrong_way():
    assert wrong_imports(IMPORTS) == []


def test_no_imports_form_a_cycle():
    assert cycle(IMPORTS) is None


def test_the_crops_do_not_know_a_detector():
    for name, imported in IMPORTS.items():
        if name.split(".")[1:2] in (["crops"], ["methods"], ["training"]):
            assert "companion.faces.detect" not in imported, name


@pytest.mark.parametrize("line", ["import numpy", "from numpy import array"])
def test_a_wrong_import_or_a_cycle_would_be_seen(line):
    known = set(MODULES)
    up = imports_of("x", f"{line}\nfrom companion.training import run", known)
    assert up == {"numpy", "companion.training.run"}
    assert wrong_imports({"aulib.loss": up}) == [
        "aulib.loss imports companion.training.run"
    ]
    assert wrong_imports({"companion.crops.store": up}) == [
        "companion.crops.store imports companion.training.run"
    ]
    assert wrong_imports({"companion.analysis.runs": up}) == []
    within = imports_of("x", "def f():\n    from companion.bp4d import frames", known)
    assert within == {"companion.bp4d.frames"}
    assert cycle({"a": {"b"}, "b": {"c"}, "c": {"a"}})
    assert not cycle({"a": {"b", "c"}, "b": {"c"}})


def functions(path: Path):
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.FunctionDef):
            body = node.body
            doc = ast.get_docstring(node) is not None
            first = body[1] if doc and len(body) > 1 else body[0]
            start = first.lineno if doc else node.lineno
            header = body[0].lineno - node.lineno if doc else 0
            yield node.name, node.end_lineno - start + 1 + header


def test_no_function_outside_the_renderer_is_longer_than_a_screen():
    long = [
        f"{name}.{function}: {lines} lines"
        for name, path in MODULES.items()
        if path.stem not in RENDERER
        for function, lines in functions(path)
        if lines > LONGEST
    ]
    assert long == []
