-- name: returns_by_regime
-- answers: What did each series earn over each bar, and in which regime known at the bar before?
-- grain: one row per workspace, series and bar
-- columns: workspace, series, timestamp, regime, return
-- parameters: none
with known as (
    select
        workspace,
        timestamp,
        lag(regime) over (partition by workspace order by timestamp) as regime
    from regimes
)

select
    returns.workspace,
    returns.series,
    returns.timestamp,
    known.regime,
    returns."return"
from returns
left join known
    on returns.workspace = known.workspace and returns.timestamp = known.timestamp
order by returns.workspace, length(returns.series), returns.series, returns.timestamp
