-- name: metrics_on_train
-- answers: Which values does each metric take over the trials of the train period?
-- grain: one row per workspace, trial that did not fail, and metric
-- columns: workspace, trial_id, name, value
-- parameters: none
with trial as (
    select
        workspace,
        trial_id,
        period
    from on_train
    where status = 'ok'
)

select
    trial.workspace,
    trial.trial_id,
    metrics.name,
    metrics.value
from trial
inner join metrics
    on
        trial.workspace = metrics.workspace
        and trial.trial_id = metrics.trial_id
        and trial.period = metrics.period
order by trial.workspace, metrics.name, length(trial.trial_id), trial.trial_id
