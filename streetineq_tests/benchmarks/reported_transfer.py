"""Networks of one invented city in others: guessed curves that rise with what is labelled there."""

import itertools
from collections.abc import Iterator

import numpy as np
import pandas as pd

from streetineq_assets.models.map_baselines import MAPS
from streetineq_assets.settings import Transfer
from streetineq_assets.study import Pair
from streetineq_assets.tables import conform
from streetineq_assets.transfer.comparison import METRIC, Difference, result
from streetineq_assets.transfer.curve import RANK_METRICS, summarise
from streetineq_assets.transfer.tables import (
    CURVE,
    CURVE_SUMMARY,
    EITHER,
    FROM_SCRATCH,
    OWN,
    TRANSFER_COMPARISONS,
    TUNED,
    UNTUNED,
)
from streetineq_tests.benchmarks.reported_values import NETWORK_SEES
from streetineq_tests.harness import Tables

# Of what the city's own networks reach, where none, a hundredth, a tenth and all is labelled.
_LABELLED = (0.0, 0.01, 0.1, 1.0)
_REACHED = {TUNED: (0.7, 0.85, 0.95, 1.01), FROM_SCRATCH: (0.0, 0.35, 0.8, 1.0)}


def transfer_tables(settings: Transfer, n_lsoas: dict[Pair, int], seed: int) -> Tables:
    """The tables of `transfer_report`.

    Args:
        n_lsoas: target to the number of its predicted areas.
    """
    rng = np.random.default_rng(seed)
    rows = [row for pair, n in n_lsoas.items() for row in _curve(settings, pair, n, rng)]
    source = {"source": settings.source}
    curve = conform(pd.DataFrame(rows).assign(**source, scheme="area"), CURVE)
    found = [row for pair, n in n_lsoas.items() for row in _comparisons(settings, pair, n)]
    comparisons = pd.DataFrame(found).assign(**source, metric=METRIC, n_repeats=settings.repeats)
    return {
        "transfer_report": (curve, CURVE),
        "transfer_summary": (summarise(curve), CURVE_SUMMARY),
        "transfer_comparisons": (comparisons, TRANSFER_COMPARISONS),
    }


def _reached(network: str, share: float) -> float:
    return float(np.interp(share, _LABELLED, _REACHED[network]))


def _shares(settings: Transfer) -> Iterator[tuple[str, float]]:
    """None and all are the same of locations and of areas."""
    for share in settings.shares:
        for unit in settings.units if 0 < share < 1 else (EITHER,):
            yield unit, share


def _curve(
    settings: Transfer, pair: Pair, n_lsoas: int, rng: np.random.Generator
) -> Iterator[dict]:
    sees = 0.95 * NETWORK_SEES[pair.outcome]
    about = {"city": pair.city, "outcome": pair.outcome, "n_lsoas": n_lsoas}
    for network, (unit, share) in itertools.product(_REACHED, _shares(settings)):
        if network == FROM_SCRATCH and not share:
            continue
        labelled = min(1.0, 20 * share) if unit == "locations" else share
        for repeat in range(settings.repeats):
            value = sees * _reached(network, share) + rng.normal(0, 0.015 if share < 1 else 0.004)
            of_share = {"network": network, "share_of": unit, "share": share, "repeat": repeat}
            of_share["share_lsoas_labelled"] = labelled
            of_share["n_lsoas_labelled"] = labelled * 0.8 * n_lsoas
            yield from (about | of_share | {"metric": m, "value": value} for m in RANK_METRICS)
    for network, value in ((OWN, sees), (MAPS[0], 0.65)):
        of_all = {"network": network, "share_of": EITHER, "share": 1.0, "repeat": 0}
        yield from (about | of_all | {"metric": m, "value": value} for m in RANK_METRICS)


def _comparisons(settings: Transfer, pair: Pair, n_lsoas: int) -> Iterator[dict]:
    sees = 0.95 * NETWORK_SEES[pair.outcome]
    half = 2.0 * (1.05 - sees**2) / np.sqrt(n_lsoas)
    about = {"city": pair.city, "outcome": pair.outcome, "n_lsoas": n_lsoas}
    for unit, share in _shares(settings):
        if not share:
            continue
        others = {OWN: 1.0, UNTUNED: _reached(TUNED, 0.0)}
        if share < 1:
            others[FROM_SCRATCH] = _reached(FROM_SCRATCH, share)
        for against, reached in others.items():
            lead = sees * (_reached(TUNED, share) - reached)
            margin = settings.equivalence_margin if against == OWN else 0.0
            found = Difference(lead, lead - half, lead + half)
            yield about | {
                "share_of": unit, "share": share, "against": against, "margin": margin,
                "difference": lead, "lower": found.lower, "upper": found.upper,
                "n_blocks": max(4, n_lsoas // 30), "result": result(found, margin),
            }  # fmt: skip
