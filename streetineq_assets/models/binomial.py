"""The binomial link between a network's output and a decile, in closed form.

These functions take NumPy arrays; `heads` has the same link inside a training step.

With p = sigmoid(h), class k = decile - 1 has probability C(9, k) p^k (1 - p)^(9 - k), so that
log P(k) = log C(9, k) + k log sigmoid(h) + (9 - k) log sigmoid(-h). This form holds for every h;
the original's recursion over float32 probabilities underflows beyond |h| of about 10.
"""

import math

import numpy as np
from numpy.typing import ArrayLike, NDArray

from streetineq_assets.labels.deciles import N_DECILES

_TRIALS = N_DECILES - 1
_CLASSES = np.arange(N_DECILES)
LOG_CHOOSE = np.log([math.comb(_TRIALS, k) for k in range(N_DECILES)])
_TIE = 1e-6  # probabilities closer than this, relative to the largest, are the same in float32
# argmax of the probabilities changes where 10 sigmoid(h) is a whole number: at logit(k / 10).
_BORDERS = np.array([math.log(k / (N_DECILES - k)) for k in range(1, N_DECILES)])


def log_probabilities(h: ArrayLike) -> NDArray[np.floating]:
    """Log-probability of each decile.

    Args:
        h: (n,) outputs of a network on the logit scale; any finite value.

    Returns:
        (n, 10), column k for decile k + 1, in the dtype of `h` (integers give float64). Finite for
        every finite h: sums beyond the dtype's range are held at its largest magnitude.
    """
    h = np.asarray(h)
    dtype = np.result_type(h.dtype, np.float32)
    limit = np.finfo(dtype).max / (2 * _TRIALS)
    wide = np.clip(h.astype(np.float64), -limit, limit)[..., np.newaxis]
    log_p, log_q = -np.logaddexp(0.0, -wide), -np.logaddexp(0.0, wide)
    return (LOG_CHOOSE + _CLASSES * log_p + (_TRIALS - _CLASSES) * log_q).astype(dtype)


def decile(h: ArrayLike) -> NDArray[np.int8]:
    """The most probable decile, clip(ceil(10 sigmoid(h)), 1, 10): a tie goes to the lower.

    Args:
        h: (n,) outputs of a network; infinities allowed.

    Returns:
        (n,) int8 in 1..10.

    Raises:
        ValueError: a value is NaN.
    """
    h = np.asarray(h)
    if np.isnan(h).any():
        raise ValueError("h has NaN: a network that diverged has no decile")
    # Counting borders below h is exact at ties, where rounding of sigmoid would not be.
    borders = _BORDERS.astype(np.result_type(h.dtype, np.float32))
    return (1 + np.searchsorted(borders, h, side="left")).astype(np.int8)


def most_probable(probabilities: ArrayLike) -> NDArray[np.int8]:
    """The decile of largest probability of any head, the lower of two that tie.

    Args:
        probabilities: (n, 10) of deciles 1 to 10, finite.

    Returns:
        (n,) int8 in 1..10; that of the binomial head is `decile(h)`.
    """
    p = np.asarray(probabilities, dtype=np.float64)
    largest = p.max(axis=1, keepdims=True) * (1 - _TIE)
    return ((p >= largest).argmax(axis=1) + 1).astype(np.int8)


def expected_decile(h: ArrayLike) -> NDArray[np.floating]:
    """Mean of the decile's distribution, 1 + 9 sigmoid(h); (n,) -> (n,)."""
    h = np.asarray(h)
    return 1 + _TRIALS * np.exp(-np.logaddexp(0.0, -h))


def loss(decile: ArrayLike, h: ArrayLike) -> NDArray[np.floating]:
    """Negative log-likelihood per row.

    It is nine times the binary cross-entropy of sigmoid(h) against (decile - 1) / 9, up to a term
    in the decile alone; its derivative in h is 9 sigmoid(h) - (decile - 1).

    Args:
        decile: (n,) whole numbers 1..10.
        h: (n,) outputs of a network.

    Returns:
        (n,) in the dtype of `h`.

    Raises:
        ValueError: a decile outside 1..10.
    """
    classes = np.asarray(decile, dtype=np.int64) - 1
    if classes.size and (classes.min() < 0 or classes.max() > _TRIALS):
        raise ValueError("deciles must be 1 to 10")
    rows = log_probabilities(h)
    return -np.take_along_axis(rows, classes[..., np.newaxis], axis=-1)[..., 0]
