-- name: alike_trials
-- answers: Which trials are the same bet: whose returns, or positions, go together most?
-- grain: one row per workspace, kind (returns, positions) and pair of trials, the most alike first
-- columns: workspace, kind, trial_a, strategy_a, trial_b, strategy_b, correlation, bars
-- parameters: lowest DOUBLE = 0.9, most BIGINT = 50
with trial as (
    select distinct
        workspace,
        trial_id,
        strategy
    from performance
    where kind = 'trial'
),

ranked as (
    select
        pair.workspace,
        pair.kind,
        pair.trial_a,
        a.strategy as strategy_a,
        pair.trial_b,
        b.strategy as strategy_b,
        pair.correlation,
        pair.bars,
        row_number() over (
            order by
                pair.correlation desc,
                pair.workspace asc,
                pair.kind desc,
                length(pair.trial_a) asc,
                pair.trial_a asc,
                length(pair.trial_b) asc,
                pair.trial_b asc
        ) as place
    from correlations as pair
    left join trial as a on pair.workspace = a.workspace and pair.trial_a = a.trial_id
    left join trial as b on pair.workspace = b.workspace and pair.trial_b = b.trial_id
    where pair.trial_a <> pair.trial_b and pair.correlation >= $lowest
)

select * exclude (place)
from ranked
where place <= $most
order by place
