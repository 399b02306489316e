-- OTLP as it travels: ClickHouse decodes it by ../otlp.proto and the view behind this table makes
-- rows of it. Nothing is stored here. `array_value` is repeated so that an empty array differs from
-- none. Lists of pairs and arrays within arrays have no place here: such requests come as blocks.
CREATE TABLE IF NOT EXISTS otel_traces_otlp
(
    resource Tuple(attributes Map(String, Tuple(
        string_value Nullable(String), bool_value Nullable(Bool), int_value Nullable(Int64),
        double_value Nullable(Float64), bytes_value Nullable(String),
        array_value Array(Tuple(values Array(Tuple(
            string_value Nullable(String), bool_value Nullable(Bool), int_value Nullable(Int64),
            double_value Nullable(Float64), bytes_value Nullable(String)))))))),
    scope_spans Array(Tuple(
        scope Tuple(name String, version String),
        spans Array(Tuple(
            trace_id String,
            span_id String,
            trace_state String,
            parent_span_id String,
            name String,
            kind Int32,
            start_time_unix_nano UInt64,
            end_time_unix_nano UInt64,
            attributes Map(String, Tuple(
                string_value Nullable(String), bool_value Nullable(Bool), int_value Nullable(Int64),
                double_value Nullable(Float64), bytes_value Nullable(String),
                array_value Array(Tuple(values Array(Tuple(
                    string_value Nullable(String), bool_value Nullable(Bool), int_value Nullable(Int64),
                    double_value Nullable(Float64), bytes_value Nullable(String))))))),
            events Array(Tuple(
                time_unix_nano UInt64,
                name String,
                attributes Map(String, Tuple(
                    string_value Nullable(String), bool_value Nullable(Bool), int_value Nullable(Int64),
                    double_value Nullable(Float64), bytes_value Nullable(String),
                    array_value Array(Tuple(values Array(Tuple(
                        string_value Nullable(String), bool_value Nullable(Bool), int_value Nullable(Int64),
                        double_value Nullable(Float64), bytes_value Nullable(String))))))))),
            links Array(Tuple(
                trace_id String,
                span_id String,
                trace_state String,
                attributes Map(String, Tuple(
                    string_value Nullable(String), bool_value Nullable(Bool), int_value Nullable(Int64),
                    double_value Nullable(Float64), bytes_value Nullable(String),
                    array_value Array(Tuple(values Array(Tuple(
                        string_value Nullable(String), bool_value Nullable(Bool), int_value Nullable(Int64),
                        double_value Nullable(Float64), bytes_value Nullable(String))))))))),
            status Tuple(message String, code Int32)))))
)
ENGINE = Null
