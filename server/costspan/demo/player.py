"""Plays stories through the real OpenTelemetry SDK and its OTLP/gRPC exporter (extra `demo`)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from types import TracebackType
from typing import Self

from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import Span, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.trace import SpanKind, Status, StatusCode, Tracer, set_span_in_context

from costspan.demo.books import Entry
from costspan.demo.span import Plan, Story

_SPREAD_NS = 15 * 60 * 1_000_000_000  # the stories end over the last quarter of an hour
_QUEUE = 8_192  # above the workload: the processor drops what does not fit


class Player:
    """One tracer provider per service, as in separate processes. Close it to flush them."""

    def __init__(self, endpoint: str) -> None:
        self._endpoint = endpoint
        self._providers: dict[tuple[str, str], TracerProvider] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, _: BaseException | None, __: TracebackType | None
    ) -> None:
        for provider in self._providers.values():
            provider.shutdown()

    def play(self, stories: Sequence[Story], now_ns: int) -> Iterator[list[Entry]]:
        """Play one story a step, the last one ending at `now_ns`; yield what it must cost."""
        gap = _SPREAD_NS // max(len(stories) - 1, 1)
        for left, story in zip(reversed(range(len(stories))), stories, strict=True):
            end_ns = now_ns - left * gap
            story.root.starting(end_ns - round(story.root.length * 1_000_000_000))
            yield list(self._perform(story))

    def _perform(self, story: Story) -> Iterator[Entry]:
        """Children first, as spans end: a stack of (plan, span, agent), no recursion."""
        tracer = self._tracer(story)
        shared = {"user.id": story.user, "session.id": story.session}
        shared["gen_ai.conversation.id"] = f"conv-{story.session}"
        root = _start(tracer, story.root, None)
        root.set_attributes(shared)
        stack = [(story.root, root, story.root.agent, iter(story.root.children))]
        while stack:
            plan, span, agent, children = stack[-1]
            child = next(children, None)
            if child is not None:
                owner = child.agent or agent
                stack.append((child, _start(tracer, child, span), owner, iter(child.children)))
                continue
            stack.pop()
            span.end(plan.end_ns)
            if plan.call:
                yield _entry(story, plan, span, agent)

    def _tracer(self, story: Story) -> Tracer:
        key = (story.service, story.team)
        if key not in self._providers:
            provider = TracerProvider(
                resource=Resource.create(
                    {
                        "service.name": story.service,
                        "team": story.team,
                        "deployment.environment.name": "demo",
                    }
                ),
                shutdown_on_exit=False,
            )
            exporter = OTLPSpanExporter(endpoint=self._endpoint, insecure=True)
            provider.add_span_processor(BatchSpanProcessor(exporter, max_queue_size=_QUEUE))
            self._providers[key] = provider
        return self._providers[key].get_tracer("acme.agents", "2.1.0")


def _start(tracer: Tracer, plan: Plan, parent: Span | None) -> Span:
    span = tracer.start_span(
        plan.name,
        context=set_span_in_context(parent) if parent else None,
        kind=SpanKind.CLIENT if plan.client else SpanKind.INTERNAL,
        attributes=plan.attributes,
        start_time=plan.start_ns,
    )
    assert isinstance(span, Span)  # noqa: S101 (the SDK's tracer; the API's type is wider)
    if plan.error:
        span.set_status(Status(StatusCode.ERROR, plan.error))
    return span


def _entry(story: Story, plan: Plan, span: Span, agent: str) -> Entry:
    assert plan.call is not None  # noqa: S101 (the caller asked)
    context = span.get_span_context()
    return Entry(
        trace_id=f"{context.trace_id:032x}",
        span_id=f"{context.span_id:016x}",
        service=story.service,
        team=story.team,
        agent=agent,
        call=plan.call,
        failed=bool(plan.error),
    )
