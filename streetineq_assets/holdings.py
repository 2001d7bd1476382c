"""What an artefact holds, and what would be lost if another took its place.

An input that is absent is not an input that was removed: a disk may be away, or a list half copied.
So an artefact is not replaced by one that holds nothing, nor by one that lost more than half of
anything that it is counted by, unless someone says so.

Holdings are counts by name. The names are those of the study as it is: what it no longer asks for
is in the old artefact alone, and is not missed.
"""

from collections.abc import Mapping
from pathlib import Path

from streetineq_assets.errors import LossError
from streetineq_assets.findings import Findings, Unavailable
from streetineq_assets.manifests import Manifest

_REMEDY = (
    "Is a disk away, or a file half copied? Put it back and run it again; or, where the loss is "
    "wanted, start the run yourself with allow_loss (`streetineq run --allow-loss`, or in the UI "
    "the run's tag streetineq/allow_loss: true)"
)
_MOST_NAMED = 5
_ROWS = "rows"  # of the main table, where nothing else is said


def count(findings: Findings, folder: Path, asset: str) -> dict[str, int]:
    """What the files in a folder hold, by the findings or by the rows of the asset's main table."""
    if findings.unavailable:
        return {}
    if findings.holdings:
        return findings.holdings
    rows = findings.n_rows
    if rows is None:
        rows = _parquet_rows(folder / f"{asset}.parquet")
    return {} if rows is None else {_ROWS: rows}


def lost_from(
    before: Manifest | None,
    folder: Path,
    held: Mapping[str, int],
    why: Unavailable | None,
    *,
    allowed: bool,
) -> list[str]:
    """What is given up by putting an artefact that holds so much into the place of another.

    Args:
        before: the other, in `folder`; None when there is none.
        why: there is nothing in its place.

    Returns:
        A phrase for each loss; none where the study asks for nothing there.

    Raises:
        LossError: something would be lost, and that is not allowed.
    """
    if before is None or (why and why.by_settings):
        return []
    lost = losses(_of(before, folder / before.generation), held)
    if lost and not allowed:
        raise LossError(_refusal(before.label, lost, why))
    return lost


def losses(before: Mapping[str, int], after: Mapping[str, int]) -> list[str]:
    """What more than half is gone of, in words; a phrase for each name that both know.

    What is unavailable, or takes the place of an artefact that was counted by its rows alone, has
    lost all where it holds nothing.
    """
    nothing = not after or (before.keys() == {_ROWS} and not sum(after.values()))
    if nothing and sum(before.values()):
        return [f"{name} ({number:,} to 0)" for name, number in before.items() if number]
    return [
        f"{name} ({before[name]:,} to {number:,})"
        for name, number in after.items()
        if 2 * number < before.get(name, 0)
    ]


def _refusal(label: str, lost: list[str], why: Unavailable | None) -> str:
    """Why an artefact is not replaced: what would be lost, for want of what, and how to consent."""
    more = f" and {len(lost) - _MOST_NAMED} more" if len(lost) > _MOST_NAMED else ""
    reason = f", since {why}" if why else ""
    return (
        f"{label} would lose more than half of: {', '.join(lost[:_MOST_NAMED])}{more}{reason}. "
        f"Nothing was published, what was there stays. {_REMEDY}"
    )


def _of(manifest: Manifest, folder: Path) -> dict[str, int]:
    """What an artefact in place holds; earlier versions did not record it, so rows are counted."""
    if manifest.holdings or manifest.unavailable:
        return manifest.holdings
    shown = Findings.from_summary(manifest.summary)
    return count(shown, folder, manifest.asset)


def _parquet_rows(file: Path) -> int | None:
    """None where there is no such table, or none that can be read."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        return pq.read_metadata(file).num_rows
    except (FileNotFoundError, pa.ArrowInvalid):
        return None
