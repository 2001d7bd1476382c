"""Leave-one-out against calculations by hand: an area without a location, a mean without a view."""

import keras
import numpy as np
import pandas as pd
import pytest

from streetineq_assets.models.dataset import Codes
from streetineq_assets.models.heads import HEADS
from streetineq_assets.models.network import build_network, copy_head
from streetineq_assets.models.pooling import split_at_views
from streetineq_assets.predictions import influence
from streetineq_assets.predictions.influence import SplitNetwork, location_influence, view_scores
from streetineq_assets.profiles import PROFILES
from streetineq_tests.models.synthetic import ArrayReader

WIDTH = 16

# -- locations -------------------------------------------------------------------------------------


def locations(*rows):
    return pd.DataFrame(rows, columns=["area", "h", "weight"])


def mean_of(rows):
    """By NumPy alone; rows of weight 0 count equally where there are no others."""
    weights = rows["weight"] if rows["weight"].sum() else np.ones(len(rows))
    return np.average(rows["h"].astype(float), weights=weights)


def deleted_and_averaged_again(frame):
    found = []
    for label in frame.index:
        own = frame[frame["area"] == frame.loc[label, "area"]]
        rest = own.drop(label)
        found.append(mean_of(own) - mean_of(rest) if len(rest) else np.nan)
    return found


def test_it_is_the_mean_less_the_mean_of_the_others():
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(
        {
            "area": rng.permutation(np.repeat([f"E{n:02d}" for n in range(40)], 5)),
            "h": rng.normal(0, 1, 200).astype(np.float32),
            "weight": rng.integers(0, 4, 200).astype(np.int32),
        }
    )
    expected = deleted_and_averaged_again(frame)
    np.testing.assert_allclose(location_influence(frame), expected, atol=1e-12)


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        ([("A", 1.0, 2)], [np.nan]),
        ([("A", 1.0, 1), ("A", 3.0, 1)], [-1.0, 1.0]),
        ([("A", 1.0, 0), ("A", 3.0, 0)], [-1.0, 1.0]),  # no live postcode: they count equally
        ([("A", 1.0, 1), ("A", 4.0, 3)], [3.25 - 4.0, 3.25 - 1.0]),
        ([("A", 1.0, 0), ("A", 4.0, 3)], [0.0, 3.0]),  # without the second only zeros are left
        ([("A", 1.0, 0), ("A", 2.0, 0), ("A", 6.0, 1)], [0.0, 0.0, 4.5]),
        ([("A", 5.0, 1), ("B", 1.0, 1), ("B", 2.0, 1)], [np.nan, -0.5, 0.5]),
    ],
)
def test_weights_of_nothing_and_areas_of_one_location(rows, expected):
    frame = locations(*rows)
    np.testing.assert_allclose(location_influence(frame), expected)
    np.testing.assert_allclose(deleted_and_averaged_again(frame), expected)


def test_a_planted_location_is_found():
    rng = np.random.default_rng(1)
    frame = pd.DataFrame({"area": "A", "h": rng.normal(0, 0.1, 9), "weight": 1})
    frame.loc[4, "h"] = 9.0
    found = location_influence(frame)
    assert np.abs(found).argmax() == 4
    assert found[4] == pytest.approx(1.0, abs=0.1)  # about (9 - 0) / 9


def test_a_score_that_is_no_number_is_refused():
    with pytest.raises(ValueError, match="finite"):
        location_influence(locations(("A", np.nan, 1), ("A", 1.0, 1)))


# -- views -----------------------------------------------------------------------------------------


def network(profile="recommended", head="binomial", seed=0, outcomes=1):
    """A network as after training: its statistics are no longer 0 and 1."""
    fields = PROFILES[profile].model_copy(update={"head": head})
    made = build_network(fields, WIDTH, seed=seed, outcomes=outcomes)
    rng = np.random.default_rng(seed)
    for layer in made.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            layer.set_weights([rng.uniform(0.5, 1.5, w.shape) for w in layer.get_weights()])
    return made, fields


def split(made, fields):
    return SplitNetwork(split_at_views(made), HEADS[fields.head])


def normalised(x, layer):
    values = dict(zip([w.name for w in layer.weights], layer.get_weights(), strict=True))
    x = (x - values["moving_mean"]) / np.sqrt(values["moving_variance"] + layer.epsilon)
    return x * values.get("gamma", 1) + values.get("beta", 0)


def block(x, made, number):
    kernel, bias = made.get_layer(f"dense_{number}").get_weights()
    return np.maximum(normalised(x @ kernel + bias, made.get_layer(f"norm_{number}")), 0)


def by_hand(made, fields, features, views):
    """The score by NumPy, in float64, when only these views are averaged."""
    x = features[:, views].astype(np.float64)
    if fields.standardise:
        x = normalised(x, made.get_layer("standardise"))
    for number in (1, 2, 3):
        x = block(x, made, number)
    x = block(sum(x[:, k] for k in range(len(views))) / len(views), made, 4)
    outputs = made.get_layer("head")(x.astype(np.float32))
    return np.asarray(HEADS[fields.head].score(outputs))


def codes(n, *, seed=0, dtype="float32"):
    return np.random.default_rng(seed).normal(0, 1, (n, 4, WIDTH)).astype(dtype)


@pytest.mark.parametrize("profile", list(PROFILES))
@pytest.mark.parametrize("head", list(HEADS))
def test_a_view_is_left_out_of_the_mean_and_of_nothing_else(profile, head):
    made, fields = network(profile, head)
    features = codes(7, dtype="float16")
    found = split(made, fields).scores(features)
    outputs = made(features.astype(np.float32), training=False)
    np.testing.assert_allclose(found[:, 0], HEADS[head].score(outputs), rtol=1e-5, atol=1e-5)
    for left_out in range(4):
        views = [view for view in range(4) if view != left_out]
        expected = by_hand(made, fields, features, views)
        np.testing.assert_allclose(found[:, 1 + left_out], expected, rtol=1e-4, atol=1e-4)
    assert np.ptp(found, axis=1).min() > 0.001


def test_a_network_out_of_a_joint_one_is_left_out_alike():
    joint, fields = network(outcomes=3)
    alone = copy_head(joint, fields, 1)
    found = split(alone, fields).scores(codes(5))
    np.testing.assert_allclose(
        found[:, 0], np.asarray(joint(codes(5), training=False))[:, 1], rtol=1e-5, atol=1e-5
    )
    np.testing.assert_allclose(
        found[:, 2], by_hand(alone, fields, codes(5), [0, 2, 3]), rtol=1e-4, atol=1e-4
    )


def test_each_location_is_scored_by_the_network_of_its_fold_across_chunks(monkeypatch):
    monkeypatch.setattr(influence, "CHUNK_ROWS", 4)
    networks = {fold: split(*network(seed=fold)) for fold in (0, 1, 2)}
    features = codes(30)
    reader = ArrayReader(features, np.array([f"l{n}" for n in range(30)], dtype=object))
    rows = np.array([0, 2, 3, 5, 8, 9, 10, 17, 20, 21, 29])
    folds = np.array([0, 1, 1, 0, 2, 2, 2, 2, 1, 0, 0])
    found = view_scores(Codes(reader, 0), rows, folds, networks)
    for number, (row, fold) in enumerate(zip(rows, folds, strict=True)):
        expected = networks[fold].scores(features[row][None])[0]
        np.testing.assert_allclose(found[number], expected, rtol=1e-5, atol=1e-5)


def test_where_one_view_carries_everything_its_influence_is_all_there_is():
    """A network that answers to the first feature alone, which is 0 in all views but c."""
    made, fields = network("suel2019")
    for number in (1, 2, 3, 4):
        kernel, bias = made.get_layer(f"dense_{number}").get_weights()
        chain = np.zeros_like(kernel)
        chain[0, 0] = 1.0
        made.get_layer(f"dense_{number}").set_weights([chain, 0 * bias])
        norm = made.get_layer(f"norm_{number}")
        weights = zip(norm.get_weights(), (1, 0, 0, 1), strict=True)
        norm.set_weights([np.full_like(weight, value) for weight, value in weights])
    head = made.get_layer("head")
    kernel, bias = head.get_weights()
    head.set_weights([np.eye(*kernel.shape), 0 * bias])
    features = np.zeros((3, 4, WIDTH), np.float32)
    features[:, 2, 0] = [1.0, 2.0, 4.0]
    found = split(made, fields).scores(features)
    shrunk = (1 + 1e-3) ** -2  # four normalisations by a variance of 1 and Keras's epsilon
    np.testing.assert_allclose(found[:, 0], shrunk * features[:, 2, 0] / 4, rtol=1e-5)
    moved = found[:, :1] - found[:, 1:]
    np.testing.assert_allclose(moved[:, 2], found[:, 0], rtol=1e-5)
    np.testing.assert_allclose(moved[:, [0, 1, 3]], -found[:, :1] / 3 * np.ones(3), rtol=1e-4)


def test_a_network_that_takes_no_mean_of_the_views_is_not_cut():
    inputs = keras.Input((4, WIDTH))
    largest = keras.layers.GlobalMaxPooling1D()(keras.layers.Dense(3)(inputs))
    assert split_at_views(keras.Model(inputs, keras.layers.Dense(1)(largest))) is None
