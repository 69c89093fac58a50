-- name: recent_changes
-- answers: What was written since an instant, or in the day before the last change?
-- grain: one row per workspace and kind of file with changes since; those of workspaces last changed first;
--     an instant without an offset is in UTC
-- columns: workspace, kind, changed, of_files, bytes, first_change, last_change
-- parameters: since VARCHAR = null
with dated as (
    select
        *,
        -- By way of an instant: cast straight to a timestamp, DuckDB would drop the offset.
        coalesce(cast($since as timestamptz) at time zone 'UTC', max(modified_at) over () - interval 1 day) as threshold
    from files
),

counted as (
    select
        workspace,
        kind,
        count(*) filter (where modified_at >= threshold) as changed,
        count(*) as of_files,
        cast(sum(bytes) filter (where modified_at >= threshold) as bigint) as bytes,
        min(modified_at) filter (where modified_at >= threshold) as first_change,
        max(modified_at) as last_change
    from dated
    group by workspace, kind
),

latest as (
    select
        *,
        max(last_change) over (partition by workspace) as last_of_all
    from counted
    where changed > 0
)

select * exclude (last_of_all)
from latest
order by last_of_all desc, workspace asc, kind asc
