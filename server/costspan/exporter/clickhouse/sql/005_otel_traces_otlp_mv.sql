-- OTLP to rows, with the values that the Collector's exporter writes: names of kinds and codes,
-- lower-case hex ids (an id of zeros is none), attributes as text, arrays as JSON. Of equal keys the
-- last wins. A clock beyond the year 2100 is set to it: later, DateTime wraps around and the TTL would
-- drop the row. wire/block.py builds the same rows; a test compares the two.
CREATE MATERIALIZED VIEW IF NOT EXISTS otel_traces_otlp_mv TO otel_traces AS
WITH
    item -> multiIf(
        item.string_value IS NOT NULL, toJSONString(assumeNotNull(item.string_value)),
        item.int_value IS NOT NULL, toString(assumeNotNull(item.int_value)),
        item.bool_value IS NOT NULL, toString(assumeNotNull(item.bool_value)),
        item.double_value IS NOT NULL, toString(assumeNotNull(item.double_value)),
        item.bytes_value IS NOT NULL,
            concat('"', base64Encode(assumeNotNull(item.bytes_value)), '"'),
        'null') AS json,
    value -> multiIf(
        value.string_value IS NOT NULL, assumeNotNull(value.string_value),
        value.int_value IS NOT NULL, toString(assumeNotNull(value.int_value)),
        value.bool_value IS NOT NULL, toString(assumeNotNull(value.bool_value)),
        value.double_value IS NOT NULL, toString(assumeNotNull(value.double_value)),
        notEmpty(value.array_value), concat('[', arrayStringConcat(
            arrayMap(i -> json(i), value.array_value[1].values), ','), ']'),
        value.bytes_value IS NOT NULL, base64Encode(assumeNotNull(value.bytes_value)),
        '') AS text,
    pairs -> if(
        length(arrayDistinct(mapKeys(pairs))) = length(pairs), pairs,
        mapFromArrays(arrayDistinct(mapKeys(pairs)), arrayMap(
            k -> mapValues(pairs)[length(pairs) + 1 - indexOf(arrayReverse(mapKeys(pairs)), k)],
            arrayDistinct(mapKeys(pairs))))) AS last,
    pairs -> mapApply((k, v) -> (k, text(v)), last(pairs)) AS attributes,
    id -> if(id IN ('\0\0\0\0\0\0\0\0', '\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0'), '', lower(hex(id)))
        AS hexed,
    ns -> fromUnixTimestamp64Nano(toInt64(least(ns, 4102444800000000000))) AS instant
SELECT
    instant(span.start_time_unix_nano) AS Timestamp,
    hexed(span.trace_id) AS TraceId,
    hexed(span.span_id) AS SpanId,
    hexed(span.parent_span_id) AS ParentSpanId,
    span.trace_state AS TraceState,
    span.name AS SpanName,
    ['Unspecified', 'Internal', 'Server', 'Client', 'Producer', 'Consumer'][span.kind + 1]
        AS SpanKind,
    ResourceAttributes['service.name'] AS ServiceName,
    ResourceAttributes,
    group.scope.name AS ScopeName,
    group.scope.version AS ScopeVersion,
    attributes(span.attributes) AS SpanAttributes,
    if(span.end_time_unix_nano > span.start_time_unix_nano,
        span.end_time_unix_nano - span.start_time_unix_nano, 0) AS Duration,
    ['Unset', 'Ok', 'Error'][span.status.code + 1] AS StatusCode,
    span.status.message AS StatusMessage,
    arrayMap(e -> instant(e.time_unix_nano), span.events) AS `Events.Timestamp`,
    arrayMap(e -> e.name, span.events) AS `Events.Name`,
    arrayMap(e -> attributes(e.attributes), span.events) AS `Events.Attributes`,
    arrayMap(l -> hexed(l.trace_id), span.links) AS `Links.TraceId`,
    arrayMap(l -> hexed(l.span_id), span.links) AS `Links.SpanId`,
    arrayMap(l -> l.trace_state, span.links) AS `Links.TraceState`,
    arrayMap(l -> attributes(l.attributes), span.links) AS `Links.Attributes`
FROM
(
    SELECT group, ResourceAttributes, arrayJoin(group.spans) AS span
    FROM
    (
        SELECT attributes(resource.attributes) AS ResourceAttributes,
            arrayJoin(scope_spans) AS group
        FROM otel_traces_otlp
    )
)
