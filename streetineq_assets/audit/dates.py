"""When images were taken, and how far that is from the time that labels describe."""

import datetime as dt

import pandas as pd

DAYS_PER_YEAR = 365.25


def capture_years(captured: pd.Series) -> pd.DataFrame:
    """Locations by year of capture, ascending, those without a day last.

    Args:
        captured: days, null where unknown; a row for each location.

    Returns:
        `year` (Int16, NA for unknown) and `n_locations`.
    """
    years = captured.dt.year.astype("Int16").rename("year")
    counts = years.value_counts(dropna=False).rename("n_locations").sort_index()
    return counts.reset_index().astype({"year": "Int16"})


def years_after(captured: pd.Series, day: dt.date) -> pd.Series:
    """Years from a day to each known capture, negative before it."""
    return (captured.dropna() - pd.Timestamp(day)).dt.days / DAYS_PER_YEAR
