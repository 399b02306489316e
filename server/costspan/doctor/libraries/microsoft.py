"""Microsoft's libraries, in Python and .NET."""

from __future__ import annotations

from costspan.doctor.finding import Finding
from costspan.doctor.libraries.shape import Gap, Library, Seen

_READ = "gen_ai.usage.cache_read.input_tokens"
_WRITE = "gen_ai.usage.cache_creation.input_tokens"
_DOTNET = "Experimental.Microsoft.Extensions.AI"
_KERNEL = "semantic_kernel.utils.telemetry.model_diagnostics.decorators"

MICROSOFT = (
    Library(
        name="Microsoft Agent Framework (Python)",
        package="pypi:agent-framework-core",
        versions="1.23.0",
        scopes=("agent_framework",),
        dialect="microsoft",
        spans="`chat` and `embeddings` are billed; `invoke_agent` adds up the chats below it",
        seen=(
            Seen("agent_framework", "1.23.0", "openai"),
            Seen("agent_framework", "1.23.0", "anthropic"),
            Seen("agent_framework", "1.23.0", "aws.bedrock"),
        ),
        cache=(_READ, _WRITE),
        gaps=(
            Gap(
                Finding.LIBRARY_OMITS,
                "Cached and reasoning tokens are left out where OTEL_SEMCONV_STABILITY_OPT_IN is"
                " set to anything else: Anthropic's are missing then, OpenAI's count as uncached.",
                "OTEL_SEMCONV_STABILITY_OPT_IN=gen_ai_latest_experimental, or not set at all",
            ),
        ),
        evidence=(
            "golden/microsoft/agent_framework_anthropic.json",
            "golden/microsoft/agent_framework_claude_on_foundry.json",
            "golden/microsoft/agent_framework_before_opt_in.json",
            "golden/otel/agent_repeats_usage.json",
            "integration/test_real_libraries.py::agent-framework",
        ),
    ),
    Library(
        name="Semantic Kernel (Python)",
        package="pypi:semantic-kernel",
        versions="1.14.0, 1.27.0, 1.45.0",
        scopes=("semantic_kernel.*",),
        dialect="microsoft",
        spans="`chat` and `text_completions` are billed",
        seen=(Seen(_KERNEL, "", "openai"),),
        gaps=(
            Gap(
                Finding.LIBRARY_OMITS,
                "Input and output only: cached tokens count as uncached.",
                "the instrumentation of the provider's SDK beside it",
            ),
            Gap(
                Finding.NO_USAGE,
                "Its client of Anthropic states no usage.",
                "the spans that anthropic's own SDK makes by itself (1.17, 2.12)",
                providers=("anthropic",),
            ),
        ),
        evidence=(
            "golden/microsoft/semantic_kernel.json",
            "golden/microsoft/semantic_kernel_of_1_14.json",
        ),
    ),
    Library(
        name="Microsoft.Extensions.AI (.NET)",
        package="nuget:Microsoft.Extensions.AI",
        versions="9.0.0-preview to 10.0",
        scopes=(f"{_DOTNET}*", "Microsoft.Extensions.AI*", "Experimental.Microsoft.Agents.AI*"),
        dialect="microsoft",
        spans="`chat` and `embeddings` are billed; a client that runs functions repeats the calls"
        " below it, and so does `invoke_agent`",
        seen=(Seen(_DOTNET, "10.0.0", "openai"),),
        cache=(_READ,),
        gaps=(
            Gap(
                Finding.LIBRARY_OMITS,
                "No key for cache writes; a client of another's making may break the contract that"
                " the input holds the cached tokens.",
            ),
        ),
        evidence=(
            "golden/microsoft/extensions_ai.json",
            "golden/microsoft/extensions_ai_preview.json",
        ),
    ),
    Library(
        name="Azure AI SDKs (Python)",
        package="pypi:azure-ai-projects",
        versions="2.10.0, azure-ai-inference 1.0.0b9, azure-ai-agents 1.1.0",
        scopes=("azure.ai.*",),
        dialect="microsoft",
        spans="chats are billed; of a remote agent its own span, which is the only one with usage",
        seen=(Seen("azure.ai.inference", "", "azure.ai.inference"),),
        gaps=(
            Gap(
                Finding.LIBRARY_MISCOUNTS,
                "None of them has a key for cached tokens: prompts that the cache served are priced"
                " in full.",
            ),
        ),
        evidence=(
            "golden/microsoft/azure_ai_inference.json",
            "golden/microsoft/azure_ai_agents_run.json",
            "golden/microsoft/azure_ai_projects_agent.json",
        ),
    ),
)
