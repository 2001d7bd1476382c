"""What two provenances say of why results differ: inputs, settings, code, and where in the chain.

Results are content, and so are digests: what was made again with the same content does not differ.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import zip_longest
from typing import NamedTuple

from streetineq_assets.reports.provenance import CHAIN, PairProvenance, Provenance, Source

_DIGITS = 12  # of a sha256


class Change(NamedTuple):
    """Something that is recorded otherwise on the two sides.

    Attributes:
        what: its name.
        a, b: its value on each side; empty where a side has none.
        pairs: of which pairs; none where it concerns the study as a whole.
    """

    what: str
    a: str
    b: str
    pairs: tuple[str, ...] = ()


class Chain(NamedTuple):
    """Where in the chain of a pair the content differs.

    Attributes:
        first: the first asset whose content differs; empty where none does.
        code: the version of its code in A and in B, where these differ; else empty.
        before: those before it, whose content is the same.
        also: those after it that differ too.
        again: those after it whose content is the same.
        alone: those that one side alone has, each with that side, such as `equity_audit (A)`.
    """

    first: str
    code: tuple[str, ...]
    before: tuple[str, ...]
    also: tuple[str, ...]
    again: tuple[str, ...]
    alone: tuple[str, ...]

    @property
    def differs(self) -> bool:
        """Whether anything does."""
        return bool(self.first or self.alone)


@dataclass(frozen=True)
class Causes:
    """All that two provenances record otherwise.

    Attributes:
        of_study: title, version of the platform, libraries, what is synthetic.
        sources: official files, boundaries and weights, by edition and sha256.
        settings: by name.
        code_versions: by asset.
        chains: where the content differs, to the pairs of which that holds, of all pairs that both
            sides record.
    """

    of_study: tuple[Change, ...]
    sources: tuple[Change, ...]
    settings: tuple[Change, ...]
    code_versions: tuple[Change, ...]
    chains: Mapping[Chain, tuple[str, ...]]

    @property
    def differs(self) -> bool:
        """Whether anything does."""
        changes = (self.of_study, self.sources, self.settings, self.code_versions)
        return any(changes) or any(chain.differs for chain in self.chains)

    def chain_of(self, pair: str) -> Chain | None:
        """The chain of a pair; None where a side does not record it."""
        return next((chain for chain, pairs in self.chains.items() if pair in pairs), None)


def compare_provenances(a: Provenance, b: Provenance) -> Causes:
    """What the two record otherwise; of pairs, what they record of those that both have."""
    both = {key: (a.pairs[key], b.pairs[key]) for key in sorted(a.pairs.keys() & b.pairs.keys())}
    chains: dict[Chain, tuple[str, ...]] = {}
    for key, sides in both.items():
        chain = compare_chains(*sides)
        chains[chain] = (*chains.get(chain, ()), key)
    return Causes(
        of_study=tuple(_changes(_of_study(a), _of_study(b))),
        sources=tuple(_sources(a.sources, b.sources)),
        settings=_by_pair({key: [each.settings for each in sides] for key, sides in both.items()}),
        code_versions=_by_pair(
            {key: [each.code_versions for each in sides] for key, sides in both.items()}
        ),
        chains=chains,
    )


def compare_chains(a: PairProvenance, b: PairProvenance) -> Chain:
    """Where the content of a pair's chain differs; assets are put into the order of `CHAIN`."""
    old, new = a.digests, b.digests
    known = [*CHAIN, *sorted((old.keys() | new.keys()) - set(CHAIN))]
    shared = [asset for asset in known if asset in old and asset in new]
    differing = [asset for asset in shared if old[asset] != new[asset]]
    first = differing[0] if differing else ""
    place = shared.index(first) if differing else len(shared)
    versions = tuple(side.code_versions.get(first, "none") for side in (a, b))
    return Chain(
        first=first,
        code=versions if versions[0] != versions[1] else (),
        before=tuple(shared[:place]),
        also=tuple(differing[1:]),
        again=tuple(asset for asset in shared[place:] if asset not in differing),
        alone=tuple(
            f"{asset} ({'A' if asset in old else 'B'})"
            for asset in known
            if (asset in old) != (asset in new)
        ),
    )


def _of_study(side: Provenance) -> dict[str, str]:
    libraries = {f"library {name}": version for name, version in side.libraries.items()}
    return {
        "title": side.title,
        "version of streetineq": side.version,
        "synthetic": "; ".join(side.synthetic),
    } | libraries


def _changes(a: Mapping[str, str], b: Mapping[str, str]) -> list[Change]:
    pairs = ((name, a.get(name, ""), b.get(name, "")) for name in {**a, **b})
    return sorted(Change(name, old, new) for name, old, new in pairs if old != new)


def _by_pair(values: Mapping[str, list[Mapping[str, str]]]) -> tuple[Change, ...]:
    """The changes of all pairs, each once with the pairs that have it."""
    found: dict[Change, tuple[str, ...]] = {}
    for key, (a, b) in values.items():
        for change in _changes(a, b):
            found[change] = (*found.get(change, ()), key)
    return tuple(change._replace(pairs=pairs) for change, pairs in sorted(found.items()))


def _sources(a: Iterable[Source], b: Iterable[Source]) -> list[Change]:
    """By title: files that one side has and the other has not, whatever was taken of them."""
    sides: list[dict[str, set[str]]] = [{each.title: set() for each in (*a, *b)} for _ in "ab"]
    for found, sources in zip(sides, (a, b), strict=True):
        for each in sources:
            found[each.title].add(_told(each))
    changes = []
    for title in sorted(sides[0]):
        old, new = (sorted(sides[i][title] - sides[1 - i][title]) for i in (0, 1))
        changes += [Change(title, *each) for each in zip_longest(old, new, fillvalue="")]
    return changes


def _told(source: Source) -> str:
    edition = f"{source.edition}, " if source.edition else ""
    return f"{edition}sha256 {source.sha256[:_DIGITS]}"
