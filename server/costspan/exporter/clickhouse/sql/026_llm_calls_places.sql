-- For a table of an earlier version: the columns that it lacks.
ALTER TABLE llm_calls
    ADD COLUMN IF NOT EXISTS TransactionSpanId String CODEC(ZSTD(1)) AFTER ResponseId,
    ADD COLUMN IF NOT EXISTS RootSpanId String CODEC(ZSTD(1)) AFTER TransactionSpanId,
    ADD COLUMN IF NOT EXISTS Gateway LowCardinality(String) CODEC(ZSTD(1)) AFTER RootSpanId,
    ADD COLUMN IF NOT EXISTS Cumulative Bool AFTER Billed
