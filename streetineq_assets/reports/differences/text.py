"""How two sides differ, as text for a terminal: a line for each pair, and some of all else."""

from collections.abc import Iterator, Sequence

from streetineq_assets.reports.differences import words
from streetineq_assets.reports.differences.compare import BEYOND, PARTLY, SIZES, UNTESTED
from streetineq_assets.reports.differences.differences import Differences

MOST = 20  # lines of one kind
_HEADS = ("pair", "in both", *(f"by {size}" for size in SIZES[1:]), "beyond both", "beyond one")


def render_text(found: Differences) -> str:
    """All that differs, as lines; no character of a title reaches the terminal as a command."""
    if not found.any and not (found.a.left_out or found.b.left_out):
        lines = list(words.opening(found))
    else:
        lines = [
            f"A  {words.side_line(found.a)}",
            f"B  {words.side_line(found.b)}",
            *words.opening(found),
            *_areas(found),
            *_metrics(found),
            *_causes(found),
        ]
    return "\n".join("".join(c if c.isprintable() else "\ufffd" for c in line) for line in lines)


def _areas(found: Differences) -> Iterator[str]:
    if not found.changed:
        return
    yield from ("", "Areas that moved, by deciles, of those in both")
    yield from _table(found)
    moved = found.moved
    if len(moved):
        yield from (
            "",
            f"Moved most: {min(MOST, len(moved))} of {words.plural(len(moved), 'area')}",
        )
        for row in map(words.moved_row, moved.head(MOST).itertuples()):
            yield (
                f"  {row['pair']}  {row['area']}  {row['a']} ({row['interval_a']}) -> "
                f"{row['b']} ({row['interval_b']})  {row['verdict']}"
            )
        yield from ("", words.RULE)
    notes = [f"  {p.pair}: {note}" for p in found.changed for note in words.pair_notes(found, p)]
    if notes:
        yield from ("", "What else differs", *_limited(notes))


def _table(found: Differences) -> list[str]:
    heads = [*_HEADS, "not tested", "mean move", "rank correlation"]
    rows = [heads]
    for pair in found.changed:
        sizes = [f"{pair.sizes[size]:,}" for size in SIZES[1:]]
        verdicts = [f"{pair.verdicts[each]:,}" for each in (BEYOND, PARTLY, UNTESTED)]
        means = [words.decimal(each) for each in (pair.mean_move, pair.rank_correlation)]
        rows.append([pair.pair, f"{pair.n_both:,}", *sizes, *verdicts, *means])
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [
        "  " + "  ".join([row[0].ljust(widths[0]), *map(str.rjust, row[1:], widths[1:])])
        for row in rows
    ]


def _metrics(found: Differences) -> Iterator[str]:
    rows = [
        words.metric_row(row)
        for pair in found.changed
        for row in pair.metrics[pair.metrics["differs"]].itertuples()
    ]
    if not rows:
        return
    yield from ("", "Metrics that differ")
    yield from _limited(
        [
            f"  {row['pair']}  {row['metric']}, {row['model']}, folds by {row['scheme']}: "
            f"{row['a']} -> {row['b']}"
            for row in rows
        ]
    )
    yield from ("", words.ON_METRICS)


def _causes(found: Differences) -> Iterator[str]:
    if found.any and found.causes.chains:
        yield from ("", "Where the content begins to differ")
        yield from _limited([f"  {line}" for line in words.chain_lines(found)])
    for kind, changes in words.changes(found).items():
        yield from ("", kind)
        lines = [words.change_line(each, words.n_compared(found)) for each in changes]
        yield from _limited([f"  {line}" for line in lines])


def _limited(lines: Sequence[str]) -> Iterator[str]:
    yield from lines[:MOST]
    if len(lines) > MOST:
        yield f"  and {len(lines) - MOST} more: --html writes all of them"
