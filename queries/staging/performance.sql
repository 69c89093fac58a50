-- name: performance
-- answers: How did each trial and each ensemble trial do over each period?
-- grain: one row per trial or ensemble trial, and period
-- columns: workspace, trial_id, kind, period, status, strategy, parameters, total_return,
--     sharpe_ratio, max_drawdown, win_rate, trades, period_start, period_end, metrics, error
-- parameters: none
select
    workspace,
    trial_id,
    kind,
    period,
    status,
    strategy,
    cast(parameters as json) as parameters,
    total_return,
    sharpe_ratio,
    max_drawdown,
    win_rate,
    trades,
    period_start,
    period_end,
    cast(metrics as json) as metrics,
    error
from mirror.performance
