-- Cumulative snapshots of a trace, one row per (trace, writer, generation); a higher Version replaces.
-- The sort key is immutable per row key: Arrived is when the generation's first span arrived.
-- ModelUsage is keyed by unit and model with a space between them (a unit holds no space).
CREATE TABLE IF NOT EXISTS trace_totals_parts
(
    TraceId String CODEC(ZSTD(1)),
    Writer LowCardinality(String) CODEC(ZSTD(1)),
    Generation UInt64,
    Version UInt64,
    Reason LowCardinality(String),
    Grade LowCardinality(String),
    Arrived DateTime64(9) CODEC(Delta(8), ZSTD(1)),
    Start DateTime64(9) CODEC(Delta(8), ZSTD(1)),
    End DateTime64(9) CODEC(Delta(8), ZSTD(1)),
    ServiceName LowCardinality(String),
    RootName LowCardinality(String),
    Workflow LowCardinality(String),
    User String CODEC(ZSTD(1)),
    Session String CODEC(ZSTD(1)),
    Conversation String CODEC(ZSTD(1)),
    Dimensions Map(LowCardinality(String), String) CODEC(ZSTD(1)),
    Spans UInt64,
    Errors UInt64,
    LlmCalls UInt64,
    UnpricedCalls UInt64,
    CostUsd Decimal(38, 18),
    ListCostUsd Decimal(38, 18),
    EffectiveCostUsd Decimal(38, 18) DEFAULT CostUsd,
    CacheSavingsUsd Decimal(38, 18),
    ErrorCostUsd Decimal(38, 18),
    Usage Map(LowCardinality(String), UInt64),
    ModelCostUsd Map(LowCardinality(String), Decimal(38, 18)),
    ModelCalls Map(LowCardinality(String), UInt64),
    ModelUsage Map(String, UInt64),
    AgentCostUsd Map(LowCardinality(String), Decimal(38, 18)),
    AgentCalls Map(LowCardinality(String), UInt64),
    AgentUsage Map(String, UInt64),
    Flags Array(LowCardinality(String))
)
ENGINE = ReplacingMergeTree(Version)
PARTITION BY toYYYYMM(Arrived)
ORDER BY (toStartOfHour(Arrived), TraceId, Writer, Generation)
TTL toDateTime(Arrived) + INTERVAL 365 DAY
SETTINGS index_granularity = 8192, ttl_only_drop_parts = 1,
    non_replicated_deduplication_window = 10000
