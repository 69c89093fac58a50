-- name: workspaces
-- answers: Which workspaces are there, how far are they, and how large?
-- grain: one row per workspace
-- columns: workspace, name, tags, note, created_at, phase, state, trials, bytes, path
-- parameters: none
with held as (
    select
        workspace,
        count(*) filter (where kind = 'trial') as trials,
        cast(sum(bytes) as bigint) as bytes,
        -- An archive stands for itself; a workspace is the folder above the folder of each file. What is
        -- unknown may be such a folder itself, where that is a link.
        regexp_replace(
            coalesce(min(path) filter (where kind <> 'unknown'), min(path)),
            case when min(kind) = 'archive' then '$^' else '/[^/]*/[^/]*$' end,
            ''
        ) as path
    from mirror.files
    group by workspace
),

told as (
    select
        workspace,
        max(value) filter (where name = 'name') as name,
        max(value) filter (where name = 'tags') as tags,
        max(value) filter (where name = 'note') as note,
        max(value) filter (where name = 'created_at') as created_at,
        max(value) filter (where name = 'phase') as phase,
        max(value) filter (where name = 'state') as state
    from mirror.facts
    group by workspace
)

select
    held.workspace,
    told.name,
    try_cast(told.tags as json) as tags,
    told.note,
    -- By way of an instant: cast straight to a timestamp, DuckDB would drop the offset.
    try_cast(told.created_at as timestamptz) at time zone 'UTC' as created_at,
    told.phase,
    told.state,
    held.trials,
    held.bytes,
    held.path
from held
left join told on held.workspace = told.workspace
