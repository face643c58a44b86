"""The paper's claims, and a verdict on each.

`data/paper/claims.csv` lists the claims: an identifier, the section, a quotation, the
claim in English, the evidence that can decide it, the heading of notebook 08 under
which it is discussed, the file or folder that the verdict rests on; the reason, for a
claim that nothing at hand can decide; and, for one that is wrong only if it is taken at
its word, a kinder reading.
"""

import re

import pandas as pd

from companion.base.paths import ROOT

PATH = ROOT / "data" / "paper" / "claims.csv"

VERDICTS = {True: "holds", False: "does not hold", None: "cannot be decided here"}
OPEN = "undecided"
OPEN_CLAIMS = "open-claims"
"""The anchor of the claims that nothing at hand can decide."""

EVIDENCE = {
    "print": "the paper's own print",
    "algebra": "algebra",
    "public counts": "public counts of BP4D",
    "literature": "another publication",
    "runs": "our training runs",
    "draws": "draws from our labels",
    "BP4D": "the data set or the authors' runs",
}
"""What can decide a claim, as named in the list."""

OURS = ("runs", "draws")
"""Evidence of the data at hand, which can't decide a claim if they are a stand-in."""

EXACT = {
    "print": "none: print is compared with print",
    "algebra": "none: exact",
    "public counts": "none: all frames counted",
}
"""The uncertainty of a decided claim, by its evidence, if nothing else is said."""

Claim = dict[str, str]
"""The columns of `data/paper/claims.csv`, and
verdict: one of `VERDICTS`; because: the reason; uncertainty: an interval and over what.
here: what is found on the data at hand if they can't decide the claim: "holds", "does
not hold" or `OPEN`; empty if the claim is decided without them, or if they don't bear
on it."""

Finding = tuple[str, bool | None, str, str]
"""Identifier of a claim, whether it holds (None: undecided), because, uncertainty."""


def read_claims() -> pd.DataFrame:
    """The list of the paper's claims, indexed by their identifiers.

    Raises:
        ValueError: two claims have one identifier, or a kind of evidence is unknown.
    """
    table = pd.read_csv(PATH, keep_default_na=False, index_col="claim")
    if not table.index.is_unique:
        twice = table.index[table.index.duplicated()][0]
        raise ValueError(f"{PATH}: two claims are called '{twice}'; rename one")
    strange = sorted(set(table["evidence"]) - set(EVIDENCE))
    if strange:
        raise ValueError(
            f"{PATH}: unknown evidence '{strange[0]}'; use one of {', '.join(EVIDENCE)}"
        )
    return table


def literally(row: Claim) -> bool:
    """Whether a claim does not hold, but would in a kinder reading."""
    return row["verdict"] == VERDICTS[False] and bool(row["kindly"])


class Verdicts:
    """The verdicts of a notebook; a cell that runs again replaces its own."""

    def __init__(self, title: str, standin: bool) -> None:
        """Begin with the claims that nothing at hand can decide.

        Args:
            title: of the data at hand, such as "stand-in data".
            standin: whether they are a stand-in. Its runs decide nothing about BP4D:
                what they show becomes part of the evidence.
        """
        self.title, self.standin = title, standin
        self._claims = read_claims()
        reasons = self._claims["reason"]
        self._judged: dict[str, Claim] = {
            claim: self._row(claim, None, reason)
            for claim, reason in reasons[reasons != ""].items()
        }

    def judge(
        self, claim: str, holds: bool | None, because: str, uncertainty: str = ""
    ) -> None:
        """Print a verdict and keep it.

        Args:
            claim: its identifier in `data/paper/claims.csv`.
            holds: whether it holds; None if that can't be told.
            because: the reason, in words and numbers.
            uncertainty: an interval and what it is over. Needed if the evidence is in
                `OURS`; else what `EXACT` says.

        Raises:
            KeyError: the list has no such claim.
            ValueError: runs are judged without an uncertainty.
        """
        row = self._row(claim, holds, because, uncertainty)
        self._judged[claim] = row
        found = f", {self.title}: {row['here']}" if row["here"] else ""
        plain = row["english"].replace("$", "")  # print shows no formulas
        lines = [f"{row['section']} · {plain}", f"{row['verdict']}{found}"]
        lines.append(row["because"])
        if literally(row):
            lines.append(f"kindly read: {row['kindly']}")
        if row["uncertainty"] and row["uncertainty"] not in EXACT.values():
            lines.append(f"uncertainty: {row['uncertainty']}")
        print("\n  ".join(lines))

    def keep(self, findings: list[Finding]) -> list[Claim]:
        """Keep verdicts without printing them, and return them."""
        for finding in findings:
            self._judged[finding[0]] = self._row(*finding)
        return [self._judged[finding[0]] for finding in findings]

    @property
    def rows(self) -> list[Claim]:
        """All verdicts so far, in the order of the list."""
        return [self._judged[c] for c in self._claims.index if c in self._judged]

    def table(self) -> pd.DataFrame:
        """All verdicts, one row for each claim of the list.

        Raises:
            ValueError: a claim of the list has not been judged.
        """
        missing = [claim for claim in self._claims.index if claim not in self._judged]
        if missing:
            raise ValueError(
                f"{PATH}: no verdict on '{missing[0]}' ({len(missing)} missing); judge "
                "it in notebook 08"
            )
        return pd.DataFrame(self.rows)

    def _row(
        self, claim: str, holds: bool | None, because: str, uncertainty: str = ""
    ) -> Claim:
        if claim not in self._claims.index:
            raise KeyError(f"{PATH}: no claim is called '{claim}'")
        known = {"claim": claim, **self._claims.loc[claim]}
        holds = None if holds is None else bool(holds)
        ours = known["evidence"] in OURS
        if ours and not uncertainty:
            raise ValueError(
                f"'{claim}' is judged by runs or draws: say how certain they are"
            )
        here = ""
        if ours and self.standin:
            here, holds = OPEN if holds is None else VERDICTS[holds], None
        if not (uncertainty or holds is None):
            uncertainty = EXACT.get(known["evidence"], "")
        found = {"because": because, "here": here, "uncertainty": uncertainty}
        return known | {"verdict": VERDICTS[holds]} | found


def claims_table(rows: list[Claim], title: str) -> str:
    """The verdicts with what they rest on; a Markdown table with links.

    Args:
        rows: claims with their verdicts.
        title: of the data at hand, if they are a stand-in; else "".
    """
    head = ["section", "claim", "verdict", *([f"on {title}"] if title else [])]
    head += ["rests on", "uncertainty"]
    lines = [" | ".join(head), " | ".join("---" for _ in head)]
    for row in rows:
        anchor = re.sub(r"[^\w\- ]", "", row["heading"].lower()).replace(" ", "-")
        anchor = OPEN_CLAIMS if row["reason"] else anchor
        verdict = row["verdict"] + (", literally" if literally(row) else "")
        cells = [row["section"], f"[{row['english']}](#{anchor})", verdict]
        cells += [row["here"] or "–"] if title else []
        file = f"[{row['evidence']}](../{row['artifact']})"
        cells.append(file if row["artifact"] else row["evidence"])
        cells.append(row["uncertainty"] or "–")
        lines.append(" | ".join(cell.replace("|", "\\|") for cell in cells))
    return "\n".join(f"| {line} |" for line in lines)


def list_verdicts(rows: list[Claim], title: str) -> str:
    """Each verdict with its reason and uncertainty; a Markdown list.

    Args:
        rows: claims with their verdicts.
        title: of the data at hand.
    """
    lines = []
    for row in rows:
        found = f" (on {title}: {row['here']})" if row["here"] else ""
        said = f"- **{row['verdict']}**{found} · {row['section']} · {row['english']}.  "
        because = row["because"][0].upper() + row["because"][1:]
        end = f" *Uncertainty: {row['uncertainty']}.*" if row["uncertainty"] else ""
        lines += [said, f"  {because}.{end}"]
    return "\n".join(lines)


def count_verdicts(rows: list[Claim], title: str, about: str = "of the paper") -> str:
    """How many claims hold, and a list of those that do not; Markdown.

    Args:
        rows: claims with their verdicts.
        title: of the data at hand.
        about: what the claims are about.
    """
    verdicts = [row["verdict"] for row in rows]
    yes, no, undecided = (verdicts.count(verdict) for verdict in VERDICTS.values())
    here = [row["here"] for row in rows]
    words = VERDICTS[True], VERDICTS[False], OPEN
    held, broken, left = (here.count(word) for word in words)
    others = undecided - held - broken - left
    said = (
        f"**Of {len(rows)} claims {about}, {yes} hold{'s' * (yes == 1)}, {no} "
        f"{'does' if no == 1 else 'do'} not hold, and {undecided} cannot be decided "
        "here.**"
    )
    if held or broken or left:
        said += (
            f" Of the latter, {held} hold on {title}, {broken} do not, and {left} stay "
            f"undecided; our runs have no bearing on the other {others}. This says "
            "nothing about BP4D."
        )
    wrong = [row for row in rows if row["verdict"] == VERDICTS[False]]
    lines = []
    for row in wrong:
        kindly = f" *Kindly read: {row['kindly']}.*" if row["kindly"] else ""
        lines.append(f"- {row['section']}: {row['english']}.{kindly}")
    head = "This does not hold" if no == 1 else "These do not hold"
    some = sum(map(literally, wrong))
    if some and no == 1:
        head += ", taken at its word"
    elif some:
        head += f", {some} of them only if taken at their word"
    return "\n".join([said, "", f"{head}:", "", *lines] if wrong else [said])


def list_reasons(rows: list[Claim]) -> str:
    """Why some claims have neither a verdict nor a finding; Markdown."""
    lines = [
        f"- {row['section']}: {row['english']}. *{row['because']}*"
        for row in rows
        if row["verdict"] == VERDICTS[None] and not row["here"]
    ]
    head = f'<a id="{OPEN_CLAIMS}"></a>These stay open, for the reason in italics:'
    return "\n".join([head, "", *lines])


def count_evidence(rows: list[Claim]) -> pd.DataFrame:
    """How many claims each kind of evidence decides: a row for each, and verdicts."""
    table = pd.crosstab(
        [row["evidence"] for row in rows], [row["verdict"] for row in rows]
    )
    table = table.reindex(list(EVIDENCE), columns=list(VERDICTS.values()), fill_value=0)
    return table.rename(index=EVIDENCE).rename_axis(index=None, columns=None)
