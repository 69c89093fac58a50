-- name: data_health
-- answers: What could not be read in each workspace, and how often?
-- grain: one row per workspace and reason
-- columns: workspace, reason, faults, files, first_path
-- parameters: none
select
    workspace,
    reason,
    count(*) as faults,
    count(distinct path) as files,
    min(path) as first_path
from faults
group by workspace, reason
order by faults desc, workspace asc, reason asc
