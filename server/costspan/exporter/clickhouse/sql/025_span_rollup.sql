-- What the inner spans of a trace cost with everything below them, in the order of reading: parents first.
-- Of a trace that several writers saw parts of, each tells the spans that it saw. Kept for 30 days.
CREATE OR REPLACE VIEW span_rollup AS
SELECT
    p.TraceId AS TraceId,
    p.Writer AS Writer,
    p.Generation AS Generation,
    p.Arrived AS Arrived,
    b.1 AS SpanId,
    b.2 AS ParentSpanId,
    b.3 AS Name,
    b.4 AS Agent,
    b.5 AS Depth,
    b.6 AS Preorder,
    b.7 AS LlmCalls,
    b.8 AS InputTokens,
    b.9 AS OutputTokens,
    b.10 AS OwnCostUsd,
    b.11 AS CostUsd
FROM trace_totals_rows AS p
ARRAY JOIN arrayZip(`Branches.SpanId`,
    `Branches.ParentSpanId`,
    `Branches.Name`,
    `Branches.Agent`,
    `Branches.Depth`,
    `Branches.Preorder`,
    `Branches.LlmCalls`,
    `Branches.InputTokens`,
    `Branches.OutputTokens`,
    `Branches.OwnCostUsd`,
    `Branches.CostUsd`) AS b
