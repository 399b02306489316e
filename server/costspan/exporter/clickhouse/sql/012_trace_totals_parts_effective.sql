-- For a table of an earlier version: the column that it lacks.
ALTER TABLE trace_totals_parts
    ADD COLUMN IF NOT EXISTS EffectiveCostUsd Decimal(38, 18) DEFAULT CostUsd AFTER ListCostUsd
