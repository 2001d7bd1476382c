"""What two provenances record otherwise, and where in the chain the content begins to differ."""

from hypothesis import given
from hypothesis import strategies as st

from streetineq_assets.reports.differences.causes import Change, compare_chains, compare_provenances
from streetineq_assets.reports.provenance import CHAIN, Source
from streetineq_tests.reports.differences.made_up_sides import CRIME, of_pair, provenance


def test_nothing_is_recorded_otherwise_of_the_same():
    causes = compare_provenances(provenance(), provenance())
    assert not causes.differs
    assert causes.chain_of("alpha/crime").first == ""


def test_the_first_asset_that_differs_is_found_with_its_code():
    last = {"location_predictions": "new", "lsoa_predictions": "new"}
    b = of_pair(digests={"trained_model": "new"} | last, code_versions={"trained_model": "2"})
    chain = compare_chains(of_pair(), b)
    assert (chain.first, chain.code) == ("trained_model", ("1", "2"))
    assert chain.before == CHAIN[: CHAIN.index("trained_model")]
    assert chain.also == tuple(last)
    assert "lsoa_evaluation" in chain.again


def test_the_order_in_which_a_pack_lists_assets_is_of_no_account():
    b = of_pair(digests={"lsoa_labels": "new", "trained_model": "new"})
    shuffled = b.model_copy(update={"digests": dict(reversed(b.digests.items()))})
    assert compare_chains(of_pair(), shuffled).first == "lsoa_labels"


def test_what_one_side_alone_records_is_no_first_difference():
    b = of_pair()
    fewer = {name: digest for name, digest in b.digests.items() if name != "image_repeats"}
    chain = compare_chains(of_pair(), b.model_copy(update={"digests": fewer}))
    assert (chain.first, chain.alone) == ("", ("image_repeats (A)",))


def test_a_change_of_several_pairs_is_told_once():
    pairs = ("alpha/crime", "beta/crime")
    a, b = (
        provenance(pairs={pair: of_pair(code_versions={"trained_model": v}) for pair in pairs})
        for v in "12"
    )
    (change,) = compare_provenances(a, b).code_versions
    assert change == Change("trained_model", "1", "2", pairs)


def test_a_source_of_another_content_or_edition_is_named():
    income = Source(title="GLA", provides="Mean income", edition="", sha256="c" * 64)
    newer = CRIME.model_copy(update={"edition": "2019", "sha256": "b" * 64})
    sources = compare_provenances(provenance(), provenance(sources=(newer, income))).sources
    assert sources == (
        Change("File 7", "2015, sha256 aaaaaaaaaaaa", "2019, sha256 bbbbbbbbbbbb"),
        Change("GLA", "", "sha256 cccccccccccc"),
    )


def test_a_file_of_which_other_outcomes_were_taken_is_the_same_file():
    more = CRIME.model_copy(update={"provides": "Crime, Income"})
    assert compare_provenances(provenance(), provenance(sources=(more,))).sources == ()


def test_libraries_version_and_title_are_compared():
    b = provenance(title="Other", version="2.0", libraries={"numpy": "2.1", "keras": "3"})
    changed = {
        each.what: (each.a, each.b) for each in compare_provenances(provenance(), b).of_study
    }
    assert changed == {
        "library keras": ("", "3"),
        "library numpy": ("2.0", "2.1"),
        "title": ("Two towns", "Other"),
        "version of streetineq": ("1.0", "2.0"),
    }


SOURCES = st.lists(
    st.builds(
        Source,
        title=st.sampled_from("xy"),
        provides=st.just("z"),
        edition=st.sampled_from(["", "2015"]),
        sha256=st.sampled_from(["a" * 64, "b" * 64]),
    ),
    max_size=4,
)
DIGESTS = st.dictionaries(st.sampled_from(CHAIN), st.sampled_from("12"))
PROVENANCES = st.builds(
    lambda sources, digests, seed: provenance(
        sources=tuple(sources),
        pairs={
            "alpha/crime": of_pair(settings=seed).model_copy(update={"digests": digests}),
        },
    ),
    SOURCES,
    DIGESTS,
    st.dictionaries(st.just("Seed"), st.sampled_from("12")),
)


@given(PROVENANCES)
def test_no_provenance_differs_from_itself(told):
    assert not compare_provenances(told, told).differs


@given(PROVENANCES, PROVENANCES)
def test_the_other_order_is_the_mirror_image(a, b):
    there, back = compare_provenances(a, b), compare_provenances(b, a)
    assert there.settings == tuple(each._replace(a=each.b, b=each.a) for each in back.settings)
    assert there.sources == tuple(each._replace(a=each.b, b=each.a) for each in back.sources)
    (one,), (other,) = there.chains, back.chains
    assert (one.first, one.before, one.also, one.again) == (
        other.first,
        other.before,
        other.also,
        other.again,
    )
