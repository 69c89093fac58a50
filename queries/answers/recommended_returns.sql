-- name: recommended_returns
-- answers: What did the series that each workspace recommends earn per bar?
-- grain: one row per workspace and timestamp
-- columns: workspace, series, timestamp, return
-- parameters: none
with chosen as (
    select
        workspace,
        min(recommended) as recommended
    from ensemble_weights
    group by workspace
)

select
    returns.workspace,
    returns.series,
    returns.timestamp,
    returns.return
from returns
left join chosen on returns.workspace = chosen.workspace
where
    returns.series = case
        when chosen.recommended = 'equal' then 'equal_weight'
        when chosen.recommended is not null then chosen.recommended
        else 'best_single'
    end
order by returns.workspace asc, returns.timestamp asc, returns.return asc
