-- name: trading_activity
-- answers: How much does each trial trade on train, and is there a profit left for higher costs?
-- grain: one row per workspace and trial that closed a trade over a known period, the busiest first
-- columns: workspace, trial_id, strategy, parameters, trades, trades_per_year, win_rate, profit_factor,
--     total_return, sharpe_ratio
-- parameters: none
with trial as (
    select
        *,
        date_diff('day', period_start, period_end) / 365.25 as years
    from on_train
    where status = 'ok'
)

select
    trial.workspace,
    trial.trial_id,
    trial.strategy,
    trial.parameters,
    trial.trades,
    trial.trades / nullif(trial.years, 0) as trades_per_year,
    trial.win_rate,
    factor.value as profit_factor,
    trial.total_return,
    trial.sharpe_ratio
from trial
left join metrics as factor
    on
        trial.workspace = factor.workspace
        and trial.trial_id = factor.trial_id
        and trial.period = factor.period
        and factor.name = 'profit_factor'
where trial.trades > 0 and trial.years is not null
order by
    trades_per_year desc nulls last, trial.workspace asc, length(trial.trial_id) asc, trial.trial_id asc
