-- As 023, with the columns that the table has by now. FailedCostUsd is what was spent at or below spans that
-- ended in an error, RepeatedToolCostUsd the same of tool calls that repeat an earlier one of a loop,
-- CoordinationCostUsd the own cost of agents that have other agents below them. LlmDurationNs / LlmBusyNs is
-- how many model calls ran at once: of several parts each by itself, until a finisher has seen all of them.
CREATE OR REPLACE VIEW trace_totals AS
SELECT
    p.TraceId AS TraceId,
    min(p.Arrived) AS Arrived,
    min(p.Start) AS Start,
    max(p.End) AS End,
    argMin(p.ServiceName, (p.RootName = '', p.Start)) AS ServiceName,
    argMinIf(p.RootName, p.Start, p.RootName != '') AS RootName,
    argMinIf(p.Workflow, p.Start, p.Workflow != '') AS Workflow,
    argMinIf(p.User, p.Start, p.User != '') AS User,
    argMinIf(p.Session, p.Start, p.Session != '') AS Session,
    argMinIf(p.Conversation, p.Start, p.Conversation != '') AS Conversation,
    mapUpdate(
        minMap(p.Dimensions), argMinIf(p.Dimensions, p.Start, p.RootName != '')
    ) AS Dimensions,
    sum(p.Spans) AS Spans,
    sum(p.Errors) AS Errors,
    sum(p.LlmCalls) AS LlmCalls,
    sum(p.UnpricedCalls) AS UnpricedCalls,
    sum(p.CostUsd) AS CostUsd,
    sum(p.ListCostUsd) AS ListCostUsd,
    sum(p.EffectiveCostUsd) AS EffectiveCostUsd,
    sum(p.CacheSavingsUsd) AS CacheSavingsUsd,
    sum(p.ErrorCostUsd) AS ErrorCostUsd,
    sumMap(p.Usage) AS Usage,
    sumMap(p.ModelCostUsd) AS ModelCostUsd,
    sumMap(p.ModelCalls) AS ModelCalls,
    sumMap(p.ModelUsage) AS ModelUsage,
    sumMap(p.AgentCostUsd) AS AgentCostUsd,
    sumMap(p.AgentCalls) AS AgentCalls,
    sumMap(p.AgentUsage) AS AgentUsage,
    sum(p.Retries) AS Retries,
    sum(p.RetryCostUsd) AS RetryCostUsd,
    sum(p.FailedCostUsd) AS FailedCostUsd,
    sum(p.RepeatedToolCalls) AS RepeatedToolCalls,
    sum(p.RepeatedToolCostUsd) AS RepeatedToolCostUsd,
    sum(p.CoordinationCostUsd) AS CoordinationCostUsd,
    sum(p.LlmDurationNs) AS LlmDurationNs,
    sum(p.LlmBusyNs) AS LlmBusyNs,
    sumMap(p.AgentInclusiveCostUsd) AS AgentInclusiveCostUsd,
    sumMap(p.AgentInclusiveCalls) AS AgentInclusiveCalls,
    sumMap(p.FacetCostUsd) AS FacetCostUsd,
    sumMap(p.FacetCalls) AS FacetCalls,
    groupUniqArrayArray(p.Flags) AS Flags,
    multiIf(countIf(p.Grade = 'open') > 0, 'open', countIf(p.Grade = 'forced') > 0, 'forced',
        countIf(p.Grade = 'quiet') > 0, 'quiet', 'verified') AS Grade,
    groupUniqArray(p.Reason) AS Reasons,
    count() AS Parts
FROM trace_totals_rows AS p
GROUP BY p.TraceId
