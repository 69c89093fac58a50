-- name: failed_trials
-- answers: Which trials failed, and why?
-- grain: one row per workspace and failed trial
-- columns: workspace, trial_id, strategy, parameters, error
-- parameters: none
select
    workspace,
    trial_id,
    strategy,
    parameters,
    error
from performance
where status = 'failed'
order by workspace, length(trial_id), trial_id
