-- Traces that a finisher has made one row of (it has read the spans of every writer), as long as that row
-- stands: until a part gets a newer version, or another part comes.
CREATE OR REPLACE VIEW trace_totals_settled AS
SELECT TraceId, sumIf(Version, SettledVersions = 0) AS Versions
FROM trace_totals_parts FINAL
WHERE TraceId IN (SELECT TraceId FROM trace_totals_parts WHERE SettledVersions > 0)
GROUP BY TraceId
HAVING has(groupArray(SettledVersions), Versions)
