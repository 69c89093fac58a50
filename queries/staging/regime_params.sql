-- name: regime_params
-- answers: Which parameters are best in each regime, and on how much does that rest?
-- grain: one row per workspace, regime and strategy (strategy null: the best of all)
-- columns: workspace, regime, strategy, trial_id, parameters, metric, performance, bars, episodes,
--     trades, plateau_score, edge_of_grid, fallback_reason
-- parameters: none
select
    workspace,
    regime,
    strategy,
    trial_id,
    cast(parameters as json) as parameters,
    metric,
    performance,
    bars,
    episodes,
    trades,
    plateau_score,
    edge_of_grid,
    fallback_reason
from mirror.regime_params
