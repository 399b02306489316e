"""The closed list of what the doctor can find, and which of it costs accuracy."""

from __future__ import annotations

from enum import StrEnum


class Finding(StrEnum):
    """An id, stable once released: scripts and `--json` rely on it."""

    # each of these may make a sum of dollars wrong
    NO_USAGE = "no_usage"  # calls that were answered and never stated their usage
    UNPRICED = "unpriced"  # usage without a price
    INVALID_USAGE = "invalid_usage"  # counts that contradict themselves
    CONVENTION_ASSUMED = "convention_assumed"  # cached tokens counted by nobody we know
    ONLY_AGGREGATES = "only_aggregates"  # an agent's own sum is all there is
    UNCOVERED_USAGE = "uncovered_usage"  # an agent counts more than the calls below it
    PARENT_OVERWRITTEN = "parent_overwritten"  # several calls write onto one span
    TRUNCATED = "truncated"  # attributes were cut or dropped
    MISSING_PARENTS = "missing_parents"  # spans above were never sent
    DOUBLED_ACROSS_TRACES = "doubled_across_traces"  # looks like one call, billed twice
    ONLY_LOGS = "only_logs"  # usage in log records, of which no span tells
    ONLY_METRICS = "only_metrics"  # the same in metrics
    LIBRARY_MISCOUNTS = "library_miscounts"  # known of the library; its spans cannot show it
    # these cost detail, not money
    DOUBLED = "doubled"  # two instrumentations tell of the same call
    WRAPPER_REPEATS = "wrapper_repeats"  # spans above repeat the usage below
    RUNNING_SUMS = "running_sums"  # usage that contains that of earlier spans
    SEVERAL_ROOTS = "several_roots"  # one trace id, several trees
    NO_RESPONSE_MODEL = "no_response_model"
    NO_PROVIDER = "no_provider"
    NO_OPERATION = "no_operation"
    NO_AGENT = "no_agent"
    UNKNOWN_ATTRIBUTES = "unknown_attributes"  # gen_ai.* that no convention here knows
    COST_DIFFERS = "cost_differs"  # the library's own figure is another
    ALREADY_METERED = "already_metered"  # another costspan was here before
    LIBRARY_OMITS = "library_omits"  # known of the library: it has no key for it


COSTS_ACCURACY = frozenset(
    {
        Finding.NO_USAGE,
        Finding.UNPRICED,
        Finding.INVALID_USAGE,
        Finding.CONVENTION_ASSUMED,
        Finding.ONLY_AGGREGATES,
        Finding.UNCOVERED_USAGE,
        Finding.PARENT_OVERWRITTEN,
        Finding.TRUNCATED,
        Finding.MISSING_PARENTS,
        Finding.DOUBLED_ACROSS_TRACES,
        Finding.ONLY_LOGS,
        Finding.ONLY_METRICS,
        Finding.LIBRARY_MISCOUNTS,
    }
)
"""Those that may make a sum of dollars wrong: with one of them `costspan doctor` exits with 5."""
