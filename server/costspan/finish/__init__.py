"""Traces that are stored, rolled up anew by the ledger's own code: to look at, or to settle.

Whoever saw only a part of a trace wrote a part of its total. The store has all of it.
"""
