"""What `streetineq doctor` says of the codes that a city brings: their ids are read alone."""

from collections.abc import Collection

from streetineq_assets.codes.importing.city_codes import find_codes, none_brought, open_codes
from streetineq_assets.encoder_settings import ImportedEncoder
from streetineq_assets.errors import StreetineqError
from streetineq_assets.store import DataStore


def examine_codes(
    store: DataStore, settings: ImportedEncoder, city: str, listed: Collection[str]
) -> tuple[str, str]:
    """Whether a run would take a city's codes, and how many of its locations have some.

    Args:
        listed: ids of the city's locations.

    Returns:
        `found`, `doubtful`, `wrong` or `missing`, and a sentence.
    """
    try:
        files = find_codes(store, city)
        if files is None:
            return "missing", none_brought(store, city).wanted
        with open_codes(files, width=settings.width, scratch=store.scratch) as codes:
            unlisted = codes.unlisted(listed)
    except StreetineqError as error:
        return "wrong", str(error)
    n = len(codes.location_ids) - len(unlisted)
    text = f"{files.codes}: {n:,} of {len(listed):,} listed locations have codes"
    if unlisted:
        text += f"; {len(unlisted):,} more locations are not listed, such as {unlisted[0]}"
    return "found" if n == len(listed) else "doubtful", text
