-- name: monthly_returns
-- answers: What did each series earn in each month, and since its first bar?
-- grain: one row per workspace, series and calendar month with bars
-- columns: workspace, series, month, bars, return, total_return
-- parameters: none
with compounded as (
    select
        workspace,
        series,
        timestamp,
        date_trunc('month', timestamp) as month,
        sum(ln(nullif(greatest(1 + "return", 0), 0))) over (
            partition by workspace, series, date_trunc('month', timestamp)
            order by timestamp
            rows between unbounded preceding and current row
        ) as in_month,
        sum(ln(nullif(greatest(1 + "return", 0), 0))) over (
            partition by workspace, series
            order by timestamp
            rows between unbounded preceding and current row
        ) as so_far,
        min("return") over (partition by workspace, series, date_trunc('month', timestamp)) as worst_in_month,
        min("return") over (
            partition by workspace, series
            order by timestamp
            rows between unbounded preceding and current row
        ) as worst_so_far,
        row_number() over (
            partition by workspace, series, date_trunc('month', timestamp) order by timestamp desc
        ) as place_from_last,
        count(*) over (partition by workspace, series, date_trunc('month', timestamp)) as bars
    from returns
)

select
    workspace,
    series,
    month,
    bars,
    case when worst_in_month <= -1 then -1 else exp(in_month) - 1 end as "return",
    case when worst_so_far <= -1 then -1 else exp(so_far) - 1 end as total_return
from compounded
where place_from_last = 1
order by workspace, length(series), series, month
