"""The paper's claims, and a verdict on each."""

VERDICTS = {True: "holds", False: "does not hold", None: "cannot be decided here"}
OPEN = "undecided"

Claim = dict[str, str]
"""where, claim, verdict (one of `VERDICTS`), because; and here: what is found on the
data at hand if they can't decide the claim: "holds", "does not hold" or `OPEN`. It is
empty if the claim is decided without them, or if they don't bear on it."""


def claim_row(where: str, claim: str, holds: bool | None, because: str) -> Claim:
    """A claim with a verdict.

    Args:
        where: the place in the paper.
        claim: the claim, in words.
        holds: None if it cannot be decided.
        because: the evidence.
    """
    verdict = VERDICTS[None if holds is None else bool(holds)]
    row = {"where": where, "claim": claim, "verdict": verdict, "because": because}
    return row | {"here": ""}


def row_of_ours(
    where: str, claim: str, found: bool | None, because: str, title: str, standin: bool
) -> Claim:
    """A claim that is judged by our own runs, which a stand-in's can't decide.

    Args:
        where, claim: as for `claim_row`.
        found: whether it holds on the data at hand; None if they don't tell.
        because: the evidence.
        title: of the data, such as "stand-in data".
        standin: whether they are a stand-in's: then there is no verdict, and what is
            found becomes part of the evidence.
    """
    if not standin:
        return claim_row(where, claim, found, f"{title}: {because}")
    here = OPEN if found is None else VERDICTS[bool(found)]
    said = f"is {OPEN}" if found is None else here
    row = claim_row(where, claim, None, f"on {title} it {said}: {because}")
    return row | {"here": here}


class Verdicts:
    """The verdicts of a notebook, in order; a cell that runs again replaces its own."""

    def __init__(self, title: str, standin: bool) -> None:
        """Begin without any.

        Args:
            title, standin: of the data at hand, as for `row_of_ours`.
        """
        self.title, self.standin = title, standin
        self.rows: list[Claim] = []

    def judge(self, where: str, claim: str, holds: bool | None, because: str) -> None:
        """Print a verdict and keep it; arguments as for `claim_row`."""
        self._keep(claim_row(where, claim, holds, because))

    def judge_ours(
        self, where: str, claim: str, found: bool | None, because: str
    ) -> None:
        """The same for a claim that our runs judge; see `row_of_ours`."""
        row = row_of_ours(where, claim, found, because, self.title, self.standin)
        self._keep(row)

    def _keep(self, row: Claim) -> None:
        print(f"{row['claim']}\n  {row['verdict']}: {row['because']}")
        for place, old in enumerate(self.rows):
            if (old["where"], old["claim"]) == (row["where"], row["claim"]):
                self.rows[place] = row
                return
        self.rows.append(row)


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
    lines = [f"- {row['where']}: {row['claim']}" for row in wrong]
    head = "This does not hold:" if no == 1 else "These do not hold:"
    return "\n".join([said, "", head, "", *lines] if wrong else [said])
