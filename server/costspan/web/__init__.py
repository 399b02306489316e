"""What an operator sees over HTTP: health and metrics. Nothing here touches a span."""
