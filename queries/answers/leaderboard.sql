-- name: leaderboard
-- answers: Which trials did best by a metric on train, among those whose drawdown stayed above a floor?
-- grain: one row per workspace and trial; those that failed, lack the metric or closed too few trades
--     are left out, and with a floor those without a drawdown
-- columns: place, workspace, trial_id, strategy, parameters, metric, value, total_return,
--     sharpe_ratio, max_drawdown, win_rate, trades
-- parameters: metric VARCHAR = sharpe_ratio, most BIGINT = 20, floor DOUBLE = null,
--     fewest_trades BIGINT = 1
with ranked as (
    select
        row_number() over (
            order by
                score.value desc,
                trial.trades desc nulls last,
                trial.max_drawdown desc nulls last,
                trial.workspace asc,
                length(trial.trial_id) asc,
                trial.trial_id asc
        ) as place,
        trial.workspace,
        trial.trial_id,
        trial.period,
        score.name as metric,
        score.value
    from on_train as trial
    inner join metrics as score
        on
            trial.workspace = score.workspace
            and trial.trial_id = score.trial_id
            and trial.period = score.period
    where
        trial.status = 'ok'
        and score.name = $metric
        and score.value is not null
        and coalesce(trial.trades, $fewest_trades) >= $fewest_trades
        and coalesce(trial.max_drawdown >= cast($floor as double), cast($floor as double) is null)
),

-- Ranked by what ranks alone; what else a row says is looked up for the few that are shown.
best as (
    select *
    from ranked
    where place <= $most
)

select
    best.place,
    best.workspace,
    best.trial_id,
    trial.strategy,
    trial.parameters,
    best.metric,
    best.value,
    trial.total_return,
    trial.sharpe_ratio,
    trial.max_drawdown,
    trial.win_rate,
    trial.trades
from best
inner join performance as trial
    on
        best.workspace = trial.workspace
        and best.trial_id = trial.trial_id
        and best.period = trial.period
order by best.place
