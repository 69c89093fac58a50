-- name: same_trials
-- answers: Which strategy and parameters were tried more than once, and with which result on train?
-- grain: one row per workspace and trial that shares strategy and parameters with another, whatever
--     prices and rules each rests on; 1 is 1.0, and the order of the parameters does not matter;
--     trials that say neither strategy nor parameters are left out
-- columns: strategy, parameters, tried, workspace, trial_id, status, period_start, period_end, trades,
--     total_return, sharpe_ratio, max_drawdown, win_rate
-- parameters: none
with setting as (
    select
        workspace,
        trial_id,
        name,
        cast(value as varchar) as written
    from parameters
),

canonical as (
    select
        workspace,
        trial_id,
        string_agg(
            concat_ws(': ', name, coalesce(cast(try_cast(written as double) as varchar), written)),
            ', ' order by setting.name
        ) as settings
    from setting
    group by workspace, trial_id
),

counted as (
    select
        trial.*,
        canonical.settings,
        count(*) over (partition by trial.strategy, canonical.settings) as tried
    from on_train as trial
    left join canonical
        on trial.workspace = canonical.workspace and trial.trial_id = canonical.trial_id
)

select
    strategy,
    parameters,
    tried,
    workspace,
    trial_id,
    status,
    period_start,
    period_end,
    trades,
    total_return,
    sharpe_ratio,
    max_drawdown,
    win_rate
from counted
where tried > 1 and (strategy is not null or settings is not null)
order by strategy nulls last, settings nulls last, workspace, length(trial_id), trial_id
