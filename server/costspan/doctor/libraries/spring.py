"""Spring AI."""

from __future__ import annotations

from costspan.doctor.finding import Finding
from costspan.doctor.libraries.shape import Gap, Library, Seen

_SCOPE = "org.springframework.boot"
_CACHE = ("gen_ai.usage.cache_read.input_tokens", "gen_ai.usage.cache_creation.input_tokens")

SPRING = (
    Library(
        name="Spring AI 1",
        package="maven:org.springframework.ai:spring-ai-model",
        versions="1.0, 1.1.0",
        scopes=(_SCOPE,),
        scope_version=r"3\..*",
        dialect="genai",
        spans="the last chat of a tool loop is billed: each one states the sum so far",
        seen=(Seen(_SCOPE, "3.5.4", "openai"), Seen(_SCOPE, "3.5.4", "anthropic")),
        gaps=(
            Gap(
                Finding.RUNNING_SUMS,
                "Each call of a tool loop states the sum of the calls so far.",
                "Spring AI 2, which states each call by itself",
            ),
            Gap(Finding.LIBRARY_OMITS, "No keys for cached tokens."),
        ),
        evidence=("golden/otel/strings_from_spring.json", "unit/ledger/test_billing_sums.py"),
    ),
    Library(
        name="Spring AI 2",
        package="maven:org.springframework.ai:spring-ai-model",
        versions="2.0.1",
        scopes=(_SCOPE,),
        dialect="genai",
        spans="`chat`, `embedding` and `image` are billed; `spring.ai.*` spans have no usage",
        seen=(
            Seen(_SCOPE, "4.0.1", "openai"),
            Seen(_SCOPE, "4.0.1", "anthropic"),
            Seen(_SCOPE, "4.0.1", "aws.bedrock"),
            Seen(_SCOPE, "4.0.1", "gcp.gemini"),
        ),
        cache=_CACHE,
        evidence=(
            "golden/otel/spring_2_anthropic.json",
            "golden/otel/spring_gemini_thoughts.json",
        ),
    ),
)
