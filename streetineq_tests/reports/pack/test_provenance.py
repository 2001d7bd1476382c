"""What results were made of: told by manifests, the same text in any order."""

import json

from streetineq_assets.findings import Findings
from streetineq_assets.manifests import Recipe
from streetineq_assets.reports.provenance import Provenance, artefacts, read_provenance
from streetineq_assets.reports.results import read_results
from streetineq_tests.reports import made_up_study


def test_it_is_read_back_as_it_was_written(material):
    text = material.provenance.dumps()
    assert Provenance.model_validate_json(text) == material.provenance
    assert text == Provenance.model_validate(json.loads(text)).dumps()


def test_a_provenance_of_before_is_read(material):
    """Without what was added to it since."""
    added = {"cities", "absent"}
    before = material.provenance.model_dump(mode="json", exclude=added)
    found = Provenance.model_validate(before)
    assert (found.cities, found.absent) == ({}, {})


def test_it_names_the_places_and_where_locations_went(material):
    alpha = material.provenance.cities["alpha"]
    assert (alpha.title, alpha.authorities) == ("Alpha", ("E09000101",))
    counts = {row["what"]: row["count"] for row in alpha.account}
    assert counts["matched to an LSOA"] == 180
    assert counts["unknown postcode"] == 1


def test_pairs_without_results_have_a_reason(material):
    assert list(material.provenance.absent) == ["alpha/mean_income"]
    assert "household_income" in material.provenance.absent["alpha/mean_income"]


def test_a_result_of_something_else_is_absent_with_the_reason(store, study):
    made_up_study.make_again(store, "lsoa_predictions", "beta/crime")
    found = read_provenance(store, study, read_results(store, study), [])
    assert "made of something else than stands now" in found.absent["beta/crime"]


def test_whether_repeats_were_left_out_is_what_training_read(store, study):
    assert (
        read_provenance(store, study, read_results(store, study), [])
        .pairs["alpha/crime"]
        .drops_repeats
        is False
    )
    trained = store.open("trained_model", "alpha/crime")
    inputs = trained.manifest.recipe.inputs | {"alpha/image_repeats": "0" * 64}
    made_up_study.publish_again(store, "trained_model", "alpha/crime", inputs=inputs)
    found = read_provenance(store, study, read_results(store, study), [])
    assert found.pairs["alpha/crime"].drops_repeats is True
    assert found.pairs["alpha/mean_income"].drops_repeats is None


def test_a_file_of_another_edition_changes_a_recipe(store, study):
    before = artefacts(store, study)
    labels = store.manifest("lsoa_labels").recipe
    changed = Recipe(
        code_version=labels.code_version, inputs={"crime": "1" * 64}, config=labels.config
    )

    def write(folder):
        artefact = store.open("lsoa_labels")
        for name in artefact.manifest.files:
            (folder / name).write_bytes(artefact.file(name).read_bytes())
        return Findings()

    store.publish("lsoa_labels", None, changed, write)
    after = artefacts(store, study)
    assert {name for name in after if after[name] != before[name]} == {"recipe of lsoa_labels"}
