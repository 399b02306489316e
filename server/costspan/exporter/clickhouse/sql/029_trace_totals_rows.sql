-- As 022, with the columns that the table has by now.
CREATE OR REPLACE VIEW trace_totals_rows AS
SELECT * FROM trace_totals_parts FINAL
WHERE if(SettledVersions = 0,
    TraceId NOT IN (SELECT TraceId FROM trace_totals_settled),
    (TraceId, SettledVersions) IN (SELECT TraceId, Versions FROM trace_totals_settled))
