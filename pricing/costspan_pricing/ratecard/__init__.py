"""Rate cards: what finance people write about negotiated prices. Knows nothing of spans."""
