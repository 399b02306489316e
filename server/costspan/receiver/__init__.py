"""Where OTLP comes in. Nothing here reads a span: bytes go to the line, its verdict comes back."""
