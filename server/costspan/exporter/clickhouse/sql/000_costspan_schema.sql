-- Which of these files have been applied.
CREATE TABLE IF NOT EXISTS costspan_schema
(
    Version UInt32,
    Name String,
    AppliedAt DateTime DEFAULT now()
)
ENGINE = ReplacingMergeTree(AppliedAt)
ORDER BY Version
