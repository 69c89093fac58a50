-- name: validations
-- answers: How did what was chosen do over the test period?
-- grain: one row per workspace and candidate, over the test period
-- columns: workspace, candidate, period_start, period_end, trades, total_return, cagr, volatility,
--     sharpe_ratio, sortino_ratio, max_drawdown, win_rate, looks
-- parameters: none
select
    workspace,
    candidate,
    period_start,
    period_end,
    trades,
    total_return,
    cagr,
    volatility,
    sharpe_ratio,
    sortino_ratio,
    max_drawdown,
    win_rate,
    looks
from mirror.validations
