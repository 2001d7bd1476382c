"""The checks of codes: of one bucket after extraction, of a city before it is packed."""

from collections.abc import Collection, Mapping, Sequence
from pathlib import Path

import pandas as pd

from streetineq_assets.codes.accounting import GONE, MOST_NAMED, Account
from streetineq_assets.codes.bucket_file import Bucket, Contents
from streetineq_assets.codes.encoders.checks import ENCODER_ALLOWED, WEIGHTS_KNOWN
from streetineq_assets.codes.feature_statistics import FeatureStatistics
from streetineq_assets.codes.identity import EncoderIdentity
from streetineq_assets.codes.inventory import Inventory
from streetineq_assets.codes.quality_checks import IMAGES_USABLE
from streetineq_assets.codes.view_checks import SAME_VIEWS, same_views
from streetineq_assets.findings import NOT_TESTED, Check, CheckSpec, Findings
from streetineq_assets.images.catalogue import bucket_of

_GONE_SHARE = 0.5
MAX_SHARED_IMAGES = 0.001
_MOST_OF_A_PICTURE = 4  # images that name it
_MOST_IN_TEXT = 3
# fc6 before its ReLU varies with every image; behind a ReLU many features may be 0 for a city.
MAX_DEAD_UNITS_IN_FC6 = 0.01
MAX_DEAD_UNITS = 0.5
# Mean and standard deviation of VGG16's fc6 over London with ImageNet weights: Suel et al. 2019.
PUBLISHED_MEAN, PUBLISHED_SD = -5.24, 8.17
_MEAN_TOLERANCE, _SD_RATIOS = 2.0, (0.7, 1.4)

ACCOUNTING = CheckSpec(
    "accounting", "Listed = extracted + rejected + missing locations.", blocking=True
)
FINITE = CheckSpec("finite", "Every code is a finite number.", blocking=True)
COMPLETE = CheckSpec("complete", "Every listed location has codes.")

BUCKET_IDENTITY = CheckSpec(
    "identity", "Row ids match the listed locations, once each, in order.", blocking=True
)
IMAGES_PRESENT = CheckSpec(
    "images_present", "At most half of the listed images are gone.", blocking=True
)
DISTINCT_VIEWS = CheckSpec("distinct_views", "No location has the same image in two views.")
IMAGE_CODES = (
    ACCOUNTING,
    BUCKET_IDENTITY,
    FINITE,
    IMAGES_PRESENT,
    COMPLETE,
    WEIGHTS_KNOWN,
    ENCODER_ALLOWED,
    DISTINCT_VIEWS,
)

ONE_ENCODER = CheckSpec("one_encoder", "All buckets were made by one encoder.", blocking=True)
UP_TO_DATE = CheckSpec(
    "up_to_date", "Buckets were encoded from the images that are listed now.", blocking=True
)
CITY_IDENTITY = CheckSpec(
    "identity", "Ids are listed locations, once each, in their own bucket.", blocking=True
)
FEW_SHARED_IMAGES = CheckSpec(
    "few_shared_images", "At most 0.1 % of images occur in two LSOAs.", blocking=True
)
FEW_DEAD_UNITS = CheckSpec(
    "few_dead_units", "Few features are constant (1 % in fc6).", blocking=True
)
LIKE_PUBLISHED = CheckSpec(
    "like_published", "Mean and spread are as published for ImageNet weights."
)
HDF5_SHARDS = (
    ONE_ENCODER,
    SAME_VIEWS,
    UP_TO_DATE,
    CITY_IDENTITY,
    ACCOUNTING,
    FEW_SHARED_IMAGES,
    FINITE,
    FEW_DEAD_UNITS,
    LIKE_PUBLISHED,
    COMPLETE,
    IMAGES_USABLE,
)


# -- of a bucket and of a city -------------------------------------------------------------------


def accounting(account: Account, *, all_known: bool = True) -> Check:
    """Whether every listed location has codes or a reason why not.

    Args:
        all_known: whether those with codes or a reason are the listed ones, and not only as many.
    """
    text = str(account)
    if not account.balances:
        text += ": a location was lost, so nothing is published; materialise image_codes again"
    elif not all_known:
        text += ": these are not the listed locations; materialise image_codes of the city again"
    return ACCOUNTING.result(account.balances and all_known, text)


def complete(account: Account) -> Check:
    """Whether every listed location has codes."""
    without = account.n_without_codes
    text = f"{without} of {account.n_listed} listed locations have no codes"
    if without:
        text += " and are left out of training; without_codes counts the reasons"
        text += f". What to do: {account.advice}" if account.advice else ""
    if not account.n_listed:
        return COMPLETE.not_tested("no location is listed", passed=True)  # `city_listed` warns
    return COMPLETE.result(without == 0, text)


# -- image_codes ---------------------------------------------------------------------------------


def bucket_identity(target: Path, contents: Contents, *, expected: Collection[str]) -> Check:
    """Read the file back: its ids are the expected ones, each once, sorted, with their hashes."""
    with Bucket(target) as written:
        ids, hashes = written.contents.location_ids, written.contents.image_sha256
    passed = ids == sorted(expected) and hashes.tolist() == contents.image_sha256.tolist()
    text = f"the ids of all {len(ids)} rows match the listed locations, and so do their images"
    if not passed:
        text = (
            f"the {len(ids)} rows do not match the {len(expected)} locations to be encoded, or "
            "their images' hashes: check the disk, then materialise the bucket again"
        )
    return BUCKET_IDENTITY.result(passed, text)


def finite_locations(not_finite: Sequence[str]) -> Check:
    """Whether a bucket's codes are finite.

    Args:
        not_finite: the locations whose codes are not.
    """
    text = f"{len(not_finite)} locations have codes that are not finite numbers"
    if not_finite:
        text += (
            f", such as {', '.join(not_finite[:_MOST_IN_TEXT])}: are the weights whole? In mixed "
            "precision, large codes are infinite; of codes that were brought, take these locations "
            "out of the file, or encode them again"
        )
    return FINITE.result(not not_finite, text)


def images_present(account: Account) -> Check:
    """Codes of a bucket are not given up because a disk is away for an hour."""
    gone = account.without_codes.get(GONE, 0)
    passed = gone <= _GONE_SHARE * account.n_listed
    text = f"{gone} of {account.n_listed} locations have an image that is gone since the listing"
    if not passed:
        text += (
            f" (at most {_GONE_SHARE:.0%}): is the images' disk mounted? If they were removed on "
            "purpose, list them again"
        )
    return IMAGES_PRESENT.result(passed, text)


def no_image_read() -> Check:
    """In the place of `images_present` where codes were brought."""
    return IMAGES_PRESENT.not_tested("codes were brought, and no image is read", passed=True)


def distinct_views(twice: Sequence[str]) -> Check:
    """Whether the four images of each location differ.

    Args:
        twice: the locations in which they do not.
    """
    text = f"{len(twice)} locations have the same image in two views"
    if twice:
        text += (
            f", such as {', '.join(twice[:_MOST_IN_TEXT])}, which count twice in their codes: were "
            "they downloaded for the right headings?"
        )
    return DISTINCT_VIEWS.result(not twice, text)


def over_buckets(by_key: Mapping[str, Findings]) -> list[Check]:
    """One result for each check of a step over several buckets, which names those that fail."""
    results = []
    for spec in IMAGE_CODES:
        found = {
            key: check
            for key, findings in by_key.items()
            for check in findings.checks
            if check.name == spec.name
        }
        failed = [f"{key}: {check.description}" for key, check in found.items() if not check.passed]
        text = "; ".join(failed) or f"{spec.description} ({len(found)} buckets)"
        counts = {"n_buckets": len(found), "n_failing_buckets": len(failed)}
        if any(check.tested for check in found.values()):
            results.append(spec.result(not failed, text, **counts))
        else:
            texts = (check.description.removeprefix(f"{NOT_TESTED}: ") for check in found.values())
            why = "; ".join(dict.fromkeys(texts))
            results.append(spec.not_tested(why or "no bucket", passed=not failed, **counts))
    return results


# -- hdf5_shards ---------------------------------------------------------------------------------


def inventory_checks(
    city: Inventory, locations: pd.DataFrame, stale: Collection[str]
) -> list[Check]:
    """The checks of a city before its features are read; all of them block.

    Args:
        locations: `location_id, area` of the city's `locations`.
        stale: keys of buckets whose listed images are not those that were encoded.
    """
    return [
        _one_encoder(city.encoders),
        same_views(city),
        _up_to_date(stale),
        _city_identity(city, locations),
        _city_accounting(city),
    ]


def _one_encoder(encoders: Mapping[str, EncoderIdentity]) -> Check:
    """Whether the codes of all buckets mean the same; one without images fits all others."""
    groups: list[tuple[EncoderIdentity, list[str]]] = []
    for key, identity in encoders.items():
        if not identity.width:
            continue
        keys = next((keys for other, keys in groups if other.is_same(identity)), None)
        if keys is None:
            groups.append((identity, [key]))
        else:
            keys.append(key)
    text = "all buckets were made by one encoder"
    if len(groups) > 1:
        odd, keys = min(groups, key=lambda group: len(group[1]))
        other = next(identity for identity, _ in groups if identity is not odd)
        name, theirs, ours = next(odd.differences(other))
        text = (
            f"the codes of {', '.join(sorted(keys))} have {name} {theirs}, those of other buckets "
            f"{ours}: materialise image_codes of the whole city, which skips what the study's "
            "present encoder made"
        )
    return ONE_ENCODER.result(len(groups) <= 1, text)


def _up_to_date(stale: Collection[str]) -> Check:
    text = "every bucket was encoded from the images that are listed"
    if stale:
        text = f"the images changed since: materialise image_codes of {', '.join(sorted(stale))}"
    return UP_TO_DATE.result(not stale, text)


def _city_identity(city: Inventory, locations: pd.DataFrame) -> Check:
    """Whether each id occurs once, in its own bucket, and is listed."""
    ids, keys = city.codes["location_id"], city.codes["bucket"]
    expected = [
        bucket_of(key.split("/")[0], each, len(city.encoders))
        for each, key in zip(ids, keys, strict=True)
    ]
    faults = {
        "occur twice": ids.duplicated(),
        "lie in another's bucket": keys != pd.Series(expected, dtype=keys.dtype),
        "are not in street_images": ~ids.isin(city.listed),
        "are not in locations": ~ids.isin(locations["location_id"]),
    }
    found = [f"{int(wrong.sum())} ids {text}" for text, wrong in faults.items() if wrong.any()]
    text = f"all {len(ids)} ids are listed locations, once each, in their own bucket"
    if found:
        text = (
            f"{'; '.join(found)}: materialise street_images, locations and image_codes of the city "
            "again, then pack"
        )
    return CITY_IDENTITY.result(not found, text)


def _city_accounting(city: Inventory) -> Check:
    """Whether the buckets account for the listed locations, and for no others."""
    known = set(city.codes["location_id"]) | set(city.reasons)
    return accounting(city.account, all_known=known == set(city.listed))


def few_shared_images(repeated: pd.DataFrame, locations: pd.DataFrame, n_images: int) -> Check:
    """Whether hardly a picture occurs in two LSOAs: then a test area's image is in training too.

    Args:
        repeated: `REPEATED_IMAGES`.
        locations: `location_id, area`; a location without an area shares with none.
        n_images: of all locations with codes.
    """
    areas = locations[["location_id", "area"]].dropna().drop_duplicates("location_id")
    placed = repeated.merge(areas, on="location_id")
    n_areas = placed.groupby("picture")["area"].transform("nunique")
    shared = placed[n_areas > 1]
    share = len(shared) / max(n_images, 1)
    passed = share <= MAX_SHARED_IMAGES
    named = _named(shared)
    text = (
        f"{len(shared)} of {n_images} images occur in two LSOAs (at most {MAX_SHARED_IMAGES:.1%})"
    )
    if not passed:
        first = "; ".join(named[:_MOST_IN_TEXT])
        text += (
            f", so that networks would be tested on images they learned from: {first}. Remove what "
            "is no image of its place, such as a card for no image; where one panorama serves two "
            "areas, list it once, for postcodes of one of them"
        )
    return FEW_SHARED_IMAGES.result(
        passed,
        text,
        n_shared_images=len(shared),
        share_shared_images=share,
        n_repeated_images=len(repeated),
        n_locations_with_repeated_images=int(repeated["location_id"].nunique()),
        images_in_two_lsoas="; ".join(named[:MOST_NAMED]),
    )


def _named(shared: pd.DataFrame) -> list[str]:
    """Each picture of several areas by its first images and their areas, the widest spread first.

    Args:
        shared: `picture, location_id, view, area`.
    """
    texts = []
    sizes = shared.groupby("picture").size().sort_values(ascending=False, kind="stable")
    for picture in sizes.index[:MOST_NAMED]:
        images = shared[shared["picture"] == picture]
        first = images.drop_duplicates("area").head(_MOST_OF_A_PICTURE)
        names = [f"{row.location_id}_{row.view} in {row.area}" for row in first.itertuples()]
        more = len(images) - len(first)
        texts.append(" = ".join(names) + (f" = {more} more" if more else ""))
    return texts


def feature_checks(statistics: FeatureStatistics, encoder: EncoderIdentity) -> list[Check]:
    """Whether a city's codes are finite, vary, and are spread as published."""
    return [
        _finite_images(statistics.n_not_finite),
        _few_dead_units(statistics, encoder.layer),
        _like_published(statistics, encoder),
    ]


def is_paper(encoder: EncoderIdentity) -> bool:
    """Whether codes are comparable to the published ones: VGG16's fc6, ImageNet weights."""
    return (encoder.backbone, encoder.layer, encoder.weights) == ("vgg16", "fc6", "imagenet")


def _finite_images(n_not_finite: int) -> Check:
    text = f"{n_not_finite} images have codes that are not finite"
    if n_not_finite:
        text += ": materialise image_codes of the city again"
    return FINITE.result(n_not_finite == 0, text)


def _few_dead_units(statistics: FeatureStatistics, layer: str) -> Check:
    width, dead = len(statistics.moments.mean), statistics.n_dead_units
    most = MAX_DEAD_UNITS_IN_FC6 if layer == "fc6" else MAX_DEAD_UNITS
    passed = dead <= most * width
    text = (
        f"{dead} of {width} features have one value for all images (at most {most:.0%} in layer "
        f"{layer})"
    )
    if not passed:
        text += ": are these the right weights, and do the images differ?"
    return FEW_DEAD_UNITS.result(passed, text, n_dead_units=dead)


def _like_published(statistics: FeatureStatistics, encoder: EncoderIdentity) -> Check:
    mean, sd = statistics.overall
    low, high = _SD_RATIOS
    near = abs(mean - PUBLISHED_MEAN) <= _MEAN_TOLERANCE and low <= sd / PUBLISHED_SD <= high
    text = f"mean {mean:.2f}, sd {sd:.2f}; published for London {PUBLISHED_MEAN}, {PUBLISHED_SD}"
    if not is_paper(encoder):
        text += "; not compared, since these are other weights"
        return LIKE_PUBLISHED.not_tested(text, passed=True)
    if not statistics.moments.count:
        return LIKE_PUBLISHED.not_tested("no location has codes", passed=True)
    if not near:
        text += ": are the images street scenes, upright and in colour?"
    return LIKE_PUBLISHED.result(near, text)
