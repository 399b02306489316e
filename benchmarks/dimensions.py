"""What a configured dimension costs: scan and recognition of W2, by the keys that are looked for.

Run `python benchmarks/dimensions.py`. The first row is what everybody pays; nothing is sent.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence

from workloads import Request, Workload

from costspan import wire
from costspan.dialect import configured, recognise, wanted
from costspan.processor.enrich import OWN_KEYS

_SPANS, _ROUNDS, _ROUND_BYTES = 512, 6, 4 << 20
_CASES: Mapping[str, Sequence[str]] = {
    "no dimension configured": (),
    "1 key that no span holds": ("cost.center",),
    "5 keys that no span holds": tuple(f"cost.center{number}" for number in range(5)),
    "1 key of every resource": ("service.namespace",),
    "1 key of every tool span": ("gen_ai.tool.name",),
    "1 key of every HTTP span": ("http.route",),
}


def _us_per_span(keys: Sequence[str], requests: Sequence[Request]) -> float:
    dimensions = configured({key: (key,) for key in keys}, witnesses=True)
    asked = wanted(dimensions, OWN_KEYS)
    begin = time.process_time()
    for request in requests:
        for hit in wire.scan(request.body, asked):
            recognise(hit, dimensions)
    seconds = time.process_time() - begin
    return seconds * 1e6 / sum(request.spans for request in requests)


def main() -> None:
    """Print the best round of each case; the first round warms up."""
    rounds = [Workload("W2", seed=seed).requests(_SPANS, _ROUND_BYTES) for seed in range(_ROUNDS)]
    print("us/span")
    for case, keys in _CASES.items():
        best = min([_us_per_span(keys, requests) for requests in rounds][1:])
        print(f"{best:7.2f}  {case}")


if __name__ == "__main__":
    main()
