"""What is known of every library, one file for each family, and which one made a span. Pure data.

Not on the import path of `costspan run`: only the doctor and the tool that writes the page read it.
"""

from __future__ import annotations

import re

from costspan.doctor.libraries.agentops import AGENTOPS
from costspan.doctor.libraries.coding_agents import CODING_AGENTS, EXPORTERS
from costspan.doctor.libraries.frameworks import FRAMEWORKS
from costspan.doctor.libraries.gateways import GATEWAYS
from costspan.doctor.libraries.google_adk import GOOGLE_ADK
from costspan.doctor.libraries.langfuse import LANGFUSE
from costspan.doctor.libraries.langsmith import LANGSMITH
from costspan.doctor.libraries.litellm import LITELLM
from costspan.doctor.libraries.microsoft import MICROSOFT
from costspan.doctor.libraries.mlflow import MLFLOW
from costspan.doctor.libraries.openinference import OPENINFERENCE
from costspan.doctor.libraries.openlit import OPENLIT
from costspan.doctor.libraries.openllmetry import OPENLLMETRY
from costspan.doctor.libraries.opentelemetry import OPENTELEMETRY
from costspan.doctor.libraries.providers import PROVIDERS
from costspan.doctor.libraries.pydantic_ai import PYDANTIC_AI
from costspan.doctor.libraries.shape import Library
from costspan.doctor.libraries.spring import SPRING
from costspan.doctor.libraries.strands import STRANDS
from costspan.doctor.libraries.vercel import VERCEL

LIBRARIES: tuple[Library, ...] = (
    *OPENTELEMETRY,
    *PROVIDERS,
    *FRAMEWORKS,
    *OPENLLMETRY,
    *OPENINFERENCE,
    *OPENLIT,
    *VERCEL,
    *PYDANTIC_AI,
    *LITELLM,
    *LANGSMITH,
    *MICROSOFT,
    *SPRING,
    *CODING_AGENTS,
    *EXPORTERS,
    *STRANDS,
    *MLFLOW,
    *LANGFUSE,
    *GOOGLE_ADK,
    *AGENTOPS,
    *GATEWAYS,
)
"""In order: the first whose scope fits made the span. So a prefix stands after what it contains."""


def library_of(scope: str, version: str, dialect: str) -> Library | None:
    """Whose spans have this scope; else whose are known by their keys alone; None: nobody's."""
    for each in LIBRARIES:
        if _fits(each, scope, version):
            return each
    return next((each for each in LIBRARIES if each.by_keys and each.dialect == dialect), None)


def _fits(library: Library, scope: str, version: str) -> bool:
    if library.scope_version and not re.fullmatch(library.scope_version, version):
        return False
    return any(_is(pattern, scope) for pattern in library.scopes)


def _is(pattern: str, scope: str) -> bool:
    prefix, starred, _ = pattern.partition("*")
    return scope.startswith(prefix) if starred else scope == prefix
