-- name: named_trials
-- answers: Which strategy and parameters does each trial have, as its document or else its signals say?
-- grain: one row per workspace and trial; strategy is 'unnamed' where neither names one
-- columns: workspace, trial_id, strategy, parameters, status
-- parameters: none
with trial as (
    select
        workspace,
        trial_id,
        strategy,
        parameters,
        status
    from on_train
),

said as (
    select distinct
        workspace,
        trial_id,
        strategy
    from signals
    where strategy <> ''
),

signalled as (
    select
        workspace,
        trial_id,
        string_agg(strategy, '+' order by strategy) as strategy
    from said
    group by workspace, trial_id
)

select
    trial.workspace,
    trial.trial_id,
    coalesce(nullif(trial.strategy, ''), signalled.strategy, 'unnamed') as strategy,
    trial.parameters,
    trial.status
from trial
left join signalled
    on trial.workspace = signalled.workspace and trial.trial_id = signalled.trial_id
order by trial.workspace, length(trial.trial_id), trial.trial_id
