"""How each profile deviates from the original system, a run from its profile, and why."""

from dataclasses import dataclass

from streetineq_assets.profiles import PROFILES, Profile, ProfileName


@dataclass(frozen=True)
class Deviation:
    """One deviation from the code of 2019.

    Attributes:
        profiles: those that it holds for.
        original: what the original did.
        here: what is done instead.
        why: the reason.
    """

    profiles: tuple[ProfileName, ...]
    original: str
    here: str
    why: str


_BOTH: tuple[ProfileName, ...] = ("suel2019", "recommended")
_RECOMMENDED: tuple[ProfileName, ...] = ("recommended",)

DEVIATIONS: tuple[Deviation, ...] = (
    Deviation(
        _BOTH,
        "noise N(0, 0.05^2) on every read, test rows included",
        "noise on training rows only (none in recommended)",
        "predictions must be reproducible",
    ),
    Deviation(
        _BOTH,
        "the best step chosen on training rows, in the last tenth of the last epoch",
        "the best epoch chosen on validation areas cut from the training fold",
        "selection on training rows rewards overfitting, and few steps left no network at all",
    ),
    Deviation(
        _BOTH,
        "test rows logged as validation during training",
        "test rows are read once, after the last epoch",
        "nobody can then choose by them",
    ),
    Deviation(
        _BOTH,
        "probabilities by recursion in float32",
        "log-probabilities in closed form",
        "the recursion gives NaN beyond |h| of about 11, and the worst decile for the best areas",
    ),
    Deviation(
        _BOTH,
        "folds without grouping unless asked, or by a greedy rule that ignores the seed",
        "whole areas, stratified by decile, dealt out by a seeded hash",
        "areas in two folds leak their label; the seed must matter",
    ),
    Deviation(
        _BOTH,
        "random numbers not seeded",
        "orders, noise and initial weights come from the study's seed, the fold and the epoch",
        "a repeat must give the same networks",
    ),
    Deviation(
        _RECOMMENDED,
        "raw codes (deviation of about 8)",
        "each feature standardised by the fold's training rows",
        "training no longer depends on the scale of the encoder's layer",
    ),
    Deviation(
        _RECOMMENDED,
        "batches of 10, one per class",
        "larger batches, rows weighted by n / (10 n_c)",
        "each row is seen once an epoch, and the device is kept busy",
    ),
    Deviation(
        _RECOMMENDED,
        "statistics of each view in batch normalisation, moving decay 0.999",
        "the four views' statistics together, a shorter memory",
        "steadier statistics, and moving averages that have converged when training ends",
    ),
    Deviation(
        _RECOMMENDED,
        "no dropout, no weight decay",
        "half of the units dropped, a decay that takes 0.3 % off the weights in the first steps",
        "2.3 million weights learn from a few thousand labels",
    ),
    Deviation(
        _RECOMMENDED,
        "one step chosen, however few areas there are to choose by",
        "the last epoch below 200 validation areas, the best by their loss from there on",
        "a handful of areas chooses a lucky epoch",
    ),
    Deviation(
        _RECOMMENDED,
        "Adam at 5e-6, ten epochs",
        "AdamW with a cosine schedule, 10 steps for each square root of a training area",
        "areas have the labels, not images; longer training ranks unseen areas worse",
    ),
)


def deviations_of(name: ProfileName, used: Profile) -> list[dict[str, str]]:
    """The rows of one profile, for a table, and a row per field that was set otherwise.

    Args:
        used: the profile with the overrides of the study and of the run.
    """
    rows = [
        {"original": d.original, "here": d.here, "why": d.why}
        for d in DEVIATIONS
        if name in d.profiles
    ]
    own, run = PROFILES[name].model_dump(), used.model_dump()
    # A run that bears the name of 2019 must show where it does not train as the profile does.
    return rows + [
        {
            "original": f"{field} = {own[field]} in the profile {name}",
            "here": f"{field} = {value}",
            "why": "an override of study.toml or of this run",
        }
        for field, value in run.items()
        if value != own[field]
    ]
