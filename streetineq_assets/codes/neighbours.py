"""Which views look most like some others to the network: their nearest neighbours by code.

Codes are compared by the cosine of standardised values: each feature less its mean over the city,
in its standard deviations. That is what networks take; a cosine of raw codes is mostly of the mean
that all of them share, and of the few features with large values.
"""

from collections.abc import Iterator

import numpy as np
import pandas as pd

from streetineq_assets.codes.shards import ShardReader
from streetineq_assets.images.catalogue import VIEWS

N_QUERIES, N_NEAREST = 5, 4
SAMPLE = 20_000  # locations among which is searched
_LEAST_SD = 1e-6
_BLOCK_ROWS = 128


def nearest_views(
    reader: ShardReader,
    repeated: pd.DataFrame,
    *,
    n_queries: int = N_QUERIES,
    n_nearest: int = N_NEAREST,
    sample: int = SAMPLE,
) -> pd.DataFrame:
    """Some views, and the views of other locations whose codes are nearest to theirs.

    The queries are a view each of the first locations of the shards, which are in an order by the
    seed; the first `sample` locations are searched, a block in memory at a time. A location and a
    picture are found once: copies say nothing of the network. Views that are absent are neither.

    Args:
        repeated: `repeated_images.parquet` of the city.

    Returns:
        `query, rank, location_id, view, cosine`: rank 0 is the query itself, 1 is the nearest.
    """
    n_rows = min(sample, reader.n_rows)
    ids = reader.location_ids[:n_rows].repeat(reader.views)
    views = np.tile(VIEWS[: reader.views], n_rows)
    pictures = _pictures(ids, views, repeated)
    present = reader.present[:n_rows]
    queries = [_query(n, present[n]) for n in range(min(n_queries, n_rows))]
    rows = []
    for query, cosines in zip(queries, _cosines(reader, queries, n_rows), strict=True):
        rows.append((query, 0, query, 1.0))
        order = np.argsort(-cosines, kind="stable")
        order = order[present.reshape(-1)[order]]
        nearest = _first_of_each(order, query, ids, pictures)
        found = zip(range(1, n_nearest + 1), nearest, strict=False)
        rows += [(query, rank, view, cosines[view]) for rank, view in found]
    found = pd.DataFrame(rows, columns=["query", "rank", "at", "cosine"])
    return pd.DataFrame(
        {
            "query": pd.factorize(found["query"])[0],
            "rank": found["rank"],
            "location_id": ids[found["at"].to_numpy(np.intp)],
            "view": views[found["at"].to_numpy(np.intp)],
            "cosine": found["cosine"].astype(np.float64),
        }
    )


def _query(location: int, present: np.ndarray) -> int:
    """A view that is there of a location, another one of each."""
    there = np.flatnonzero(present)
    return len(present) * location + int(there[location % len(there)])


def _cosines(reader: ShardReader, queries: list[int], n_rows: int) -> np.ndarray:
    """(queries, views of the first rows), float32."""
    mean, sd = (reader.attributes[name].astype(np.float32) for name in ("mean", "sd"))
    scale = np.divide(1, sd, out=np.zeros_like(sd), where=sd > _LEAST_SD)

    def standardised(start: int, stop: int) -> np.ndarray:
        values = reader.read(np.arange(start, stop)).reshape(-1, reader.width).astype(np.float32)
        values -= mean
        values *= scale
        return values

    def cosines(values: np.ndarray) -> np.ndarray:
        lengths = np.sqrt(np.einsum("ij,ij->i", values, values))
        return values @ wanted / np.maximum(lengths, _LEAST_SD)[:, None]

    wanted = standardised(0, len(queries))[queries].T
    wanted /= np.maximum(np.linalg.norm(wanted, axis=0), _LEAST_SD)
    starts = range(0, n_rows, _BLOCK_ROWS)
    return np.concatenate(
        [cosines(standardised(start, min(start + _BLOCK_ROWS, n_rows))) for start in starts]
    ).T


def _pictures(ids: np.ndarray, views: np.ndarray, repeated: pd.DataFrame) -> np.ndarray:
    """A number for each view, the same for those that show the same picture."""
    shared = repeated.set_index(["location_id", "view"])["picture"]
    number = shared.reindex(pd.MultiIndex.from_arrays([ids.astype(str), views]))
    return number.fillna(pd.Series(-1 - np.arange(len(ids)), number.index)).to_numpy(np.int64)


def _first_of_each(
    order: np.ndarray, query: int, ids: np.ndarray, pictures: np.ndarray
) -> Iterator[int]:
    """Of views from the nearest on, those of locations and pictures that did not come before."""
    seen_ids, seen_pictures = {ids[query]}, {pictures[query]}
    for view in order.tolist():
        if ids[view] in seen_ids or pictures[view] in seen_pictures:
            continue
        seen_ids.add(ids[view])
        seen_pictures.add(pictures[view])
        yield view
