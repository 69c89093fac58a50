-- name: signal_digests
-- answers: Which trials gave exactly the same signals?
-- grain: one row per workspace and trial with signals; digest depends on what the signals say, not on
--     their order or on how they were written
-- columns: workspace, trial_id, signals, digest
-- parameters: none
with line as (
    select
        workspace,
        trial_id,
        concat_ws(
            '|',
            coalesce(cast("timestamp" as varchar), ''),
            coalesce(symbol, ''),
            coalesce(action, ''),
            coalesce(cast(strength as varchar), '')
        ) as content
    from signals
)

select
    workspace,
    trial_id,
    count(*) as signals,
    md5(string_agg(content, ';' order by content)) as digest
from line
group by workspace, trial_id
order by workspace, length(trial_id), trial_id
