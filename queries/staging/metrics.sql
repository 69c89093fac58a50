-- name: metrics
-- answers: Which value has each metric of each trial over each period?
-- grain: one row per trial, period and metric
-- columns: workspace, trial_id, period, name, value
-- parameters: none
select
    workspace,
    trial_id,
    period,
    name,
    value
from mirror.metrics
