"""The cost tree that the demo prints."""

from __future__ import annotations

from decimal import Decimal

from costspan.demo.tree import StoredSpan, grow, rows


def stored(span_id: str, parent_id: str, start_ns: int, cost: str | None = None) -> StoredSpan:
    usd = Decimal(cost) if cost else None
    return StoredSpan(span_id, parent_id, span_id, start_ns, 1, False, usd, "", "", 0, 0)  # noqa: FBT003


def test_a_branch_costs_what_lies_below_it_and_children_stand_in_order_of_time() -> None:
    spans = [stored("b", "root", 3, "0.5"), stored("root", "", 1), stored("a", "root", 2, "0.25")]
    root = grow(spans)

    assert root is not None
    assert root.cost == Decimal("0.75")
    assert [child.span.name for child in root.children] == ["a", "b"]


def test_a_trace_without_a_root_has_no_tree() -> None:
    assert grow([stored("a", "a", 1)]) is None


def test_a_long_run_of_siblings_is_folded_and_keeps_its_cost() -> None:
    root = grow([stored("root", "", 0), *(stored(str(n), "root", n, "0.1") for n in range(1, 21))])
    assert root is not None
    picture = list(rows(root))
    (fold,) = [row for row in picture if row.folded]

    assert fold.folded == 14
    assert fold.cost == Decimal("1.4")
    assert sum(row.cost for row in picture[1:]) == root.cost == Decimal("2.0")
    assert [row.last for row in picture][-2:] == [False, True]
