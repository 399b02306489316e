-- For a table of an earlier version: the columns that it lacks.
ALTER TABLE llm_calls
    ADD COLUMN IF NOT EXISTS EffectiveCostUsd Nullable(Decimal(38, 18)) DEFAULT CostUsd
        CODEC(ZSTD(1)) AFTER ListCostUsd,
    ADD COLUMN IF NOT EXISTS ShowbackCostUsd Nullable(Decimal(38, 18))
        CODEC(ZSTD(1)) AFTER EffectiveCostUsd
