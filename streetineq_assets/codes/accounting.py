"""Where a bucket's or a city's listed locations went: extracted, rejected or missing."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import islice

from streetineq_assets.codes.bucket_file import Rejection
from streetineq_assets.findings import Scalar

MISSING, GONE = "missing", "gone"
MOST_NAMED = 20  # rows of a table that names cases; the rest is in the files
# What to do about a reason, where its name does not say it.
_ADVICE = {
    "blank": "blank frames: download them again, or lower images.least_contrast in study.toml",
    "blurred": "blurred pictures: take these locations off the list, or lower "
    "images.least_sharpness in study.toml",
    "damaged": "damaged files: copy or download them again",
    "dark": "dark pictures: take these locations off the list, or lower images.least_brightness in "
    "study.toml",
    "no_compass": "panoramas of unknown direction: state compass_deg in the list of captures",
    "not_a_panorama": "pictures listed as equirectangular that are not twice as wide as high: list "
    "photographs as perspective, and panoramas of the whole sphere alone",
    "panorama": "panoramas: list them in inputs/captures, so that four views are cut of each",
    "placeholder": "cards of a provider without an image: take these locations off the list, or "
    "raise images.most_plain in study.toml",
    "truncated": "files that end early: copy or download them again",
    "without_sky": "pictures without sky: look at some, and lower images.least_sky in study.toml "
    "where they are of streets",
}


@dataclass(frozen=True)
class Account:
    """Numbers of locations.

    Attributes:
        n_listed: in `street_images`.
        n_extracted: with codes.
        without_codes: the others, by reason; `missing` is that of a location without any image.
    """

    n_listed: int
    n_extracted: int
    without_codes: dict[str, int]

    @classmethod
    def of(cls, n_listed: int, n_extracted: int, reasons: Iterable[str]) -> "Account":
        """The account of so many locations, and of one reason for each without codes."""
        return cls(n_listed, n_extracted, dict(sorted(Counter(reasons).items())))

    @property
    def n_without_codes(self) -> int:
        """Rejected and missing ones."""
        return sum(self.without_codes.values())

    @property
    def n_missing(self) -> int:
        """Those without any image."""
        return self.without_codes.get(MISSING, 0)

    @property
    def n_rejected(self) -> int:
        """Those of which an image is missing or cannot be used."""
        return self.n_without_codes - self.n_missing

    @property
    def balances(self) -> bool:
        """Whether nothing was lost."""
        return self.n_listed == self.n_extracted + self.n_without_codes

    @property
    def advice(self) -> str:
        """What to do about the reasons, empty where nothing is to be said."""
        return "; ".join(text for reason, text in _ADVICE.items() if reason in self.without_codes)

    def __str__(self) -> str:
        return (
            f"{self.n_listed} listed = {self.n_extracted} extracted + {self.n_rejected} rejected + "
            f"{self.n_missing} missing"
        )

    def values(self) -> dict[str, int]:
        """The four numbers by name."""
        return {
            "n_listed": self.n_listed,
            "n_extracted": self.n_extracted,
            "n_rejected": self.n_rejected,
            "n_missing": self.n_missing,
        }

    def table(self) -> list[dict[str, Scalar]]:
        """A row for each reason."""
        return [{"reason": reason, "n_locations": n} for reason, n in self.without_codes.items()]


def rejected_views(rejections: Iterable[Rejection]) -> list[dict[str, Scalar]]:
    """The first rejected views by name; locations without any image are not among them."""
    found = (entry for entry in sorted(rejections) if entry.reason != MISSING)
    return [dict(entry._asdict()) for entry in islice(found, MOST_NAMED)]


def reason_counts(views: Iterable[Rejection]) -> list[dict[str, Scalar]]:
    """A row for each reason, with the number of views that it is given for."""
    counts = Counter(entry.reason for entry in views)
    return [{"reason": reason, "n_views": n} for reason, n in sorted(counts.items())]


def reasons_by_location(rejections: Iterable[Rejection]) -> dict[str, str]:
    """Each location's reason: that of its first view that has one."""
    return {entry.location_id: entry.reason for entry in sorted(rejections, reverse=True)}
