-- For a table of an earlier version: the column that it lacks.
ALTER TABLE trace_totals_parts
    ADD COLUMN IF NOT EXISTS Dimensions Map(LowCardinality(String), String) CODEC(ZSTD(1))
        AFTER Conversation
