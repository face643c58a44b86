"""How to cite and archive this: four files of one source.

`tests/support/cff-1.2.0.schema.json` is the schema of the Citation File Format 1.2.0
(S. Druskat and others, CC BY 4.0), as the package cffconvert 2.0.0 has it.
"""

import json

import jsonschema
import pytest
import yaml

import aulib
from companion.base.paths import ROOT
from companion.workflow import metadata

FILES = metadata.metadata_files()
SCHEMA = json.loads((ROOT / "tests/support/cff-1.2.0.schema.json").read_text())
PAPER = " ".join(aulib.__doc__.split())


def read(name: str) -> dict:
    text = (ROOT / name).read_text()
    return yaml.safe_load(text) if name.endswith(".cff") else json.loads(text)


@pytest.mark.parametrize("name", FILES)
def test_the_file_is_what_its_source_gives(name):
    assert (ROOT / name).read_text() == FILES[name], "`make metadata` writes it anew"


def test_the_command_writes_them_all_and_nothing_else(tmp_path, monkeypatch):
    (tmp_path / "notebooks").mkdir()
    (tmp_path / "README.md").touch()
    source = (ROOT / "pyproject.toml").read_text()
    (tmp_path / "pyproject.toml").write_text(source.replace('"MIT"', '"BSD-2-Clause"'))
    before = set(tmp_path.iterdir())
    monkeypatch.setattr(metadata, "ROOT", tmp_path)
    metadata.main()
    written = set(tmp_path.iterdir()) - before
    assert {path.name for path in written} == set(FILES)
    for path in written:
        assert "BSD-2-Clause" in path.read_text() and "MIT" not in path.read_text()


def test_the_citation_is_valid_and_complete():
    citation = read("CITATION.cff")
    jsonschema.validate(citation, SCHEMA)
    for key in ("authors", "title", "message"):
        lacking = {k: v for k, v in citation.items() if k != key}
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.validate(lacking, SCHEMA)
    assert citation["version"] == aulib.__version__
    assert citation["authors"] == [{"name": "The aulib authors"}]
    assert "The aulib authors" in (ROOT / "LICENSE").read_text()
    assert "no public repository" in citation["message"]
    assert not {"repository-code", "repository", "url", "doi"} & set(citation)


def test_the_paper_is_what_to_cite():
    paper = read("CITATION.cff")["preferred-citation"]
    names = [author["family-names"] for author in paper["authors"]]
    assert names == ["Batista", "Bellon", "Silva"]
    assert all(
        f"{a['given-names']} {a['family-names']}" in PAPER for a in paper["authors"]
    )
    assert paper["type"] == "conference-paper" and paper["year"] == 2018
    assert paper["title"] in PAPER and f"SIBGRAPI {paper['year']}" not in paper["title"]
    assert str(paper["year"]) in PAPER


def test_all_four_say_the_same():
    citation, codemeta = read("CITATION.cff"), read("codemeta.json")
    zenodo, graph = read(".zenodo.json"), read("ro-crate-metadata.json")["@graph"]
    (root,) = [entity for entity in graph if entity["@id"] == "./"]
    dates = [codemeta["datePublished"], zenodo["publication_date"]]
    dates += [root["datePublished"]]
    assert dates == [citation["date-released"]] * 3
    versions = [codemeta["version"], zenodo["version"], root["version"]]
    assert versions == [citation["version"]] * 3
    assert codemeta["license"] == root["license"]["@id"]
    assert codemeta["license"].endswith(f"/{citation['license']}")
    assert zenodo["license"] == citation["license"]
    title = citation["preferred-citation"]["title"]
    assert codemeta["referencePublication"]["name"] == title
    assert title in zenodo["references"][0]
    (paper,) = [entity for entity in graph if entity["@id"] == root["citation"]["@id"]]
    assert paper["name"] == title and paper["datePublished"] == "2018"
    assert zenodo["creators"] == citation["authors"]


def references(value) -> set[str]:
    """The ids that an entity of a crate refers to."""
    if isinstance(value, dict):
        own = {value["@id"]} if set(value) == {"@id"} else set()
        return own.union(*map(references, value.values()))
    if isinstance(value, list):
        return set().union(*map(references, value))
    return set()


def test_the_crate_is_whole_and_lists_what_is_there():
    whole = read("ro-crate-metadata.json")
    assert whole["@context"] == "https://w3id.org/ro/crate/1.2/context"
    entities = {entity["@id"]: entity for entity in whole["@graph"]}
    assert len(entities) == len(whole["@graph"])
    about = entities["ro-crate-metadata.json"]
    assert about["conformsTo"] == {"@id": "https://w3id.org/ro/crate/1.2"}
    parts = {part["@id"] for part in entities["./"]["hasPart"]}
    notebooks = {f"notebooks/{p.name}" for p in (ROOT / "notebooks").glob("0*.ipynb")}
    assert notebooks < parts
    assert all((ROOT / part).exists() for part in parts)
    missing = references(whole["@graph"]) - set(entities)
    assert missing == {"https://w3id.org/ro/crate/1.2"}  # the specification itself
    assert {"name", "description", "datePublished", "license"} <= set(entities["./"])
