"""What the areas of an invented city are like, and what networks and baselines say of them.

How well-off an area is follows a few smooth waves, which differ by outcome and have some in common,
and what is its own. A map knows the waves; a network sees a part of all, more of one outcome than
of another, and takes one authority for better-off than it is. So correlations are known, neighbours
err alike, and an audit has something to find.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from streetineq_assets.area_vintages import LSOA11
from streetineq_assets.labels.deciles import decile_table, deciles
from streetineq_assets.labels.outcomes import OUTCOMES
from streetineq_assets.labels.tables import LSOA_LABELS
from streetineq_assets.models import binomial
from streetineq_assets.models.map_baselines import MAPS
from streetineq_assets.models.tables import BASELINES, PROBABILITIES
from streetineq_assets.predictions.tables import LOCATION_PREDICTIONS
from streetineq_assets.tables import conform
from streetineq_tests.benchmarks.invented_city import InventedCity

NETWORK_SEES = dict(zip(OUTCOMES, np.linspace(0.85, 0.35, len(OUTCOMES)), strict=True))
"""Outcome to the correlation of the networks' scores with how well-off areas are."""

_WAVES = 12
_WAVELENGTHS_M = (6_000, 25_000)
_IN_COMMON, _OF_OUTCOME, _OF_AREA = 0.6, 0.5, 0.6
_SPREAD_OF_AREAS, _SPREAD_OF_LOCATIONS = 1.5, 1.2  # of scores, logit
_FAVOUR = 0.5  # by which networks take the areas of the first authority for better-off
_MAP_ERRORS = dict(zip(MAPS, (0.5, 0.4, 0.6), strict=True))
_IN_BLOCKS = 1.6  # errors of a map without its neighbours

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class CityValues:
    """How well-off the areas of a city are by each outcome.

    Attributes:
        key: of the city in study.toml.
        outcomes: of the city.
    """

    key: str
    city: InventedCity
    outcomes: tuple[str, ...]

    @cached_property
    def waves(self) -> dict[str, Floats]:
        """Outcome to the part that neighbours share, in the order of areas."""
        common = self._smooth(0)
        return {
            outcome: _IN_COMMON * common + _OF_OUTCOME * self._smooth(1 + number)
            for number, outcome in enumerate(self.outcomes)
        }

    @cached_property
    def standing(self) -> dict[str, Floats]:
        """Outcome to how well-off areas are: mean 0, standard deviation 1."""
        return {
            outcome: _standardised(wave + _OF_AREA * self.rng(outcome, 0).normal(size=len(wave)))
            for outcome, wave in self.waves.items()
        }

    def labels(self, outcome: str) -> pd.DataFrame:
        """`LSOA_LABELS` of an outcome, in its unit."""
        value = _in_its_unit(outcome, self.standing[outcome])
        is_rank = OUTCOMES[outcome].unit.startswith("rank")
        return conform(
            pd.DataFrame(
                {
                    "city": self.key,
                    "outcome": outcome,
                    "area": self.city.areas["area"],
                    "value": value,
                    "national_rank": value.astype(int) if is_rank else pd.NA,
                    "decile": deciles(value, worst=OUTCOMES[outcome].worst),
                }
            ),
            LSOA_LABELS,
        )

    def edges(self, outcome: str) -> pd.DataFrame:
        """`DECILE_EDGES` of an outcome."""
        value = _in_its_unit(outcome, self.standing[outcome])
        table = decile_table(value, worst=OUTCOMES[outcome].worst)
        return table.assign(city=self.key, outcome=outcome)

    def predicted_locations(self, outcome: str, locations: pd.DataFrame) -> pd.DataFrame:
        """`LOCATION_PREDICTIONS` of networks that see a part of it.

        Args:
            locations: `location_id, area, weight, fold, actual_decile`.
        """
        rng, sees = self.rng(outcome, 1), NETWORK_SEES[outcome]
        standing = self.standing[outcome]
        seen = sees * standing + np.sqrt(1 - sees**2) * rng.normal(size=len(standing))
        authority = self.city.areas["authority"].to_numpy()
        seen += _FAVOUR * (authority == authority[0])
        of_area = pd.Series(seen, self.city.areas["area"]).loc[locations["area"]].to_numpy()
        noise = rng.normal(0, _SPREAD_OF_LOCATIONS, len(locations))
        h = (_SPREAD_OF_AREAS * of_area + noise).astype(np.float32)
        probabilities = np.exp(binomial.log_probabilities(h))
        frame = locations.assign(
            city=self.key,
            outcome=outcome,
            n_views=4,
            h=h,
            decile=binomial.decile(h),
            **dict(zip(PROBABILITIES, probabilities.T, strict=True)),
        )
        return conform(frame, LOCATION_PREDICTIONS)

    def baselines(self, outcome: str, areas: pd.DataFrame) -> pd.DataFrame:
        """`BASELINES` of predicted areas.

        Args:
            areas: `area, fold, score, n_locations`.
        """
        rng, codes = self.rng(outcome, 2), self.city.areas["area"]
        parts = {"standing": self.standing[outcome], "wave": _standardised(self.waves[outcome])}
        known = pd.DataFrame(parts, index=codes).loc[areas["area"]]
        wave, n = known["wave"].to_numpy(), len(known)
        network = _standardised(areas["score"].to_numpy())
        ridge = 0.8 * network + 0.5 * rng.normal(size=n)
        scores = {("constant", "area"): np.zeros(n)}
        for scheme, further in (("area", 1.0), ("spatial_block", _IN_BLOCKS)):
            for name, error in _MAP_ERRORS.items():
                scores[name, scheme] = wave + further * error * rng.normal(size=n)
            scores["ridge", scheme] = ridge + (further - 1) * rng.normal(size=n)
        scores["image_count", "area"] = _standardised(areas["n_locations"].to_numpy(float))
        best = scores["map_gaussian_process", "area"]
        scores["map_and_score", "area"] = 0.7 * network + 0.5 * best
        rows = [
            areas[["area", "fold"]].assign(baseline=name, scheme=scheme, score=5.5 + 2 * score)
            for (name, scheme), score in scores.items()
        ]
        return conform(pd.concat(rows, ignore_index=True), BASELINES)

    def rng(self, outcome: str, number: int) -> np.random.Generator:
        """Of its own for each outcome and use."""
        about = self.city.seed, self.city.first, list(OUTCOMES).index(outcome), number
        return np.random.default_rng(about)

    def _smooth(self, number: int) -> Floats:
        rng = np.random.default_rng([self.city.seed, self.city.first, 100 + number])
        metres = self.city.areas[["easting_m", "northing_m"]].to_numpy()
        angle, phase = rng.uniform(0, 2 * np.pi, (2, _WAVES))
        per_metre = 2 * np.pi / rng.uniform(*_WAVELENGTHS_M, _WAVES)
        directions = np.array([np.cos(angle), np.sin(angle)]) * per_metre
        return _standardised(np.cos(metres @ directions + phase).sum(axis=1))


def _in_its_unit(outcome: str, standing: Floats) -> Floats:
    """A share of people who are ill or the like, a rank, or an income."""
    from scipy.special import expit, ndtr

    unit = OUTCOMES[outcome].unit
    if unit.startswith("share"):
        return expit(-1.5 - 0.6 * standing)
    if unit.startswith("rank"):
        return np.rint(1 + (LSOA11.n_areas_of_england - 1) * ndtr(standing))
    return np.rint(40_000 * np.exp(0.25 * standing) / 10) * 10


def _standardised(values: Floats) -> Floats:
    spread = values.std()
    return (values - values.mean()) / (spread if spread > 0 else 1.0)
