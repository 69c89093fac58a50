-- name: trials_on_train
-- answers: How did each trial, failed ones included, do over the train period?
-- grain: one row per workspace and trial
-- columns: workspace, trial_id, strategy, parameters, status, trades, period_start, period_end,
--     total_return, cagr, volatility, sharpe_ratio, sortino_ratio, max_drawdown, win_rate
-- parameters: none
with further as (
    select
        workspace,
        trial_id,
        period,
        max(value) filter (where name = 'cagr') as cagr,
        max(value) filter (where name = 'volatility') as volatility,
        max(value) filter (where name = 'sortino_ratio') as sortino_ratio
    from metrics
    where name in ('cagr', 'volatility', 'sortino_ratio') and period in ('train', 'all')
    group by workspace, trial_id, period
)

select
    trial.workspace,
    trial.trial_id,
    trial.strategy,
    trial.parameters,
    trial.status,
    trial.trades,
    trial.period_start,
    trial.period_end,
    trial.total_return,
    further.cagr,
    further.volatility,
    trial.sharpe_ratio,
    further.sortino_ratio,
    trial.max_drawdown,
    trial.win_rate
from on_train as trial
left join further
    on
        trial.workspace = further.workspace
        and trial.trial_id = further.trial_id
        and trial.period = further.period
order by trial.workspace, length(trial.trial_id), trial.trial_id
