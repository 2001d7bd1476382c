"""The check that a city's codes are of the same views throughout."""

from streetineq_assets.codes.inventory import Inventory
from streetineq_assets.findings import Check, CheckSpec
from streetineq_assets.images.catalogue import VIEWS

SAME_VIEWS = CheckSpec(
    "same_views",
    "All buckets have the same views, four at most, and each location has one or more.",
    blocking=True,
)


def same_views(city: Inventory) -> Check:
    """Whether the buckets' rows have as many views, with names, and every location has one."""
    by_number: dict[int, list[str]] = {}
    for key, n in city.n_views.items():
        if n:
            by_number.setdefault(n, []).append(key)
    most = max(by_number, default=len(VIEWS))
    without = city.codes.loc[~city.present.any(axis=1), "location_id"].tolist()
    fault = None
    if len(by_number) > 1:
        found = "; ".join(f"{n} in {', '.join(keys)}" for n, keys in sorted(by_number.items()))
        fault = (
            f"buckets hold different numbers of views ({found}): make image_codes of the city from "
            "one source"
        )
    elif most > len(VIEWS):
        fault = (
            f"{most} views of each location, and names for {len(VIEWS)} alone ({', '.join(VIEWS)}):"
            " leave out the others"
        )
    elif without:
        fault = f"{len(without)} locations have no view, such as {without[0]}: leave them out"
    text = fault or f"{city.n_images} of {city.present.size} views, {most} for each location"
    return SAME_VIEWS.result(fault is None, text, n_absent_views=city.n_absent_views)
