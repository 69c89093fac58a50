-- name: trial_counts
-- answers: How many trials and ensemble trials are there, and how many failed?
-- grain: one row per workspace, kind and status
-- columns: workspace, kind, status, trials
-- parameters: none
select
    workspace,
    kind,
    status,
    count(distinct trial_id) as trials
from performance
group by workspace, kind, status
order by workspace, kind desc, status desc
