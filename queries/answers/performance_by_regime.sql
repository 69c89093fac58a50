-- name: performance_by_regime
-- answers: How did each trial do in each regime of the train period, and with which parameters?
-- grain: one row per workspace, trial that did not fail, and regime
-- columns: workspace, trial_id, strategy, parameters, regime, bars, episodes, trades, total_return,
--     cagr, volatility, sharpe_ratio, sortino_ratio, max_drawdown, win_rate
-- parameters: none
with trial as (
    select
        workspace,
        trial_id,
        strategy,
        parameters
    from on_train
    where status = 'ok'
)

select
    trial.workspace,
    trial.trial_id,
    trial.strategy,
    trial.parameters,
    part.regime,
    part.bars,
    part.episodes,
    part.trades,
    part.total_return,
    part.cagr,
    part.volatility,
    part.sharpe_ratio,
    part.sortino_ratio,
    part.max_drawdown,
    part.win_rate
from trial
inner join performance_by_regime as part
    on trial.workspace = part.workspace and trial.trial_id = part.trial_id
order by trial.workspace, length(trial.trial_id), trial.trial_id, part.regime
