"""What must be said of the sources of a study's labels and map, wherever its results are shown."""

from collections.abc import Iterable

from streetineq_assets.labels.outcomes import OUTCOMES

OGL = "https://www.nationalarchives.gov.uk/doc/open-government-licence/version/3/"
_UNDER = "licensed under the Open Government Licence v3.0"
_BY_FOLDER = {
    "census": f"Source: Office for National Statistics {_UNDER} (Census {{census}}).",
    "iod": (
        "Ministry of Housing, Communities and Local Government, English Indices of Deprivation "
        f"{{iod}}, {_UNDER}."
    ),
    "household_income": (
        "Greater London Authority, Household Income Estimates for Small Areas, London Datastore, "
        f"{_UNDER}."
    ),
}
_GEOGRAPHY = (
    f"Source: Office for National Statistics {_UNDER} (postcodes and boundaries).",
    "Contains OS data © Crown copyright and database right {year}.",
    "Contains Royal Mail data © Royal Mail copyright and database right {year}.",
)


def attributions(outcomes: Iterable[str], *, editions: tuple[str, str], year: int) -> list[str]:
    """The lines that must stand beside results of these outcomes.

    Args:
        editions: of the census and of the Indices of Deprivation.
        year: of the postcodes.
    """
    folders = {table.folder for outcome in outcomes for table in OUTCOMES[outcome].tables}
    census, iod = editions
    texts = (line for name, line in _BY_FOLDER.items() if name in folders)
    lines = [text.format(census=census, iod=iod) for text in texts]
    return lines + [line.format(year=year) for line in _GEOGRAPHY]
