"""Real releases of instrumentations, each in an environment of its own, against a provider's bill.

Nothing here states what a span should look like. What a library leaves out of its spans nobody can
bill; where one does, the table says so, and the account must then be that of what it told.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from fnmatch import fnmatch
from http import HTTPStatus
from pathlib import Path
from typing import NamedTuple

import pytest

from costspan.demo.models import Tokens
from integration.library_environment import LIBRARIES as SOURCES
from integration.library_environment import python
from integration.library_runs import Case, play
from integration.model_calls import Account, Costspan, accounts, asked, costspan
from integration.node_packages import node, placed
from integration.otlp_sink import attributes
from integration.stub_model import Billed

pytestmark = [pytest.mark.slow, pytest.mark.libraries]

_OPENAI = tuple(
    f"openai-{case}"
    for case in ("chat", "stream", "parallel", "tools", "embeddings", "retry", "error")
)
_ANTHROPIC = tuple(f"anthropic-{case}" for case in ("cache", "stream", "tools", "retry", "error"))
_BOTH = (*_OPENAI, *_ANTHROPIC)
_CALLBACKS = tuple(
    case for case in _BOTH if case != "openai-embeddings"
)  # LangChain has none there
_AG2 = tuple(
    f"{provider}-{case}"
    for provider in ("openai", "anthropic")
    for case in ("tools", "stream", "delegate", "compact")
)
_AGENTS = tuple(
    f"{api}-{case}"
    for api in ("openai", "responses")
    for case in ("chat", "stream", "tools", "retry", "error")
)
_GEMINI = tuple(
    f"gemini-{case}" for case in ("chat", "stream", "parallel", "tools", "retry", "error")
)
_RESPONSES = ("responses-chat", "responses-stream")
_PENDING = "logfire.pending_parent_id"
_PLAIN = tuple(f"openai-{case}" for case in ("chat", "stream", "tools", "retry", "error"))
_NO_SPANS_OF_THE_SDK = {"ANTHROPIC_OPEN_TELEMETRY": "false"}
_LITELLM = {
    "LITELLM_LOCAL_MODEL_COST_MAP": "True",  # else it asks GitHub
    "LOGGING_EXECUTOR_MAX_THREADS": "1",
    "USE_OTEL_LITELLM_REQUEST_SPAN": "true",  # else several calls write onto one span
}
_LANGSMITH = {
    "LANGSMITH_TRACING": "true",
    "LANGSMITH_OTEL_ENABLED": "true",
    "LANGSMITH_OTEL_ONLY": "true",
    "LANGSMITH_API_KEY": "none",
}
_MLFLOW = {
    "MLFLOW_USE_DEFAULT_TRACER_PROVIDER": "false",  # else in traces of its own
    "MLFLOW_TRACKING_URI": "http://127.0.0.1:9",  # of a server that nobody asks
    "MLFLOW_EXPERIMENT_ID": "0",
}


class Library(NamedTuple):
    """One way to watch an application."""

    folder: str
    cases: tuple[str, ...]
    environment: Mapping[str, str] = {}
    silent: tuple[tuple[str, str], ...] = ()  # (cases, a bucket that its spans do not tell of)
    untold: tuple[str, ...] = ()  # cases whose spans state no usage at all
    twice: tuple[tuple[str, int], ...] = ()  # (cases, tokens of each output that it counts twice)
    doubled: bool = False  # each call is told of by two
    scripts: tuple[str, ...] = ()  # of tests/javascript; none: the folder of tests/libraries has it


def _watched(*by: str, **environment: str) -> Mapping[str, str]:
    return {"APP_WATCHED_BY": " ".join(by), **_NO_SPANS_OF_THE_SDK, **environment}


def _javascript(
    watcher: str,
    cases: tuple[str, ...],
    silent: tuple[tuple[str, str], ...] = (),
    untold: tuple[str, ...] = (),
) -> Library:
    """Both SDKs in node, told of by a library."""
    scripts = ("sdk_app.cjs", "cases.cjs")
    return Library("sdks", cases, _watched(watcher), silent, untold, scripts=scripts)


LIBRARIES: Mapping[str, Library] = {
    "otel-genai": Library("otel_genai", _BOTH, _NO_SPANS_OF_THE_SDK),
    # The SDK's own span beside that of the instrumentation.
    "otel-genai-and-sdk": Library("otel_genai", _ANTHROPIC, doubled=True),
    # Its legacy mode has no key for either: patch.py, `_set_response_attributes`.
    "otel-openai-v2": Library(
        "openai_v2", _OPENAI, silent=(("*", "cache_read"), ("*", "reasoning"))
    ),
    # It reads the count for its cost, and sets no attribute: openai/utils.py.
    "openlit": Library("openlit", _BOTH, silent=(("openai-*", "reasoning"),)),
    "logfire": Library("logfire", _BOTH, _NO_SPANS_OF_THE_SDK),
    "logfire-own-exporter": Library(
        "logfire", _BOTH, {**_NO_SPANS_OF_THE_SDK, "LOGFIRE_TOKEN": "pylf_v1_us_none"}
    ),
    "litellm-v1": Library("litellm", _BOTH, _LITELLM),
    "litellm-v2": Library(
        "litellm",
        # What it tried again itself it tells of as failed, and of the answer not at all.
        (*(case for case in _BOTH if case != "anthropic-retry"), "openai-answers"),
        {**_LITELLM, "LITELLM_OTEL_V2": "true"},
        silent=(("openai-*", "reasoning"),),
    ),
    # Books beside its calls, a sub-agent's with spans of its own among them.
    "ag2": Library("ag2", _AG2, _NO_SPANS_OF_THE_SDK),
    "ag2-and-sdk": Library(
        "ag2", tuple(case for case in _AG2 if case.startswith("anthropic")), doubled=True
    ),
    # What was cached stands in the answer alone, as Python shows it.
    "haystack-openinference": Library("haystack", ("openai-chat", "openai-tools", "openai-retry")),
    "langsmith": Library("langchain", _CALLBACKS, _watched("langsmith", **_LANGSMITH)),
    "langchain-openinference": Library(
        "langchain", _CALLBACKS, _watched("openinference-langchain")
    ),
    # It writes 0 for Anthropic's writes, but for streams; reasoning it does not write at all.
    "langchain-openllmetry": Library(
        "langchain",
        _CALLBACKS,
        _watched("openllmetry-langchain"),
        silent=(
            ("openai-*", "reasoning"),
            *((f"anthropic-{case}", "cache_write") for case in ("cache", "tools", "retry")),
        ),
    ),
    # LangChain's callbacks open no context: the SDK's span is no child of the chain's.
    "langchain-and-sdks": Library(
        "langchain",
        _CALLBACKS,
        _watched("openinference-langchain", "openllmetry-openai", "openllmetry-anthropic"),
        doubled=True,
    ),
    "strands": Library(
        "strands",
        (*_PLAIN, *(case for case in _ANTHROPIC if case != "anthropic-cache")),
        _NO_SPANS_OF_THE_SDK,
        silent=(("openai-*", "reasoning"),),  # it has no key for them
    ),
    "agent-framework": Library("agent_framework", (*_PLAIN, *_ANTHROPIC), _NO_SPANS_OF_THE_SDK),
    "langfuse-openai": Library(
        "langfuse", _OPENAI, {"LANGFUSE_OTEL_TRACES_EXPORT_PATH": "v1/traces"}
    ),
    # A stream of Anthropic's is over before anybody looks: anthropic/autolog.py.
    "mlflow": Library(
        "mlflow", _BOTH, {**_MLFLOW, **_NO_SPANS_OF_THE_SDK}, untold=("anthropic-stream",)
    ),
    # A stream's answer has the two counts and nothing of the API's: smolagents' models.py.
    "smolagents-openinference": Library(
        "smolagents",
        _PLAIN,
        silent=(("openai-stream", "cache_read"), ("openai-stream", "reasoning")),
    ),
    # Chat completions give it two counts: _processor.py, `_get_attributes_from_chat_completions`.
    "openai-agents-openinference": Library(
        "openai_agents",
        _AGENTS,
        _watched("openinference-agents"),
        silent=(("openai-*", "cache_read"), ("openai-*", "reasoning")),
    ),
    # It reads the usage of responses alone: _hooks.py.
    "openai-agents-openllmetry": Library(
        "openai_agents", _AGENTS, _watched("openllmetry-agents"), untold=("openai-*",)
    ),
    "openai-agents-and-sdk": Library(
        "openai_agents",
        _AGENTS,
        _watched("openinference-agents", "openllmetry-openai"),
        silent=(("openai-stream", "reasoning"),),
        doubled=True,
    ),
    "google-genai-opentelemetry": Library("google_genai", _GEMINI, _watched("opentelemetry")),
    "google-genai-openinference": Library("google_genai", _GEMINI, _watched("openinference")),
    "google-genai-openllmetry": Library("google_genai", _GEMINI, _watched("openllmetry")),
    "google-genai-doubled": Library(
        "google_genai", _GEMINI, _watched("opentelemetry", "openinference"), doubled=True
    ),
    "google-adk": Library(
        "google_adk",
        ("gemini-chat", "gemini-stream", "gemini-tools", "gemini-delegate", "gemini-error"),
    ),
    "llama-index-openinference": Library("llama_index", _PLAIN),
    # AutoGen hands it two counts: openinference's _wrappers.py, `_extract_token_attributes`.
    "autogen-openinference": Library(
        "autogen",
        _PLAIN,
        silent=(("*", "cache_read"), ("*", "reasoning")),
    ),
    # Streamed chat completions and embeddings without usage: instrumentation.js,
    # `consumeChatCompletionStreamChunks` and `getEmbeddingEmbeddingsAttributes`.
    "javascript-openinference": _javascript(
        "openinference",
        (*_OPENAI, *_RESPONSES, *_ANTHROPIC),
        untold=("openai-stream", "openai-embeddings"),
    ),
    # Three counts of what is not streamed: instrumentation-openai, dist/index.js, `_endSpan`.
    "javascript-openllmetry": _javascript(
        "openllmetry",
        (*(case for case in _OPENAI if case != "openai-embeddings"), *_RESPONSES, *_ANTHROPIC),
        silent=tuple(
            (f"{api}-*", bucket)
            for api in ("openai", "responses")
            for bucket in ("cache_read", "reasoning")
        ),
        untold=("openai-stream", "responses-stream"),
    ),
    # It has two counts.
    "javascript-opentelemetry": _javascript(
        "opentelemetry",
        (*_OPENAI, *_RESPONSES),
        silent=(("*", "cache_read"), ("*", "reasoning")),
    ),
    # An embedding's usage has not all that it looks for: openai/dist, `hasCompletionUsage`.
    "javascript-langfuse": _javascript(
        "langfuse", (*_OPENAI, *_RESPONSES), untold=("openai-embeddings",)
    ),
    # What was written stands in LangChain's result alone. A stream's output has the first guess of
    # `message_start` added to it: @langchain/anthropic, utils/message_outputs.js.
    "javascript-langchain": Library(
        "langchain",
        tuple(case for case in (*_PLAIN, *_ANTHROPIC) if not case.endswith("-retry")),
        twice=(("anthropic-stream", 1),),
        scripts=("langchain_app.cjs", "cases.cjs"),
    ),
}

_EACH = [(name, case) for name, library in LIBRARIES.items() for case in library.cases]
_REFUSED = [
    (name, case)
    for name, library in LIBRARIES.items()
    for case in library.cases
    if case.endswith("-error")
]


@pytest.fixture(scope="module")
def sidecar(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Costspan]:
    with costspan(tmp_path_factory.mktemp("libraries")) as running:
        yield running


Command = tuple[Path, Path]
"""An interpreter and what it runs."""


@pytest.fixture(scope="module")
def commands(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mapping[str, Future[Command]]]:
    """How to start each; the packages that are not there yet are installed at the same time."""
    scratch = {name: tmp_path_factory.mktemp(name) for name in LIBRARIES}
    with ThreadPoolExecutor() as pool:
        yield {
            name: pool.submit(_command, library, scratch[name])
            for name, library in LIBRARIES.items()
        }


def _command(library: Library, scratch: Path) -> Command:
    if library.scripts:
        return node(), placed(library.folder, library.scripts, scratch)
    return python(library.folder), SOURCES / library.folder / "app.py"


class Evidence:
    """What each library did: played once, two at a time, before anybody asks for it."""

    def __init__(
        self, names: Iterable[str], sidecar: Costspan, commands: Mapping[str, Future[Command]]
    ) -> None:
        self._sidecar, self._commands = sidecar, commands
        self._pool = ThreadPoolExecutor(2)
        self._played: dict[str, Future[Mapping[str, Case]]] = {}
        for name in names:
            self._begin(name)

    def of(self, name: str) -> Mapping[str, Case]:
        """All its cases.

        Without its packages the test is skipped, unless REQUIRE_LIBRARIES is set: then it fails.
        """
        try:
            self._commands[name].result()
        except subprocess.CalledProcessError as error:
            if os.environ.get("REQUIRE_LIBRARIES"):
                pytest.fail(f"REQUIRE_LIBRARIES is set, and these cannot be had: {error}")
            pytest.skip(f"the packages of {LIBRARIES[name].folder} cannot be had: {error}")
        return self._begin(name).result()

    def end(self) -> None:
        """Play no more."""
        self._pool.shutdown(cancel_futures=True)

    def _begin(self, name: str) -> Future[Mapping[str, Case]]:
        if name not in self._played:
            self._played[name] = self._pool.submit(self._play, name)
        return self._played[name]

    def _play(self, name: str) -> Mapping[str, Case]:
        library, command = LIBRARIES[name], self._commands[name].result()
        return play(self._sidecar, command, library.cases, library.environment)


@pytest.fixture(scope="module")
def evidence(
    request: pytest.FixtureRequest, sidecar: Costspan, commands: Mapping[str, Future[Command]]
) -> Iterator[Evidence]:
    """Of the libraries whose tests were chosen."""
    ids = " ".join(item.nodeid for item in request.session.items)
    evidence = Evidence((name for name in LIBRARIES if f"[{name}-" in ids), sidecar, commands)
    yield evidence
    evidence.end()


def expected(library: Library, case: str, bill: list[Billed]) -> dict[str, Account]:
    """The bill as far as the library tells of it."""
    if any(fnmatch(case, untold) for untold in library.untold):
        return {}
    lost = [bucket for cases, bucket in library.silent if fnmatch(case, cases)]
    more = sum(tokens for cases, tokens in library.twice if fnmatch(case, cases))
    told = [line._replace(tokens=_without(line.tokens, lost, more)) for line in bill]
    return {asked(model): account for model, account in accounts(told).items()}


def _without(tokens: Tokens, lost: list[str], more: int) -> Tokens:
    """Cached tokens of which nobody tells are still in the prompt; `more`: output."""
    prompt = sum(getattr(tokens, bucket) for bucket in lost if bucket != "reasoning")
    fresh, output = tokens.fresh + prompt, tokens.output + more
    return tokens._replace(fresh=fresh, output=output, **dict.fromkeys(lost, 0))


@pytest.mark.parametrize(("name", "case"), _EACH)
def test_calls_and_tokens_and_cost_are_those_of_the_bill(
    evidence: Evidence, name: str, case: str
) -> None:
    """In `llm_calls`, in the totals of the traces, and summed over the spans downstream."""
    library, done = LIBRARIES[name], evidence.of(name)[case]
    bill = expected(library, case, done.bill)
    cost = sum(account.cost for account in bill.values())

    assert done.by_model() == bill
    assert done.total() == cost
    assert done.on_spans() == cost or (library.doubled and done.on_spans() > cost)


@pytest.mark.parametrize(("name", "case"), _REFUSED)
def test_a_refused_call_costs_nothing_that_is_stated(
    evidence: Evidence, name: str, case: str
) -> None:
    """No bill, and no attribute that says $0."""
    done = evidence.of(name)[case]
    spans = [span for trace in done.traces for span in trace.spans]

    assert done.bill == []
    assert done.refused == [HTTPStatus.INTERNAL_SERVER_ERROR]
    assert not any(
        key.startswith("window.financial.") and key.endswith("_cost")
        for span in spans
        for key in attributes(span)
    )


def test_what_logfire_announces_is_forwarded_and_in_no_total(evidence: Evidence) -> None:
    """A copy of a span, sent when that begins, with an id of its own."""
    for done in evidence.of("logfire-own-exporter").values():
        for trace in done.traces:
            spans = {span.span_id: attributes(span) for span in trace.spans}
            announced = [one for one in spans.values() if _PENDING in one]
            assert announced
            if trace.total is not None:
                assert trace.total.spans == len(spans) - len(announced)


@pytest.mark.parametrize("name", LIBRARIES)
def test_the_cases_hold_what_they_are_there_for(evidence: Evidence, name: str) -> None:
    """Prompts that were cached, an answer after a refusal, more than one call in a loop."""
    for case, done in evidence.of(name).items():
        _, _, what = case.partition("-")
        if what in {"chat", "cache", "stream", "tools"}:
            assert any(line.tokens.cache_read for line in done.bill), case
            assert len(done.bill) > 1, case
        if what == "retry":
            assert done.refused == [HTTPStatus.TOO_MANY_REQUESTS]
            assert len(done.bill) == 1
