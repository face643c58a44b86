"""How to cite and to archive this repository, in four forms (`make metadata`).

`pyproject.toml` is the one source: `[project]`, `[tool.aulib.release]` and
`[tool.aulib.paper]`; the version is that of `aulib`. From it come

    CITATION.cff            for those who cite it: Citation File Format 1.2.0
    codemeta.json           for catalogues of software: CodeMeta 3.0
    .zenodo.json            for a deposit in Zenodo
    ro-crate-metadata.json  for archives of research: RO-Crate 1.2, with the notebooks

Equal sources give equal files.

    python -m companion.workflow.metadata
"""

import json
import re
import tomllib

import yaml
from rocrate.model.contextentity import ContextEntity
from rocrate.rocrate import ROCrate

from aulib import __version__
from companion.base.paths import ROOT

SPDX = "https://spdx.org/licenses/"

FOLDERS = {
    "aulib/": "The paper's equations, networks and metric",
    "companion/": "What it takes to run them: data, training, analysis, tools",
    "data/paper/": "What the paper says: its numbers, and its claims one by one",
    "data/recorded/": "Recorded trainings on stand-in data, and tables made from them",
    "docs/": "How to run it, choices where the paper is silent, a glossary",
    "figures/": "Figures that the notebooks drew, each with its numbers and origin",
    "tests/": "Tests",
}
"""What the RO-Crate lists beside the notebooks."""


def read_facts() -> dict:
    """The three tables of pyproject.toml, the first with the version."""
    read = tomllib.loads((ROOT / "pyproject.toml").read_text())
    own = read["tool"]["aulib"]
    return {
        "project": read["project"] | {"version": __version__},
        "release": own["release"],
        "paper": own["paper"],
    }


def citation(project: dict, release: dict, paper: dict) -> str:
    """CITATION.cff."""
    record = {
        "cff-version": "1.2.0",
        "message": "If you use this software, cite it and the paper that it runs. "
        + release["repository"],
        "type": "software",
        "title": release["title"],
        "abstract": release["summary"].strip(),
        "version": project["version"],
        "date-released": release["date"],
        "license": project["license"],
        "authors": project["authors"],
        "keywords": project["keywords"],
        "preferred-citation": {
            "type": "conference-paper",
            "title": paper["title"].strip(),
            "authors": [
                {"family-names": family, "given-names": given}
                for family, given in paper["authors"]
            ],
            "year": paper["year"],
            "languages": [paper["language"]],
            "collection-title": paper["collection"],
            "conference": {"name": paper["conference"]},
        },
    }
    text = yaml.safe_dump(record, sort_keys=False, allow_unicode=True, width=88)
    return f"# Written by `make metadata` from pyproject.toml.\n{text}"


def _paper(paper: dict) -> dict:
    """The paper in schema.org's terms, as CodeMeta nests it."""
    return {
        "@type": "ScholarlyArticle",
        "name": paper["title"].strip(),
        "author": [
            {"@type": "Person", "familyName": family, "givenName": given}
            for family, given in paper["authors"]
        ],
        "datePublished": str(paper["year"]),
        "inLanguage": paper["language"],
        "isPartOf": {"@type": "PublicationIssue", "name": paper["collection"]},
    }


def codemeta(project: dict, release: dict, paper: dict) -> dict:
    """codemeta.json."""
    return {
        "@context": "https://w3id.org/codemeta/3.0",
        "@type": "SoftwareSourceCode",
        "name": project["name"],
        "description": f"{release['summary'].strip()} {release['repository']}",
        "version": project["version"],
        "datePublished": release["date"],
        "license": SPDX + project["license"],
        "author": [
            {"@type": "Organization", "name": author["name"]}
            for author in project["authors"]
        ],
        "keywords": project["keywords"],
        "programmingLanguage": "Python",
        "runtimePlatform": f"Python {project['requires-python']}",
        "operatingSystem": ["Linux", "macOS"],
        "softwareRequirements": [
            re.match(r"[\w.-]+", line)[0] for line in project["dependencies"]
        ],
        "readme": "README.md",
        "referencePublication": _paper(paper),
    }


def zenodo(project: dict, release: dict, paper: dict) -> dict:
    """.zenodo.json."""
    names = [f"{given} {family}" for family, given in paper["authors"]]
    reference = f"{', '.join(names)}. {paper['title'].strip()}. {paper['collection']}."
    return {
        "upload_type": "software",
        "title": release["title"],
        "description": f"<p>{release['summary'].strip()}</p>",
        "creators": project["authors"],
        "version": project["version"],
        "publication_date": release["date"],
        "access_right": "open",
        "license": project["license"],
        "language": "eng",
        "keywords": project["keywords"],
        "references": [reference],
    }


def crate(project: dict, release: dict, paper: dict) -> dict:
    """ro-crate-metadata.json."""
    made = ROCrate(version="1.2")

    def add(identifier: str, **properties: object) -> ContextEntity:
        own = {
            key.replace("type_", "@type"): value for key, value in properties.items()
        }
        return made.add(ContextEntity(made, identifier, properties=own))

    authors = [
        add(f"#author-{number}", type_="Organization", name=author["name"])
        for number, author in enumerate(project["authors"], 1)
    ]
    people = [
        add(f"#{family}", type_="Person", familyName=family, givenName=given)
        for family, given in paper["authors"]
    ]
    article = _paper(paper) | {"author": people, "isPartOf": paper["collection"]}
    article["type_"] = article.pop("@type")
    python = add("https://www.python.org/", type_="ComputerLanguage", name="Python")
    made.name = release["title"]
    made.description = f"{release['summary'].strip()} {release['repository']}"
    made.datePublished = release["date"]
    made.license = add(
        SPDX + project["license"], type_="CreativeWork", name=project["license"]
    )
    made.keywords = ", ".join(project["keywords"])
    made.root_dataset["author"] = authors
    made.root_dataset["version"] = project["version"]
    made.root_dataset["citation"] = add("#paper", **article)
    text = {"encodingFormat": "text/markdown"}
    about = {"name": "README", **text}
    made.add_file(ROOT / "README.md", "README.md", properties=about)
    for path in sorted((ROOT / "notebooks").glob("0*.ipynb")):
        cells = json.loads(path.read_text())["cells"]
        about = {
            "@type": ["File", "SoftwareSourceCode"],
            "name": cells[0]["source"][0].removeprefix("# ").strip(),
            "encodingFormat": "application/x-ipynb+json",
            "programmingLanguage": python,
        }
        made.add_file(path, f"notebooks/{path.name}", properties=about)
    for folder, name in FOLDERS.items():
        made.add_dataset(ROOT / folder, folder, properties={"name": name})
    return made.metadata.generate()


def metadata_files() -> dict[str, str]:
    """Name → text of the four files."""
    facts = read_facts()
    files = {
        "codemeta.json": codemeta(**facts),
        ".zenodo.json": zenodo(**facts),
        "ro-crate-metadata.json": crate(**facts),
    }
    texts = {
        name: json.dumps(content, indent=2, ensure_ascii=False) + "\n"
        for name, content in files.items()
    }
    return {"CITATION.cff": citation(**facts)} | texts


def main() -> None:
    for name, text in metadata_files().items():
        (ROOT / name).write_text(text)
        print(name)


if __name__ == "__main__":
    main()
