-- name: train_against_select
-- answers: Do the trials that led on train still lead on select, or was their lead luck?
-- grain: one row per workspace and trial that has the metric over both periods, the leaders on train first;
--     change is the value on select less that on train
-- columns: workspace, trial_id, strategy, parameters, place_on_train, place_on_select, trials,
--     value_on_train, value_on_select, change
-- parameters: metric VARCHAR = sharpe_ratio, most BIGINT = 20
with scored as (
    select
        trial.workspace,
        trial.trial_id,
        trial.strategy,
        trial.parameters,
        train.value as value_on_train,
        later.value as value_on_select
    from performance as trial
    inner join metrics as train
        on trial.workspace = train.workspace and trial.trial_id = train.trial_id and train.period = 'train'
    inner join metrics as later
        on trial.workspace = later.workspace and trial.trial_id = later.trial_id and later.period = 'select'
    where
        trial.kind = 'trial'
        and trial.status = 'ok'
        and trial.period = 'train'
        and train.name = $metric
        and later.name = $metric
        and train.value is not null
        and later.value is not null
),

placed as (
    select
        *,
        row_number() over (
            partition by workspace order by value_on_train desc, length(trial_id) asc, trial_id asc
        ) as place_on_train,
        row_number() over (
            partition by workspace order by value_on_select desc, length(trial_id) asc, trial_id asc
        ) as place_on_select,
        count(*) over (partition by workspace) as trials
    from scored
)

select
    workspace,
    trial_id,
    strategy,
    parameters,
    place_on_train,
    place_on_select,
    trials,
    value_on_train,
    value_on_select,
    value_on_select - value_on_train as change
from placed
where place_on_train <= $most
order by workspace, place_on_train
