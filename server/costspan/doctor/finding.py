"""The closed list of what the doctor can find: ids, what each means, how much it matters."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import NamedTuple


class Severity(StrEnum):
    """What a finding is about."""

    ACCURACY = "accuracy"  # a sum of dollars is wrong or not known
    POSSIBLE = "possible"  # it may be, and this telemetry can't show whether it is
    DETAIL = "detail"  # the sums are right; something else is missing, or dear for nothing


class Finding(StrEnum):
    """An id, stable once released: scripts and `--json` rely on it. In order of importance."""

    NO_USAGE = "no_usage"
    UNPRICED = "unpriced"
    INVALID_USAGE = "invalid_usage"
    TRUNCATED = "truncated"
    DOUBLED_ACROSS_TRACES = "doubled_across_traces"
    ONLY_LOGS = "only_logs"
    ONLY_METRICS = "only_metrics"
    CONVENTION_ASSUMED = "convention_assumed"
    ONLY_AGGREGATES = "only_aggregates"
    UNCOVERED_USAGE = "uncovered_usage"
    PARENT_OVERWRITTEN = "parent_overwritten"
    LIBRARY_MISCOUNTS = "library_miscounts"
    DOUBLED = "doubled"
    WRAPPER_REPEATS = "wrapper_repeats"
    RUNNING_SUMS = "running_sums"
    MISSING_PARENTS = "missing_parents"
    SEVERAL_ROOTS = "several_roots"
    NO_RESPONSE_MODEL = "no_response_model"
    NO_PROVIDER = "no_provider"
    NO_OPERATION = "no_operation"
    NO_AGENT = "no_agent"
    UNKNOWN_ATTRIBUTES = "unknown_attributes"
    COST_DIFFERS = "cost_differs"
    ALREADY_METERED = "already_metered"
    LIBRARY_OMITS = "library_omits"


class Meaning(NamedTuple):
    """A finding in a sentence."""

    severity: Severity
    text: str


def _accuracy(text: str) -> Meaning:
    return Meaning(Severity.ACCURACY, text)


def _possible(text: str) -> Meaning:
    return Meaning(Severity.POSSIBLE, text)


def _detail(text: str) -> Meaning:
    return Meaning(Severity.DETAIL, text)


MEANINGS: Mapping[Finding, Meaning] = {
    Finding.NO_USAGE: _accuracy(
        "A call was answered, and its span never stated its usage: a stream, mostly."
    ),
    Finding.UNPRICED: _accuracy("Usage without a price; the reason says why."),
    Finding.INVALID_USAGE: _accuracy("Counts that contradict each other are not priced."),
    Finding.TRUNCATED: _accuracy("Attributes were dropped, or JSON cut, that may have held usage."),
    Finding.DOUBLED_ACROSS_TRACES: _accuracy(
        "Two libraries tell of what looks like the same call in two traces: billed twice."
    ),
    Finding.ONLY_LOGS: _accuracy("Log records of a service count tokens, and none of its spans."),
    Finding.ONLY_METRICS: _accuracy("Metrics of a service count tokens, and none of its spans."),
    Finding.CONVENTION_ASSUMED: _possible(
        "Cached tokens are counted, and nothing says whether the input contains them."
    ),
    Finding.ONLY_AGGREGATES: _possible(
        "The sum that an agent or workflow states is billed, because nothing below it has usage."
    ),
    Finding.UNCOVERED_USAGE: _possible(
        "An agent counts more than the calls below it: one of them may have no span."
    ),
    Finding.PARENT_OVERWRITTEN: _possible(
        "Calls write onto a span that is not their own: the next overwrites the last."
    ),
    Finding.LIBRARY_MISCOUNTS: _possible(
        "The library is known to count something wrong, which its spans do not show."
    ),
    Finding.DOUBLED: _detail("Two instrumentations tell of the same call. It is billed once."),
    Finding.WRAPPER_REPEATS: _detail(
        "Spans above repeat the usage of the calls below. They are not billed."
    ),
    Finding.RUNNING_SUMS: _detail(
        "Usage that contains that of earlier spans. The last of them is billed."
    ),
    Finding.MISSING_PARENTS: _detail(
        "Spans above were never sent here: a call may miss its agent, a double its twin."
    ),
    Finding.SEVERAL_ROOTS: _detail("One trace id, several trees: context is lost on the way."),
    Finding.NO_RESPONSE_MODEL: _detail(
        "Nobody says which model answered: the price is that of the name that was asked for."
    ),
    Finding.NO_PROVIDER: _detail("Nobody says who served the call: the model's name has to do."),
    Finding.NO_OPERATION: _detail("The span does not say what it did: taken for a model call."),
    Finding.NO_AGENT: _detail("The call belongs to no agent that has a name."),
    Finding.UNKNOWN_ATTRIBUTES: _detail(
        "Attributes in the namespace gen_ai that no convention known here has."
    ),
    Finding.COST_DIFFERS: _detail("The library's own figure is more than 1 % off."),
    Finding.ALREADY_METERED: _detail("Another costspan was here before. Nothing is billed again."),
    Finding.LIBRARY_OMITS: _detail("The library is known to have no key for something."),
}


def severity(finding: Finding) -> Severity:
    """How much it matters: with one that costs accuracy `costspan doctor` ends with 5."""
    return MEANINGS[finding].severity
