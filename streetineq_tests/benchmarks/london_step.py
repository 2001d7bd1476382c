"""One asset of a city in this process, partition after partition: time and peak memory as JSON.

`bench_london_chain` starts it for each step.
"""

import json
import sys
import time
from pathlib import Path

from streetineq_assets.definitions import build_definitions
from streetineq_assets.store import DataStore
from streetineq_tests.benchmarks.bench_catalogue import peak_gb
from streetineq_tests.harness import run


def main(root: Path, asset: str) -> None:
    """Run it on all of its partitions; print the seconds of all and of the longest.

    And the seconds of CPU from the start of the process, which a busy machine changes little.
    """
    imported, seconds = peak_gb(), []
    graph = build_definitions(root).resolve_asset_graph()
    (node,) = [graph.get(key) for key in graph.get_all_asset_keys() if key.path == [asset]]
    definition = node.partitions_def
    for key in definition.get_partition_keys() if definition else [None]:
        started = time.perf_counter()
        run(DataStore(root), asset, key)
        seconds.append(time.perf_counter() - started)
    found = {"runs": len(seconds), "seconds": sum(seconds), "longest": max(seconds)}
    cpu = time.process_time()
    print(json.dumps(found | {"cpu": cpu, "peak": peak_gb(), "imported": imported}))


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2])
