"""The pages' parts that are made from recorded files: tables and figures.

Each function returns the HTML of one part. It takes `say`, which translates, and
`link`, which turns a path of this repository (or `notebook.ipynb#heading`) into an
address.
"""

import json
import re
from collections.abc import Callable
from html import escape
from pathlib import Path

import pandas as pd
from PIL import Image

from companion.analysis.claims import EVIDENCE, OPEN, VERDICTS, literally
from companion.base.paths import ROOT
from companion.bp4d import AU_NAMES
from companion.workflow.site_words import Say, template, with_symbols

RECORDED = Path("data/recorded/standin")
TABLES = ROOT / RECORDED / "tables"
CLAIMS_NOTEBOOK = "notebooks/08_claims.ipynb"
CLASSES = {VERDICTS[True]: "yes", VERDICTS[False]: "no", VERDICTS[None]: "open"}
"""Verdict → its name in style sheets, scripts and addresses."""
FORMATS = {"PDF": "vector", "SVG": "vector", "PNG": "image", "CSV": "numbers"}

Link = Callable[[str], str]
"""A path of this repository, with or without a heading's anchor → an address."""


def read_verdicts() -> list[dict[str, str]]:
    """The claims with their verdicts, as notebook 08 recorded them."""
    table = pd.read_csv(TABLES / "claims.csv", dtype=str, keep_default_na=False)
    return table.to_dict("records")


def anchor(heading: str) -> str:
    """The anchor of a heading, as in the notebooks' links."""
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")


def totals(claims: list[dict[str, str]], say: Say) -> str:
    """How many claims hold, do not, and stay open; each total filters the table.

    Args:
        claims: of `read_verdicts`.
    """
    yes, no, open_ = VERDICTS.values()
    count = {v: sum(c["verdict"] == v for c in claims) for v in VERDICTS.values()}
    here = [c["here"] for c in claims if c["verdict"] == open_]
    kindly = sum(map(literally, claims))
    notes = {
        yes: say("by the paper's print, by algebra or by public counts"),
        no: say(f"{kindly} of them only if taken at their word"),
        open_: say(
            f"on stand-in data {here.count(yes)} of them hold, {here.count(no)} do "
            f"not, {here.count(OPEN)} stay undecided; our runs have no bearing on "
            f"{here.count('')}"
        ),
    }
    heads = {yes: say("hold"), no: say("do not hold")}
    heads[open_] = say("cannot be decided with what we have")
    items = "\n".join(
        f'<li class="verdict-{kind}"><a href="#all-claims" data-show="{kind}">'
        f"<strong>{count[v]}</strong> {heads[v]}</a><span>{notes[v]}</span></li>"
        for v, kind in CLASSES.items()
    )
    head = say(f"Of {len(claims)} claims of the paper:")
    return f'<p>{head}</p>\n<ul class="totals">\n{items}\n</ul>'


def short_score(text: str) -> str:
    """A score without its zero, .85, as the README prints it."""
    return re.sub(r"\b0\.", ".", text)


def paper_table(say: Say) -> str:
    """The paper's Table II, on BP4D, as printed."""
    table = pd.read_csv(ROOT / "data/paper_table_2.csv", comment="#", dtype=str)
    rows = [
        [say(name), *map(short_score, scores)] for name, *scores in table.to_numpy()
    ]
    heads = [say("model"), *AU_NAMES, say("mean")]
    return _table(say("The paper, on BP4D: its Table II"), heads, rows, say)


def standin_table(say: Say) -> str:
    """Our rows of Table II, on stand-in data, with their intervals."""
    table = pd.read_csv(TABLES / "table_2_all.csv", dtype=str)
    table = table[table["data"].str.contains("stand-in")]
    intervals = pd.read_csv(TABLES / "intervals.csv").set_index(["what", "AU"])
    rows = []
    for row in table.to_dict("records"):
        cells = [say(row["model"])]
        for au in AU_NAMES:
            cells.append(short_score(row[au]))
            if (row["model"], au) in intervals.index:
                low, high = intervals.loc[(row["model"], au), ["low", "high"]]
                cells[-1] += "\n" + short_score(f"{low:.3f} to {high:.3f}")
        cells.append(short_score(row["mean"]) + "\n" + short_score(row["95 %"]))
        rows.append([*cells, short_score(row["best epoch, over seeds"])])
    heads = [say("model"), *AU_NAMES, say("mean"), say("mean of 3 seeds ± sd")]
    title = say("This repository, on stand-in data, with 95 % intervals over people")
    return _table(title, heads, rows, say)


def compression_table(say: Say) -> str:
    """The network of the page `face`, whole and in small, on stand-in data."""
    path = ROOT / "site" / "explorables" / "compression.csv"
    (found,) = pd.read_csv(path).to_dict("records")

    def scores(*names: str) -> list[str]:
        return [short_score(f"{found[name]:.4f}") for name in names]

    rows = [
        ["rank of both hidden layers", "full", f"{found['rank']}"],
        ["weights, biases and factors"]
        + [f"{found[name]:,}" for name in ("numbers", "small_numbers")],
        ["size in MB"]
        + [f"{found[name] / 1e6:.2f}" for name in ("bytes", "small_bytes")],
        [f"mean ICC, {found['training_frames']:,} training frames"]
        + scores("training_icc", "small_training_icc"),
        [
            f"mean ICC, {found['evaluation_frames']:,} evaluation frames of "
            f"{found['people']} people"
        ]
        + scores("evaluation_icc", "small_evaluation_icc"),
        ["levels that are the same", "", f"{100 * found['same_levels']:.1f} %"],
    ]
    title = say(
        f"The {found['model']} network of the recorded run with seed {found['seed']}, "
        f"epoch {found['epoch']}, on stand-in data. With its {found['faces']} faces it "
        f"is a script of {found['script_bytes'] / 1e6:.2f} MB."
    )
    heads = [say(head) for head in ("what", "the network", "in small")]
    rows = [[say(name), *cells] for name, *cells in rows]
    return _table(title, heads, rows, say)


def _table(title: str, heads: list[str], rows: list[list[str]], say: Say) -> str:
    """A table of scores; a cell's second line is its interval."""
    first, *others = heads
    lines = [f'<table class="scores">\n<caption>{title}</caption>\n<thead><tr>']
    lines += [f'<th scope="col">{escape(head)}</th>' for head in heads]
    lines.append("</tr></thead>\n<tbody>")
    for name, *scores in rows:
        cells = [f'<th scope="row">{escape(name)}</th>']
        for head, score in zip(others, scores):
            value, _, interval = score.partition("\n")
            small = f" <small>{say(interval)}</small>" if interval else ""
            label = escape(head)
            cells.append(f'<td data-label="{label}"><b>{say(value)}</b>{small}</td>')
        lines.append(f"<tr>{''.join(cells)}</tr>")
    return "\n".join([*lines, "</tbody></table>"])


def figure(number: int, say: Say, link: Link) -> str:
    """One of the paper's figures on stand-in data, with what can be downloaded.

    Args:
        number: of the paper's figure.

    Raises:
        ValueError: notebook 05 has no such figure.
    """
    notebook = json.loads((ROOT / "notebooks/05_figures.ipynb").read_text())
    images = [c["metadata"].get("mystnb", {}).get("image") for c in notebook["cells"]]
    alts = [i["alt"] for i in images if i and i["alt"].startswith(f"Figure {number}.")]
    if len(alts) != 1:
        raise ValueError(f"notebooks/05_figures.ipynb: {len(alts)} of Figure {number}")
    path = f"figures/figure_{number}"
    with Image.open(ROOT / f"{path}.png") as image:
        width, height = image.size
    kinds = ", ".join(
        f'<a href="{link(f"{path}.{kind.lower()}")}">{kind}</a> ({say(what)})'
        for kind, what in FORMATS.items()
    )
    name = say(f"Figure {number}")
    return (
        f'<figure class="of-the-paper"><a href="{link(path + ".svg")}" '
        f'title="{say("open large")}"><img src="{link(path + ".png")}"'
        f'alt="{escape(say(alts[0]))}" width="{width}" height="{height}"></a>\n'
        f"<figcaption>{name}: {kinds}</figcaption></figure>"
    )


def claims_table(claims: list[dict[str, str]], say: Say, link: Link) -> str:
    """All claims with verdict, reason, uncertainty, and where they were computed.

    A script (`_static/claims.js`) shows the form and filters the rows; without it the
    table is whole.

    Args:
        claims: of `read_verdicts`.
    """
    sections = {c["section"]: _section(c["section"], say) for c in claims}
    options = [_options("section", say("section"), sections, say)]
    verdicts = {CLASSES[verdict]: say(verdict) for verdict in VERDICTS.values()}
    options.append(_options("verdict", say("verdict"), verdicts, say))
    shown = escape(say("# of # claims shown"))
    form = "\n".join(options)
    heads = say("claim"), say("verdict"), say("why, how sure, and from where")
    head = "".join(f'<th scope="col">{name}</th>' for name in heads)
    rows = "\n".join(_claim(claim, say, link) for claim in claims)
    return (
        f'<form id="claims-filter" hidden>\n{form}\n'
        f'<output aria-live="polite" data-text="{shown}"></output></form>\n'
        f'<table class="claims" id="claims">\n<thead><tr>{head}</tr></thead>\n'
        f"<tbody>\n{rows}\n</tbody></table>"
    )


def _options(name: str, label: str, values: dict[str, str], say: Say) -> str:
    every = f'<option value="">{say("all")}</option>'
    rest = "".join(
        f'<option value="{k}">{escape(v)}</option>' for k, v in values.items()
    )
    return f'<label>{label} <select name="{name}">{every}{rest}</select></label>'


def _claim(claim: dict[str, str], say: Say, link: Link) -> str:
    """One row of the claims table."""
    kind = CLASSES[claim["verdict"]]
    verdict = f'<span class="verdict-{kind}">{say(claim["verdict"])}</span>'
    if literally(claim):
        verdict += f" <small>{say('taken at its word')}</small>"
    if claim["here"]:
        found = f"{say('on stand-in data')}: {say(claim['here'])}"
        verdict += f" <small>{found}</small>"
    why = [sentence(say(claim["because"]))]
    if claim["kindly"]:
        why.append(f"{say('Kindly read')}: {with_symbols(say(claim['kindly']))}.")
    if claim["uncertainty"]:
        how = with_symbols(say(claim["uncertainty"]))
        why.append(f"<em>{say('Uncertainty')}:</em> {how}.")
    where = [f"{say('Evidence')}: {say(EVIDENCE[claim['evidence']])}"]
    heading = link(f"{CLAIMS_NOTEBOOK}#{anchor(claim['heading'])}")
    where.append(
        f'<a href="{heading}">{say("notebook 08")}, <span lang="en">'
        f"{escape(claim['heading'])}</span></a>"
    )
    if claim["artifact"]:
        path = claim["artifact"]
        where.append(f'<a href="{link(path)}"><code>{path}</code></a>')
    section = _section(claim["section"], say)
    return (
        f'<tr id="claim-{claim["claim"]}" data-section="{claim["section"]}" '
        f'data-verdict="{kind}"><td><small>{section}</small>\n'
        f"<p>{sentence(say(claim['english']))}</p>\n"
        f'<p><q lang="pt-BR">{escape(claim["quotation"])}</q></p></td>\n'
        f"<td>{verdict}</td>\n<td><p>{' '.join(why)}</p>\n"
        f'<p class="where">{" · ".join(where)}</p></td></tr>'
    )


def _section(name: str, say: Say) -> str:
    """A section's name in words: Section V, Abstract, Fig. 2."""
    return f"{say('Section')} {name}" if name[0] in "IV" else say(name)


def sentence(text: str) -> str:
    """HTML of a text with a capital at its start and a full stop at its end."""
    text = text.replace(" %", "\N{NO-BREAK SPACE}%")
    return with_symbols(text[0].upper() + text[1:] + "." * (text[-1] not in ".?!”"))


def recorded_files(say: Say, link: Link) -> str:
    """Everything under `data/recorded/standin`, a list for each directory."""
    top = ROOT / RECORDED
    parts = []
    for folder in [top, *sorted(path for path in top.rglob("*") if path.is_dir())]:
        name = folder.relative_to(ROOT).as_posix()
        items = []
        for path in sorted(folder.iterdir()):
            size = f", {say(f'{path.stat().st_size / 1000:,.0f} kB')}"
            address = link(f"{name}/{path.name}")
            items.append(
                f'<li><a href="{address}"><code>{path.name}</code></a>'
                f"{size if path.is_file() else ''}</li>"
            )
        head = f'<h2 id="{file_anchor(name)}">{name}</h2>'
        parts.append("\n".join([head, "<ul>", *items, "</ul>"]))
    return "\n".join(parts)


def file_anchor(path: str) -> str:
    """The anchor of a directory on the page of recorded files."""
    return re.sub(r"\W+", "-", path)


PARTS: dict[str, Callable[[Say, Link], str]] = {
    "totals": lambda say, link: totals(read_verdicts(), say),
    "paper-table": lambda say, link: paper_table(say),
    "standin-table": lambda say, link: standin_table(say),
    **{
        f"figure-{n}": lambda say, link, n=n: figure(n, say, link) for n in (2, 5, 6, 7)
    },
    "compression": lambda say, link: compression_table(say),
    "claims": lambda say, link: claims_table(read_verdicts(), say, link),
    "recorded-files": recorded_files,
}
"""Name of a part in the site's pages → the function that makes it."""


def messages(part: str) -> list[str]:
    """What is to be translated in a part, its numbers left out."""
    found = {}

    def say(text: str) -> str:
        pattern, _ = template(text)
        if re.search(r"[^\W\d_]", pattern):
            found[pattern] = True
        return text

    PARTS[part](say, lambda path: path)
    return list(found)
