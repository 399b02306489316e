-- One row per span that carries usage, with decision and evidence. A row with a higher Version replaces
-- an older one of the same span (1 = as priced on arrival; 0 = so far: a double in its request, or not yet placed), so
-- a span that was sent twice is one row: read llm_calls_latest, or use FINAL. Token columns are disjoint; ReasoningTokens lies inside
-- OutputTokens. CostUsd is NULL when it is unknown, never 0; only rows with Billed count in a sum.
-- Identity and Dimensions: what the call says; Version > 1 also what it inherited from the spans above it.
-- TransactionSpanId: the entry span above the call (see transaction_totals), RootSpanId: the root; '' = not known.
-- Gateway: who answered from a cache of its own. Cumulative: the counts contain those of earlier spans.
-- EffectiveCostUsd: the cost with commitments that were paid up front spread over their use.
-- ShowbackCostUsd: what is charged on internally, NULL without a rule for it.
CREATE TABLE IF NOT EXISTS llm_calls
(
    Timestamp DateTime64(9) CODEC(Delta(8), ZSTD(1)),
    EndTimestamp DateTime64(9) CODEC(Delta(8), ZSTD(1)),
    Duration UInt64 CODEC(T64, ZSTD(1)),
    TraceId String CODEC(ZSTD(1)),
    SpanId String CODEC(ZSTD(1)),
    ParentSpanId String CODEC(ZSTD(1)),
    SpanName LowCardinality(String) CODEC(ZSTD(1)),
    SpanKind LowCardinality(String) CODEC(ZSTD(1)),
    StatusCode LowCardinality(String) CODEC(ZSTD(1)),
    ErrorType LowCardinality(String) CODEC(ZSTD(1)),
    ServiceName LowCardinality(String) CODEC(ZSTD(1)),
    ScopeName LowCardinality(String) CODEC(ZSTD(1)),
    ScopeVersion LowCardinality(String) CODEC(ZSTD(1)),
    Dialect LowCardinality(String) CODEC(ZSTD(1)),
    Convention LowCardinality(String) CODEC(ZSTD(1)),
    DecidedBy LowCardinality(String) CODEC(ZSTD(1)),
    Role LowCardinality(String) CODEC(ZSTD(1)),
    Operation LowCardinality(String) CODEC(ZSTD(1)),
    Provider LowCardinality(String) CODEC(ZSTD(1)),
    RequestModel LowCardinality(String) CODEC(ZSTD(1)),
    ResponseModel LowCardinality(String) CODEC(ZSTD(1)),
    ResponseId String CODEC(ZSTD(1)),
    TransactionSpanId String CODEC(ZSTD(1)),
    RootSpanId String CODEC(ZSTD(1)),
    Gateway LowCardinality(String) CODEC(ZSTD(1)),
    Agent LowCardinality(String) CODEC(ZSTD(1)),
    Workflow LowCardinality(String) CODEC(ZSTD(1)),
    Tool LowCardinality(String) CODEC(ZSTD(1)),
    User String CODEC(ZSTD(1)),
    Session String CODEC(ZSTD(1)),
    Conversation String CODEC(ZSTD(1)),
    Dimensions Map(LowCardinality(String), String) CODEC(ZSTD(1)),
    Context Map(LowCardinality(String), String) CODEC(ZSTD(1)),
    UsageKnown Bool,
    InvalidUsage String CODEC(ZSTD(1)),
    InputTokens UInt64 CODEC(T64, ZSTD(1)),
    CacheReadTokens UInt64 CODEC(T64, ZSTD(1)),
    CacheWrite5mTokens UInt64 CODEC(T64, ZSTD(1)),
    CacheWrite1hTokens UInt64 CODEC(T64, ZSTD(1)),
    OutputTokens UInt64 CODEC(T64, ZSTD(1)),
    ReasoningTokens UInt64 CODEC(T64, ZSTD(1)),
    Usage Map(LowCardinality(String), UInt64) CODEC(ZSTD(1)),
    CacheStatus LowCardinality(String) CODEC(ZSTD(1)),
    CostUsd Nullable(Decimal(38, 18)) CODEC(ZSTD(1)),
    ListCostUsd Nullable(Decimal(38, 18)) CODEC(ZSTD(1)),
    EffectiveCostUsd Nullable(Decimal(38, 18)) DEFAULT CostUsd CODEC(ZSTD(1)),
    ShowbackCostUsd Nullable(Decimal(38, 18)) CODEC(ZSTD(1)),
    SavingsUsd Nullable(Decimal(38, 18)) CODEC(ZSTD(1)),
    ReportedCostUsd Nullable(Decimal(38, 18)) CODEC(ZSTD(1)),
    CostStatus LowCardinality(String) CODEC(ZSTD(1)),
    UnpricedReason LowCardinality(String) CODEC(ZSTD(1)),
    PricedModel LowCardinality(String) CODEC(ZSTD(1)),
    PriceRef LowCardinality(String) CODEC(ZSTD(1)),
    Modifiers Array(LowCardinality(String)) CODEC(ZSTD(1)),
    Assumed Array(LowCardinality(String)) CODEC(ZSTD(1)),
    Lines Nested
    (
        Unit LowCardinality(String),
        Quantity UInt64,
        UsdPerUnit Decimal(38, 18),
        Usd Decimal(38, 18)
    ) CODEC(ZSTD(1)),
    Billed Bool,
    Cumulative Bool,
    BilledReason LowCardinality(String) CODEC(ZSTD(1)),
    MissingAttributes Array(LowCardinality(String)) CODEC(ZSTD(1)),
    Version UInt64 CODEC(T64, ZSTD(1)),
    INDEX idx_timestamp Timestamp TYPE minmax GRANULARITY 1
)
ENGINE = ReplacingMergeTree(Version)
-- Merges never cross partitions: the start of a span is the same in every copy of it.
PARTITION BY toDate(Timestamp)
ORDER BY (TraceId, SpanId)
TTL toDateTime(Timestamp) + INTERVAL 30 DAY
SETTINGS index_granularity = 8192, ttl_only_drop_parts = 1,
    non_replicated_deduplication_window = 10000
