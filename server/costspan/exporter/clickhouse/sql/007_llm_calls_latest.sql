-- The newest version of every call.
CREATE VIEW IF NOT EXISTS llm_calls_latest AS
SELECT * FROM llm_calls FINAL
