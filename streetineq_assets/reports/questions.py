"""Ready questions of the warehouse: what a reader asks first, as views over its tables.

Each holds the platform's own rules, which a query by hand would get wrong: that an area without an
interval is not ranked, that an area lies in the authority of most of its postcodes, that a lead
whose interval reaches 0 may be chance. A value that is missing is left out of means, and a mean of
nothing is missing.
"""

from dataclasses import dataclass

import pyarrow as pa

from streetineq_assets.predictions.aggregation import RULES
from streetineq_assets.predictions.aligned_baselines import MAP_BEST
from streetineq_assets.predictions.tables import COMPARISONS, LSOA_PREDICTIONS
from streetineq_assets.tables import column, schema

_DECILES_BY_RULE = tuple(f"decile_{rule}" for rule in RULES)
WORST_OFF = 2  # deciles
# Of which more is better, so that a lead is above 0.
_METRICS_OF_LEADS = ("kappa_quadratic", "spearman_score")


@dataclass(frozen=True)
class Question:
    """A question that the warehouse answers by a view.

    Attributes:
        name: of the view.
        description: one sentence.
        needs: names of the views of tables that it reads.
        schema: its columns.
        sql: a SELECT over the views that it needs.
    """

    name: str
    description: str
    needs: tuple[str, ...]
    schema: pa.Schema
    sql: str


def _predicted(*names: str) -> tuple[pa.Field, ...]:
    return tuple(LSOA_PREDICTIONS.field(name) for name in names)


def _compared(*names: str) -> tuple[pa.Field, ...]:
    return tuple(COMPARISONS.field(name) for name in names)


_WORST_AREAS = Question(
    "worst_areas",
    "Areas predicted in the worst-off fifth that are certain enough to rank, worst first.",
    ("lsoa_predictions",),
    schema(
        *_predicted("city", "outcome"),
        column("rank", "int64", "place among the city's areas that can be ranked, 1 is worst-off"),
        *_predicted("area", "decile", "lower", "upper", "score", "actual_decile", "n_locations"),
    ),
    f"""
    SELECT
        city, outcome, rank() OVER (PARTITION BY city, outcome ORDER BY decile, score) AS rank,
        area, decile, lower, upper, score, actual_decile, n_locations
    FROM lsoa_predictions
    WHERE NOT too_uncertain_to_rank -- nor where it is null: without an interval
    QUALIFY decile <= {WORST_OFF}
    ORDER BY city, outcome, rank, area
    """,  # noqa: S608 - a constant
)

_AGREEMENT_BY_DISTRICT = Question(
    "agreement_by_district",
    "How well predicted and actual deciles agree, by local authority.",
    ("lsoa_predictions", "postcode_lsoa"),
    schema(
        *_predicted("city", "outcome"),
        column(
            "authority",
            "string",
            "code of the local authority of most of the area's postcodes; null where none says",
            nullable=True,
        ),
        column("n_lsoas", "int64", "areas with a predicted decile"),
        column("n_compared", "int64", "of these, areas with an actual one"),
        column(
            "mean_error",
            "float64",
            "mean of predicted minus actual decile; above 0 predictions are too well-off",
            unit="deciles",
            nullable=True,
        ),
        column("mae", "float64", "mean absolute error", unit="deciles", nullable=True),
        column("within_1", "float64", "areas that are at most 1 off", unit="share", nullable=True),
        column("within_2", "float64", "areas that are at most 2 off", unit="share", nullable=True),
        column("n_intervals", "int64", "areas with an actual decile and an interval"),
        column(
            "coverage",
            "float64",
            "those whose interval holds the actual decile",
            unit="share",
            nullable=True,
        ),
    ),
    # The authority is `geography.of_most_postcodes`, of the city's own postcodes.
    """
    SELECT
        city, outcome, authority, count(*) AS n_lsoas, count(error) AS n_compared,
        avg(error) AS mean_error, avg(abs(error)) AS mae,
        avg((abs(error) <= 1)::DOUBLE) AS within_1, avg((abs(error) <= 2)::DOUBLE) AS within_2,
        count(is_held) AS n_intervals, avg(is_held::DOUBLE) AS coverage
    FROM (
        SELECT
            city, outcome, area, decile::INTEGER - actual_decile AS error,
            CASE WHEN actual_decile IS NOT NULL AND lower IS NOT NULL AND upper IS NOT NULL
                THEN actual_decile BETWEEN lower AND upper END AS is_held
        FROM lsoa_predictions
    )
    LEFT JOIN (
        SELECT city, area, authority
        FROM postcode_lsoa
        WHERE area IS NOT NULL AND authority IS NOT NULL
        GROUP BY city, area, authority
        QUALIFY row_number() OVER (
            PARTITION BY city, area ORDER BY count(*) DESC, authority
        ) = 1
    ) USING (city, area)
    GROUP BY city, outcome, authority
    ORDER BY city, outcome, authority NULLS LAST
    """,
)

_RANK_CHANGES = Question(
    "rank_changes",
    "Areas whose decile depends on the rule of aggregation, largest difference first.",
    ("lsoa_predictions",),
    schema(
        *_predicted("city", "outcome", "area", "rank_change", "decile", *_DECILES_BY_RULE),
        *_predicted("actual_decile", "n_locations"),
    ),
    f"""
    SELECT
        city, outcome, area, rank_change, decile, {", ".join(_DECILES_BY_RULE)},
        actual_decile, n_locations
    FROM lsoa_predictions
    WHERE rank_change > 0
    ORDER BY city, outcome, rank_change DESC, area
    """,  # noqa: S608 - constants
)

_NETWORK_AGAINST_MAP = Question(
    "network_against_map",
    "The network's lead over the best map on the same folds, by pair.",
    ("comparisons",),
    schema(
        *_compared("city", "outcome", "scheme", "metric"),
        column("lead", "float64", "network minus the best map; above 0 is ahead", nullable=True),
        *_compared("lower", "upper"),
        column(
            "verdict",
            "string",
            "`ahead` or `behind` where the interval leaves out 0, else `undecided`; null: not "
            "tested, for want of an interval",
            nullable=True,
        ),
        *_compared("n_lsoas"),
    ),
    f"""
    SELECT
        city, outcome, scheme, metric, difference AS lead, lower, upper,
        CASE WHEN lower IS NULL OR upper IS NULL THEN NULL
            WHEN lower > 0 THEN 'ahead' WHEN upper < 0 THEN 'behind' ELSE 'undecided'
        END AS verdict,
        n_lsoas
    FROM comparisons
    WHERE baseline = '{MAP_BEST}' AND metric IN {_METRICS_OF_LEADS}
    ORDER BY city, outcome, scheme, metric
    """,  # noqa: S608 - constants
)

_LOCATIONS_TO_ADD = Question(
    "locations_to_add",
    "Areas that have too few predicted locations to publish, fewest first.",
    ("lsoa_labels", "location_predictions", "lsoa_predictions"),
    schema(
        *_predicted("city", "outcome", "area"),
        column("n_locations", "int64", "locations that were predicted in the area"),
        column("is_ranked", "bool", "whether it has a predicted decile"),
        *_predicted("actual_decile"),
    ),
    """
    SELECT
        city, outcome, area, coalesce(placed.n, 0) AS n_locations,
        ranked.is_published IS NOT NULL AS is_ranked, labels.decile AS actual_decile
    FROM lsoa_labels AS labels
    SEMI JOIN location_predictions USING (city, outcome) -- pairs that were predicted
    LEFT JOIN (
        SELECT city, outcome, area, count(*) AS n FROM location_predictions GROUP BY ALL
    ) AS placed USING (city, outcome, area)
    LEFT JOIN lsoa_predictions AS ranked USING (city, outcome, area)
    WHERE NOT coalesce(ranked.is_published, false)
    ORDER BY city, outcome, n_locations, area
    """,
)

QUESTIONS = (
    _WORST_AREAS,
    _AGREEMENT_BY_DISTRICT,
    _RANK_CHANGES,
    _NETWORK_AGAINST_MAP,
    _LOCATIONS_TO_ADD,
)
