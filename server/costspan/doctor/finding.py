"""The closed list of what the doctor can find, and how much each matters. No sentences here."""

from __future__ import annotations

from enum import StrEnum


class Severity(StrEnum):
    """What a finding is about."""

    ACCURACY = "accuracy"  # a sum of dollars is wrong or not known
    POSSIBLE = "possible"  # it may be, and this telemetry can't show whether it is
    DETAIL = "detail"  # the sums are right; something else is missing, or dear for nothing


class Finding(StrEnum):
    """An id, stable once released: scripts and `--json` rely on it."""

    NO_USAGE = "no_usage"  # calls that were answered and never stated their usage
    UNPRICED = "unpriced"  # usage without a price
    INVALID_USAGE = "invalid_usage"  # counts that contradict themselves
    CONVENTION_ASSUMED = "convention_assumed"  # cached tokens counted by nobody we know
    TRUNCATED = "truncated"  # attributes were cut or dropped
    DOUBLED_ACROSS_TRACES = "doubled_across_traces"  # looks like one call, billed twice
    ONLY_LOGS = "only_logs"  # usage in log records, of which no span tells
    ONLY_METRICS = "only_metrics"  # the same in metrics
    ONLY_AGGREGATES = "only_aggregates"  # an agent's own sum is all there is
    UNCOVERED_USAGE = "uncovered_usage"  # an agent counts more than the calls below it
    PARENT_OVERWRITTEN = "parent_overwritten"  # calls that write onto spans not their own
    LIBRARY_MISCOUNTS = "library_miscounts"  # known of the library; its spans can't show it
    DOUBLED = "doubled"  # two instrumentations tell of the same call
    WRAPPER_REPEATS = "wrapper_repeats"  # spans above repeat the usage below
    RUNNING_SUMS = "running_sums"  # usage that contains that of earlier spans
    MISSING_PARENTS = "missing_parents"  # spans above were never sent here
    SEVERAL_ROOTS = "several_roots"  # one trace id, several trees
    NO_RESPONSE_MODEL = "no_response_model"
    NO_PROVIDER = "no_provider"
    NO_OPERATION = "no_operation"
    NO_AGENT = "no_agent"
    UNKNOWN_ATTRIBUTES = "unknown_attributes"  # gen_ai.* that no convention here knows
    COST_DIFFERS = "cost_differs"  # the library's own figure is another
    ALREADY_METERED = "already_metered"  # another costspan was here before
    LIBRARY_OMITS = "library_omits"  # known of the library: it has no key for it


_ACCURACY = frozenset(
    {
        Finding.NO_USAGE,
        Finding.UNPRICED,
        Finding.INVALID_USAGE,
        Finding.TRUNCATED,
        Finding.DOUBLED_ACROSS_TRACES,
        Finding.ONLY_LOGS,
        Finding.ONLY_METRICS,
    }
)
_POSSIBLE = frozenset(
    {
        Finding.CONVENTION_ASSUMED,
        Finding.ONLY_AGGREGATES,
        Finding.UNCOVERED_USAGE,
        Finding.PARENT_OVERWRITTEN,
        Finding.LIBRARY_MISCOUNTS,
    }
)


def severity(finding: Finding) -> Severity:
    """How much it matters: with one that costs accuracy `costspan doctor` ends with 5."""
    if finding in _ACCURACY:
        return Severity.ACCURACY
    return Severity.POSSIBLE if finding in _POSSIBLE else Severity.DETAIL
