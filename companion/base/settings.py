"""What the YAML files of profiles and grids may hold, and the one check of both.

The rules are JSON Schema. Each `description` ends the sentence "<value> is not …".
"""

from collections.abc import Hashable
from difflib import get_close_matches
from math import isfinite
from pathlib import Path

import yaml
from jsonschema import Draft202012Validator
from jsonschema.exceptions import ValidationError, best_match
from jsonschema.validators import extend


def _value(description: str, kind: str | list[str], **limits: object) -> dict:
    return {"description": description, "type": kind, **limits}


def _choice(*names: str) -> dict:
    return _value(f"one of {', '.join(names)}", "string", enum=[*names])


def _keys(kind: str | list[str] = "object", **rules: dict) -> dict:
    """A mapping that has exactly these keys."""
    shape = {"properties": rules, "required": [*rules], "additionalProperties": False}
    return _value("a list of keys with values", kind, **shape)


def _named(item: dict, kind: str | list[str] = "object", **limits: int) -> dict:
    """A mapping from free names to items."""
    shape = {"propertyNames": NAME, "additionalProperties": item}
    return _value("a list of names, each with its keys", kind, **shape, **limits)


COUNT = _value("a whole number of 1 or more", "integer", minimum=1)
SEED = _value(
    "a whole number of 0 or more, below 2^63", "integer", minimum=0, maximum=2**63 - 1
)
SIDE = _value("a whole number of 32 or more", "integer", minimum=32)
ABOVE_0 = _value("a number above 0", "number", exclusiveMinimum=0)
WIDTH = _value(
    "a multiple of 1/64 above 0", "number", multipleOf=1 / 64, minimum=1 / 64
)
LINE = r"\A\S.*\Z"
TEXT = _value("a line of text", "string", pattern=LINE)
PATH_OR_NULL = _value("a path, or null", ["string", "null"], pattern=LINE)
# Names become parts of the names of files, and of Snakemake's wildcards.
NAME = _value(
    "a name of letters, digits, '-', '_' and '.'",
    "string",
    pattern=r"\A[A-Za-z0-9][A-Za-z0-9_.-]*\Z",
)
SOME = {"minItems": 1, "uniqueItems": True}
SEEDS = _value("a list of different seeds: [42, 43]", "array", items=SEED, **SOME)
NAMES = _value("a list of different names", "array", items=NAME, **SOME)
SPLIT = {"train": COUNT, "evaluation": COUNT}

MODEL = _keys(
    method=_choice("baseline", "proposed", "classifier", "structured"),
    learning_rate=ABOVE_0,
    scale=ABOVE_0,
    sampler=_choice("multinomial", "joint", "shuffle", "iterative"),
    weights=_value("null, imagenet or a path", ["string", "null"], pattern=LINE),
)
"""A model of a grid."""

HOG = _keys(method=_choice("hog"))
"""The model of a grid that is no network."""

PAPERS_MODEL = _keys(
    **MODEL["properties"] | {"method": _choice("baseline", "proposed")}
)
"""A model of a profile: the notebooks show the paper's two networks."""

PROFILE = _keys(
    title=TEXT,
    data_root=TEXT,
    standin=_keys(
        ["object", "null"],
        seed=SEED,
        frames_per_task=_keys(["integer", "object"], **SPLIT)
        | {
            "description": COUNT["description"] + ", or one for each split",
            "minimum": 1,
        },
        height=SIDE,
        width=SIDE,
    ),
    boxes=PATH_OR_NULL,
    crop_size=SIDE,  # VGG16 halves it five times
    network_width=WIDTH,
    epochs=COUNT,
    learning_rate_step=COUNT,
    batch_size=COUNT,
    accumulation=COUNT,
    momentum=_value(
        "a number from 0 to below 1", "number", minimum=0, exclusiveMaximum=1
    ),
    weight_decay=_value("a number of 0 or more", "number", minimum=0),
    seeds=SEEDS,
    threads=COUNT,
    models=_named(PAPERS_MODEL) | {"required": ["baseline", "proposed"]},
)

GRID = _keys(
    profiles=NAMES,
    seeds=SEEDS,
    # What a model of a grid holds depends on the profile: `companion.base.grids`.
    models=_named(_value("a list of keys with values", "object"), ["object", "null"]),
    changes=_named(
        _named(
            _value("a list of keys with values", "object", properties={"title": TEXT}),
            minProperties=1,
        ),
        ["object", "null"],
    ),
)


def read_settings(path: Path, schema: dict) -> dict:
    """Read a YAML file and check it.

    Raises:
        ValueError: there is no such file, it is no YAML, or it breaks the schema; one
            line that names the file, the key, the value and what is right.
    """
    if not path.is_file():
        known = ", ".join(sorted(other.stem for other in path.parent.glob("*.yaml")))
        raise ValueError(f"{path}: no such file; there are {known}")
    try:
        settings = yaml.load(path.read_bytes(), _Loader)
    except yaml.MarkedYAMLError as error:
        raise ValueError(
            f"{path}, line {error.problem_mark.line + 1}: {error.problem}; quote text "
            "that holds ': ' or '#', and indent with blanks"
        ) from None
    except yaml.YAMLError as error:
        reason = str(error).split("\n")[0]
        raise ValueError(f"{path}: no YAML ({reason}); save it as UTF-8") from None
    check(settings, schema, str(path))
    return settings


def check(settings: object, schema: dict, where: str) -> None:
    """Raise a ValueError if `settings` break a schema of this module.

    Args:
        settings: plain values, as YAML gives them.
        schema: one of this module's.
        where: the start of the message, such as the file's name.
    """
    error = best_match(_Validator(schema).iter_errors(settings))
    if error is not None:
        raise ValueError(f"{where}: {_sentence(error)}")


def _sentence(error: ValidationError) -> str:
    place = ".".join(map(str, error.absolute_path))
    found, rules = error.instance, error.schema
    of = f" of {place}" if place else ""
    if error.validator == "required":
        missing = next(key for key in error.validator_value if key not in found)
        return f"key {missing!r}{of} is missing"
    if error.validator == "additionalProperties":
        unknown = next(key for key in found if key not in rules["properties"])
        near = get_close_matches(str(unknown), rules["properties"], 1)
        hint = f"did you mean {near[0]!r}?" if near else "remove it"
        return f"key {unknown!r}{of} is unknown; {hint}"
    return (
        f"{place or 'the file'}: {found!r} is not {rules['description']}{_hint(found)}"
    )


def _hint(found: object) -> str:
    """What to say about text that looks like a number."""
    try:
        float(found if isinstance(found, str) else "")
    except ValueError:
        return ""
    return "; to YAML it is text: write numbers without quotes, and 1e-3 as 0.001"


def _is_integer(_, value: object) -> bool:
    """JSON Schema takes 2.0 for an integer; `range` does not."""
    return isinstance(value, int) and not isinstance(value, bool)


def _is_number(_, value: object) -> bool:
    """JSON has neither NaN nor infinity; YAML has both."""
    return _is_integer(_, value) or (isinstance(value, float) and isfinite(value))


_Validator = extend(
    Draft202012Validator,
    type_checker=Draft202012Validator.TYPE_CHECKER.redefine_many(
        {"integer": _is_integer, "number": _is_number}
    ),
)


class _Loader(yaml.SafeLoader):
    """Refuses a key that stands twice, of which YAML would silently take the last."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict:
        seen = set()
        for key_node, _ in node.value:
            key = self.construct_object(key_node, deep=True)
            if isinstance(key, Hashable) and key in seen:
                raise yaml.MarkedYAMLError(
                    problem=f"key {key!r} stands twice",
                    problem_mark=key_node.start_mark,
                )
            seen.add(key)
        return super().construct_mapping(node, deep)
