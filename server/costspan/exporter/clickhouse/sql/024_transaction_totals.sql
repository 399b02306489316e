-- One row per transaction: the subtree below an entry span (SERVER, CONSUMER, a parent in another process, a
-- root), down to the next entry span. The transactions of a trace add up to it. SpanId '' = all beyond the
-- thousand of a trace that are told apart. Kept for 30 days.
CREATE OR REPLACE VIEW transaction_totals AS
SELECT
    p.TraceId AS TraceId,
    t.1 AS SpanId,
    min(p.Arrived) AS Arrived,
    any(t.2) AS ServiceName,
    max(t.3) AS Name,
    min(t.4) AS Start,
    max(t.5) AS End,
    sum(t.6) AS LlmCalls,
    sum(t.7) AS UnpricedCalls,
    sum(t.8) AS CostUsd,
    sum(t.9) AS ListCostUsd,
    sum(t.10) AS EffectiveCostUsd,
    sum(t.11) AS CacheSavingsUsd,
    sum(t.12) AS ErrorCostUsd,
    sumMap(t.13) AS Usage
FROM trace_totals_rows AS p
ARRAY JOIN arrayZip(`Transactions.SpanId`,
    `Transactions.ServiceName`,
    `Transactions.Name`,
    `Transactions.Start`,
    `Transactions.End`,
    `Transactions.LlmCalls`,
    `Transactions.UnpricedCalls`,
    `Transactions.CostUsd`,
    `Transactions.ListCostUsd`,
    `Transactions.EffectiveCostUsd`,
    `Transactions.CacheSavingsUsd`,
    `Transactions.ErrorCostUsd`,
    `Transactions.Usage`) AS t
GROUP BY p.TraceId, t.1
