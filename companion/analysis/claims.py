"""The paper's claims, and a verdict on each."""

VERDICTS = {True: "holds", False: "does not hold", None: "cannot be decided here"}


def judge_claim(
    where: str, claim: str, holds: bool | None, because: str
) -> dict[str, str]:
    """Print the verdict on a claim and return it as a row of the table of claims.

    Args:
        where: the place in the paper.
        claim: the claim, in words.
        holds: None if the data at hand cannot decide it.
        because: the evidence.

    Returns:
        where, claim, verdict (one of `VERDICTS`) and because.
    """
    answer = VERDICTS[None if holds is None else bool(holds)]
    print(f"{claim}\n  {answer}: {because}")
    return {"where": where, "claim": claim, "verdict": answer, "because": because}
