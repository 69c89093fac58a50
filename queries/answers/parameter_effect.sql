-- name: parameter_effect
-- answers: How does a metric on train depend on each parameter, whatever the other parameters are?
-- grain: one row per workspace, strategy, parameter and value; 1 is 1.0; trials that failed or lack the
--     metric are left out
-- columns: workspace, strategy, name, setting, trials, median_value, best_value, worst_value
-- parameters: metric VARCHAR = sharpe_ratio
with trial as (
    select
        workspace,
        trial_id,
        strategy,
        period
    from on_train
    where status = 'ok'
),

setting as (
    select
        workspace,
        trial_id,
        name,
        cast(value as varchar) as written,
        try_cast(cast(value as varchar) as double) as number
    from parameters
)

select
    trial.workspace,
    trial.strategy,
    setting.name,
    coalesce(cast(setting.number as varchar), setting.written) as setting,
    count(*) as trials,
    median(score.value) as median_value,
    max(score.value) as best_value,
    min(score.value) as worst_value
from trial
inner join setting
    on trial.workspace = setting.workspace and trial.trial_id = setting.trial_id
inner join metrics as score
    on
        trial.workspace = score.workspace
        and trial.trial_id = score.trial_id
        and trial.period = score.period
where score.name = $metric and score.value is not null
group by
    trial.workspace,
    trial.strategy,
    setting.name,
    setting.number,
    coalesce(cast(setting.number as varchar), setting.written)
order by
    trial.workspace asc,
    trial.strategy asc nulls last,
    setting.name asc,
    setting.number asc nulls last,
    setting asc
