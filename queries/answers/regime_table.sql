-- name: regime_table
-- answers: How many bars and unbroken stretches has each regime, and how long do they last?
-- grain: one row per workspace, basis and regime (null: bars before the first label)
-- columns: workspace, basis, regime, bars, episodes, mean_bars, first_bar, last_bar
-- parameters: none
with turned as (
    select
        workspace,
        basis,
        regime,
        timestamp,
        row_number() over (partition by workspace, basis order by timestamp) as bar,
        lag(regime) over (partition by workspace, basis order by timestamp) as previous
    from regimes
)

select
    workspace,
    basis,
    regime,
    count(*) as bars,
    count(*) filter (where bar = 1 or regime is distinct from previous) as episodes,
    count(*) / count(*) filter (where bar = 1 or regime is distinct from previous) as mean_bars,
    min(timestamp) as first_bar,
    max(timestamp) as last_bar
from turned
group by workspace, basis, regime
order by workspace asc, basis asc, regime asc nulls first
