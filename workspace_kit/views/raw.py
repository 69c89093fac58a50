"""Plain DuckDB SQL over the files themselves, for clients without this package; the mirror's referee."""

from workspace_kit.views.paths import as_pattern

_SQL = r"""-- The views signals and performance straight over the files of a results root, for any client.
-- Limits: there must be a file of both kinds; a damaged file stops every question, and so does a torn last
-- line; every question reads every file again. A time without an offset is taken as UTC, a date as its last
-- second in UTC, whatever a workspace's configuration says.

-- DuckDB drops the offset of a text that it casts to TIMESTAMP, so it goes by way of an instant.
CREATE OR REPLACE MACRO utc(written) AS make_timestamp(epoch_us(CAST(
    upper(written) || CASE
        WHEN length(written) = 10 THEN 'T23:59:59+00'
        WHEN regexp_matches(upper(written), '(Z|[+-]\d{2}:?\d{2})$') THEN ''
        ELSE '+00'
    END AS TIMESTAMPTZ
)));

CREATE OR REPLACE VIEW signals AS
WITH line AS (
    SELECT
        json,
        string_split(filename, '/')[-3] AS workspace,
        regexp_extract(filename, '([^/]*)\.jsonl$', 1) AS key
    FROM read_json_objects(
        '{root}/[A-Za-z0-9]*/signals/[A-Za-z0-9]*.jsonl',
        format = 'newline_delimited', filename = true, hive_partitioning = false
    )
)

SELECT
    workspace,
    CASE WHEN regexp_full_match(key, '0|[1-9]\d*') THEN 'trial_' || key ELSE key END AS trial_id,
    utc(json ->> '$.timestamp') AS timestamp,
    json ->> '$.symbol' AS symbol,
    json ->> '$.action' AS action,
    CAST(json ->> '$.strength' AS DOUBLE) AS strength,
    json ->> '$.strategy' AS strategy,
    nullif(json_merge_patch(
        json, '{"timestamp": null, "symbol": null, "action": null, "strength": null, "strategy": null}'
    ), '{}') AS extra
FROM line;

CREATE OR REPLACE VIEW performance AS
WITH document AS (
    SELECT
        json,
        string_split(filename, '/')[-3] AS workspace,
        regexp_extract(filename, '([^/]*)\.json$', 1) AS trial_id
    FROM read_json_objects(
        '{root}/[A-Za-z0-9]*/performance/*trial_*.json',
        format = 'unstructured', filename = true, hive_partitioning = false
    )
    WHERE regexp_matches(filename, '/(ensemble_)?trial_[^/]*$')
),

part AS (
    SELECT
        document.*,
        coalesce(json ->> '$.period_name', 'all') AS period,
        json AS source,
        json -> '$.metrics' AS metrics
    FROM document
    UNION ALL
    SELECT
        document.*,
        named.period,
        json -> ('$.metrics_by_period."' || named.period || '"') AS source,
        json_merge_patch(
            source,
            '{"trades": null, "bars": null, "exposure": null, "open_trades": null, '
            || '"period": null, "ruined": null}'
        ) AS metrics
    FROM document, unnest(json_keys(json, '$.metrics_by_period')) AS named (period)
)

SELECT
    workspace,
    trial_id,
    CASE WHEN starts_with(trial_id, 'ensemble_') THEN 'ensemble' ELSE 'trial' END AS kind,
    period,
    coalesce(json ->> '$.status', 'ok') AS status,
    json ->> '$.strategy' AS strategy,
    coalesce(json -> '$.parameters', '{}') AS parameters,
    CAST(metrics ->> '$.total_return' AS DOUBLE) AS total_return,
    CAST(metrics ->> '$.sharpe_ratio' AS DOUBLE) AS sharpe_ratio,
    CAST(metrics ->> '$.max_drawdown' AS DOUBLE) AS max_drawdown,
    CAST(metrics ->> '$.win_rate' AS DOUBLE) AS win_rate,
    CAST(source ->> '$.trades' AS BIGINT) AS trades,
    utc(source ->> '$.period.start') AS period_start,
    utc(source ->> '$.period.end') AS period_end,
    coalesce(metrics, '{}') AS metrics,
    json ->> '$.error' AS error
FROM part;
"""


def raw_sql(root: str) -> str:
    """Return SQL that makes the views ``signals`` and ``performance`` over the files below a results root.

    Raises
    ------
    NameInvalid
        The root cannot be told to DuckDB.
    """
    return _SQL.replace("{root}", as_pattern(root.rstrip("/")).replace("'", "''"))
