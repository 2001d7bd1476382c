"""The checks of an encoder: who vouches for its weights, and whether one may use them so."""

from streetineq_assets.codes.encoders.licences import acts_of, find_licence, in_words
from streetineq_assets.codes.identity import EncoderIdentity
from streetineq_assets.encoder_settings import Encoder as Settings
from streetineq_assets.findings import Check, CheckSpec
from streetineq_assets.image_settings import Rights

WEIGHTS_KNOWN = CheckSpec(
    "weights_known", "The weights are published, random, or named by their sha256."
)
ENCODER_ALLOWED = CheckSpec(
    "encoder_allowed", "The weights' licence allows what the study does.", blocking=True
)


def encoder_checks(identity: EncoderIdentity, settings: Settings, rights: Rights) -> list[Check]:
    """Both of them."""
    return [weights_known(identity, settings), encoder_allowed(identity, settings, rights)]


def weights_known(identity: EncoderIdentity, settings: Settings) -> Check:
    """Whether somebody vouches for the weights: Keras, the study's sha256, or nobody needs to."""
    is_own = identity.weights in ("file", "imported")
    known = not is_own or settings.weights_sha256 == identity.weights_sha256
    label = getattr(settings, "weights", identity.weights) if is_own else identity.weights
    text = f"{label}, sha256 {identity.weights_sha256 or 'not stated'}"
    if not known:
        text += "; if these are the right weights, name it as encoder.weights_sha256 in study.toml"
    return WEIGHTS_KNOWN.result(known, text)


def encoder_allowed(identity: EncoderIdentity, settings: Settings, rights: Rights) -> Check:
    """Whether the weights' licence forbids anything that the study does.

    What nobody states or knows is neither allowed nor forbidden: it blocks nothing.

    Args:
        identity: of the encoder; the licence that study.toml states comes first.
        rights: what the study does.
    """
    acts, written = acts_of(rights), settings.licence or identity.licence
    if identity.weights in ("random", "none"):
        return ENCODER_ALLOWED.result(True, f"the weights are {identity.weights}: nobody's")
    if not written:
        text = "nobody states the weights' licence: write it as encoder.licence in study.toml"
        return ENCODER_ALLOWED.not_tested(text, passed=True)
    licence = find_licence(written)
    if licence is None:
        text = f'of the licence "{written}" it is not known whether one may {in_words(acts)}'
        return ENCODER_ALLOWED.not_tested(text, passed=True)
    by_answer = {
        answer: tuple(act for act in acts if licence.permits[act] == answer)
        for answer in ("no", "unknown")
    }
    where = f"{licence.name}: {licence.conditions} ({licence.source})"
    if by_answer["no"]:
        return ENCODER_ALLOWED.result(
            False,
            f"the weights' licence forbids to {in_words(by_answer['no'])}; {where}. Take another "
            "encoder, or change under [rights] in study.toml what the study does",
        )
    if by_answer["unknown"]:
        text = f"it is not known whether one may {in_words(by_answer['unknown'])}; {where}"
        return ENCODER_ALLOWED.not_tested(text, passed=True)
    return ENCODER_ALLOWED.result(True, f"one may {in_words(acts)}; {where}")
