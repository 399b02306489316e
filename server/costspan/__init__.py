"""costspan: exact LLM cost on every OpenTelemetry span. Only the version lives here."""

__version__ = "0.1.0"
