"""What is said of images whose names are no view's: the nearest listed id, and how they are named.

The patterns that are tried here are those that collections of street images commonly have. They
are proposed, with how many files they fit, and never used unless study.toml says so.
"""

import difflib
from collections.abc import Iterable, Sequence

from streetineq_assets.images.location_ids import plain_form
from streetineq_assets.images.naming import AMBIGUOUS, Naming, any_stem
from streetineq_assets.images.positions import COARSE, FEWEST_DECIMALS, SEVERAL
from streetineq_assets.name_patterns import HEADINGS, VIEWS, NamePattern, Reading

_WORDS = (
    "{n,e,s,w}",
    "{north,east,south,west}",
    "{front,right,back,left}",
    "{f,r,b,l}",
    "{0,1,2,3}",
    "{1,2,3,4}",
)
_COMMON = tuple(
    NamePattern.parse(text)
    for text in (
        *(f"{{id}}{between}{{view}}" for between in ("_", "-", "/", " ", "__", "")),
        *(f"{{id}}{between}{{heading}}" for between in ("_", "-", "/", " ", "__")),
        *(f"{{id}}{between}{{heading}}" for between in ("_heading", "-heading", "_h", "-h")),
        *("{heading}/{id}", "{heading}_{id}", "{view}/{id}", "{view}_{id}"),
        *(f"{{id}}{between}{words}" for words in _WORDS for between in ("_", "-", "/")),
        *("{lat}_{lng}_{heading}", "{lat},{lng}_{heading}", "{lat},{lng},{heading}"),
        *("{lat}_{lng}/{heading}", "{lat},{lng}/{heading}", "{lat}_{lng}_{view}"),
        *("{id}/{any}_{heading}", "{id}_{heading}_{any}", "{id}_{any}_{heading}"),
        *("{any}_{id}_{heading}", "{any}_{id}_{view}", "{lat}_{lng}_{heading}_{any}"),
        *("{any}_{lat}_{lng}_{heading}",),
    )
)
_MOST_LOOKED_AT = 500  # files, spread over all
_MOST_COMPARED = 20_000  # ids; comparing takes some microseconds each


def hint(path: str, naming: Naming) -> str:
    """Which name an image should have: with its own view, or a, and the nearest listed id."""
    why = naming.identify(path).why
    if why == AMBIGUOUS:
        return "it may be read as more than one listed location"
    if why == SEVERAL:
        return "more than one listed location has these coordinates, rounded so"
    if why == COARSE:
        return f"its coordinates need at least {FEWEST_DECIMALS} decimals"
    reading = _reading(path, naming)
    view = reading.view if reading else "a"
    if reading and reading.position:
        if not len(naming.positions):
            return "no listed location has coordinates"
        nearest, metres = naming.positions.nearest(reading.position)
        there = f"the nearest listed location is {nearest}, {metres:,.0f} m away"
    else:
        guess = str(reading.location_id) if reading else any_stem(path)
        nearest = nearest_id(guess, naming.listed)
        there = f"the nearest listed id is {nearest}"
    if nearest is None:
        return "no listed id is like it"
    return f"{there}, whose file is {naming.example(nearest, view)}.jpg"


def _reading(path: str, naming: Naming) -> Reading | None:
    """What a name says by the study's patterns, else by common ones, of a listed id if it can."""
    patterns = [*naming.patterns, *_COMMON]
    readings = [reading for each in patterns for reading in each.readings(path)]
    plain = {plain_form(each) for each in naming.listed}
    listed = (r for r in readings if r.location_id and plain_form(r.location_id) in plain)
    return next(listed, next(iter(readings), None))


def nearest_id(text: str, listed: Iterable[str]) -> str | None:
    """The listed id that is the same but for case, zeros or `.0`, else the most similar one."""
    ids = sorted(listed)
    plain = {plain_form(each): each for each in reversed(ids)}
    same = plain.get(plain_form(text))
    if same is not None:
        return same
    found = difflib.get_close_matches(text, ids[:_MOST_COMPARED], n=1, cutoff=0.5)
    return found[0] if found else None


def proposal(paths: Sequence[str], naming: Naming, *, keeping: bool) -> str | None:
    """The setting by which most of these images would be views, in words; None if there is none.

    Args:
        paths: of images that no pattern of the study makes a view.
        keeping: whether the study's own patterns are to stay, since they fit other images.
    """
    looked_at = paths[:: -(-len(paths) // _MOST_LOOKED_AT)] if paths else []
    fits = {each: _n_named(looked_at, naming.by(each)) for each in _COMMON}
    best = max(fits, key=lambda each: fits[each])
    if fits[best] * 2 < max(1, len(looked_at)):
        return None
    kept = [pattern.text for pattern in naming.patterns] if keeping else []
    names = ", ".join(f'"{text}"' for text in [*kept, best.text])
    share = "most" if fits[best] < len(looked_at) else "all"
    own = "" if best.words in (VIEWS, HEADINGS) else ", if its words are in the headings' order"
    return f"{share} of them are named {best.in_words()}: set names = [{names}] under [images]{own}"


def _n_named(paths: Sequence[str], naming: Naming) -> int:
    return sum(location_id is not None for location_id, _, _ in naming.identify_all(paths))
