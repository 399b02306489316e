"""The demo: a multi-agent workload that keeps its own books, played through a real SDK.

Nothing here may import the pricing code or the line: the books are the second opinion.
"""
