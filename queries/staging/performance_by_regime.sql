-- name: performance_by_regime
-- answers: How did each trial do in each regime of the train period?
-- grain: one row per trial and regime, over the train period
-- columns: workspace, trial_id, strategy, regime, bars, episodes, trades, total_return, cagr,
--     volatility, sharpe_ratio, sortino_ratio, max_drawdown, win_rate
-- parameters: none
select
    workspace,
    trial_id,
    strategy,
    regime,
    bars,
    episodes,
    trades,
    total_return,
    cagr,
    volatility,
    sharpe_ratio,
    sortino_ratio,
    max_drawdown,
    win_rate
from mirror.performance_by_regime
