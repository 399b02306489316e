-- For a table of an earlier version: the columns that it lacks.
ALTER TABLE trace_totals_parts
    ADD COLUMN IF NOT EXISTS FailedCostUsd Decimal(38, 18),
    ADD COLUMN IF NOT EXISTS RepeatedToolCalls UInt64,
    ADD COLUMN IF NOT EXISTS RepeatedToolCostUsd Decimal(38, 18),
    ADD COLUMN IF NOT EXISTS CoordinationCostUsd Decimal(38, 18),
    ADD COLUMN IF NOT EXISTS LlmDurationNs UInt64,
    ADD COLUMN IF NOT EXISTS LlmBusyNs UInt64
