-- name: regime_leaders
-- answers: Which trials had the best Sharpe ratio in each regime of the train period?
-- grain: one row per workspace, regime and trial; trials with too few bars or trades in it are left out
-- columns: workspace, regime, place, trial_id, strategy, parameters, sharpe_ratio, total_return,
--     max_drawdown, bars, episodes, trades
-- parameters: most BIGINT = 3, fewest_bars BIGINT = 1, fewest_trades BIGINT = 1
with trial as (
    select
        workspace,
        trial_id,
        parameters
    from on_train
    where status = 'ok'
),

ranked as (
    select
        part.workspace,
        part.regime,
        row_number() over (
            partition by part.workspace, part.regime
            order by
                part.sharpe_ratio desc,
                part.trades desc nulls last,
                length(part.trial_id) asc,
                part.trial_id asc
        ) as place,
        part.trial_id,
        part.strategy,
        trial.parameters,
        part.sharpe_ratio,
        part.total_return,
        part.max_drawdown,
        part.bars,
        part.episodes,
        part.trades
    from performance_by_regime as part
    inner join trial
        on part.workspace = trial.workspace and part.trial_id = trial.trial_id
    where
        part.sharpe_ratio is not null
        and coalesce(part.bars, $fewest_bars) >= $fewest_bars
        and coalesce(part.trades, $fewest_trades) >= $fewest_trades
)

select *
from ranked
where place <= $most
order by workspace, regime, place
