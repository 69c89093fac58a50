-- name: returns_by_regime
-- answers: What did each series earn over each bar, and in which regime was the market before it?
-- grain: one row per workspace, series and bar
-- columns: workspace, series, timestamp, regime, return
-- parameters: none
with instant as (
    select
        workspace,
        timestamp,
        regime
    from regimes
    union all
    select distinct
        returns.workspace,
        returns.timestamp,
        cast(null as varchar) as regime
    from returns
    left join regimes
        on returns.workspace = regimes.workspace and returns.timestamp = regimes.timestamp
    where regimes.timestamp is null
),

known as (
    select
        workspace,
        timestamp,
        last_value(regime ignore nulls) over (
            partition by workspace
            order by timestamp
            rows between unbounded preceding and 1 preceding
        ) as regime
    from instant
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
