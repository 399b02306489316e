"""What the agents of the demo do all day: five kinds of traces, each with a lesson about cost."""

from __future__ import annotations

from costspan.demo.cast import Cast
from costspan.demo.models import FLASH, GPT, HAIKU, IN_HOUSE, MINI, OPUS, SONNET, Tokens
from costspan.demo.span import Plan, Story

SEED = 20_26
LOOP_ROUNDS = 24


def stories(seed: int = SEED) -> list[Story]:
    """About fifty traces, a few hundred spans, in the order in which they happen."""
    cast = Cast(seed)
    told = [market_report(cast, number) for number in range(8)]
    told += [support_ticket(cast, number) for number in range(24)]
    told += [code_review(cast, number) for number in range(10)]
    told += [invoice_check(cast, number) for number in range(4)]
    cast.random.shuffle(told)
    return [*told[:30], runaway_loop(cast), *told[30:]]


def market_report(cast: Cast, number: int) -> Story:
    """A supervisor with three sub-agents; its long instructions are cached after the first call."""
    instructions = 6_200  # the supervisor's system prompt and tool definitions
    plan = cast.chat(OPUS, Tokens(cast.about(900), cast.about(700), cache_write=instructions))
    again = cast.chat(OPUS, Tokens(cast.about(2_400), cast.about(300), cache_read=instructions))
    final = cast.chat(OPUS, Tokens(cast.about(5_200), cast.about(1_500), cache_read=instructions))
    team = Plan(
        "execute_tool delegate",
        {
            "gen_ai.operation.name": "execute_tool",
            "gen_ai.tool.name": "delegate",
            "gen_ai.tool.type": "function",
        },
        0.05,
        children=[_researcher(cast, "news"), _researcher(cast, "filings"), _coder(cast, number)],
        parallel=True,
    )
    supervisor = cast.agent("supervisor", plan, team, again, _reviewer(cast), final)
    return Story(
        "research-desk",
        "research",
        f"analyst-{number % 3 + 1}",
        f"desk-{number // 2:02d}",
        cast.workflow("market-report", supervisor),
    )


def _researcher(cast: Cast, topic: str) -> Plan:
    notes = 3_800
    return cast.agent(
        "researcher",
        cast.embeddings(cast.about(420)),
        cast.tool(f"search_{topic}", seconds=0.9),
        cast.chat(SONNET, Tokens(cast.about(1_200), cast.about(350), cache_write=notes)),
        cast.tool("read_page", seconds=0.6),
        cast.chat(SONNET, Tokens(cast.about(4_100), cast.about(650), cache_read=notes)),
    )


def _coder(cast: Cast, number: int) -> Plan:
    """The provider refuses the first try, or breaks off the second: only the second is billed."""
    write = Tokens(cast.about(3_300), cast.about(1_100), reasoning=cast.about(400))
    first = (
        cast.refused(GPT, "rate_limit_exceeded")
        if number % 2
        else cast.chat(GPT, write, error="timeout")
    )
    return cast.agent(
        "coder",
        first,
        cast.chat(GPT, write),
        cast.tool("run_python", seconds=1.5, error="" if number % 3 else "ZeroDivisionError"),
        cast.chat(GPT, Tokens(cast.about(1_400), cast.about(260), cache_read=3_072)),
        repeats_usage=True,
    )


def _reviewer(cast: Cast) -> Plan:
    return cast.agent(
        "reviewer", cast.chat(HAIKU, Tokens(cast.about(5_600), cast.about(240))), repeats_usage=True
    )


def support_ticket(cast: Cast, number: int) -> Story:
    """Small, frequent, and mostly served from OpenAI's automatic prompt cache."""
    cached = 0 if number % 6 == 0 else 2_048
    answer = Tokens(cast.about(2_600) - cached // 2, cast.about(280), cache_read=cached)
    steps = [
        cast.embeddings(cast.about(60)),
        cast.tool("search_tickets", seconds=0.2),
        cast.chat(MINI, answer),
    ]
    if not number % 7:
        steps.append(cast.agent("escalation", cast.chat(SONNET, Tokens(cast.about(3_000), 420))))
    return Story(
        "support-bot",
        "support",
        f"customer-{cast.random.randrange(12):02d}",
        f"ticket-{number // 2:03d}",
        cast.agent("triage", *steps),
    )


def code_review(cast: Cast, number: int) -> Story:
    """Two agents on two providers, side by side."""
    lint = cast.agent(
        "linter",
        cast.tool("read_diff"),
        cast.chat(FLASH, Tokens(cast.about(9_000), cast.about(500), cache_read=4_096)),
    )
    review = cast.agent(
        "code-reviewer",
        cast.tool("read_diff"),
        cast.chat(GPT, Tokens(cast.about(8_200), cast.about(1_300), reasoning=640)),
        cast.tool("post_comment", seconds=0.3),
    )
    root = cast.workflow("pull-request", lint, review)
    root.parallel = True
    return Story("code-review", "platform", f"dev-{number % 5 + 1}", f"pr-{1_200 + number}", root)


def invoice_check(cast: Cast, number: int) -> Story:
    """An in-house model: no price book knows it, so its cost is unknown and never zero."""
    return Story(
        "invoice-check",
        "finance",
        "batch",
        f"invoices-{number}",
        cast.agent(
            "extractor",
            cast.tool("read_invoice", seconds=0.2),
            cast.chat(IN_HOUSE, Tokens(cast.about(2_200), cast.about(180))),
            cast.chat(HAIKU, Tokens(cast.about(700), cast.about(90))),
        ),
    )


def runaway_loop(cast: Cast) -> Story:
    """One agent, the same tool again and again, the whole conversation sent along every time."""
    steps: list[Plan] = []
    prompt = 6_000
    for _ in range(LOOP_ROUNDS):
        steps.append(cast.chat(SONNET, Tokens(prompt, cast.about(160))))
        steps.append(cast.tool("fetch_page", seconds=0.8, error="http_404"))
        prompt += cast.about(5_200)
    supervisor = cast.agent(
        "supervisor",
        cast.chat(OPUS, Tokens(cast.about(1_500), cast.about(300))),
        cast.agent("browser", *steps),
        cast.chat(OPUS, Tokens(cast.about(2_500), cast.about(200))),
    )
    return Story(
        "research-desk", "research", "analyst-2", "desk-99", cast.workflow("deep-dive", supervisor)
    )
