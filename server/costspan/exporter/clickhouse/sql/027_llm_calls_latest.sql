-- The newest version of every call, with the columns that the table has by now.
CREATE OR REPLACE VIEW llm_calls_latest AS
SELECT * FROM llm_calls FINAL
