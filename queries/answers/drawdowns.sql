-- name: drawdowns
-- answers: How deep did each series fall from its peak, for how long, and when was it back?
-- grain: one row per workspace, series and fall, the deepest first; recovered_at is null while it lasts,
--     peak_at where it began with the first bar; bars are those below the peak
-- columns: workspace, series, depth, peak_at, bottom_at, recovered_at, bars
-- parameters: most BIGINT = 10, deepest DOUBLE = -0.05
with compounded as (
    select
        workspace,
        series,
        timestamp,
        exp(
            sum(ln(nullif(greatest(1 + "return", 0), 0))) over (
                partition by workspace, series
                order by timestamp
                rows between unbounded preceding and current row
            )
        ) as wealth,
        min("return") over (
            partition by workspace, series
            order by timestamp
            rows between unbounded preceding and current row
        ) as worst
    from returns
),

kept as (
    select
        workspace,
        series,
        timestamp,
        case when worst <= -1 then 0 else coalesce(wealth, 1) end as wealth
    from compounded
),

peaked as (
    select
        *,
        greatest(
            1,
            max(wealth) over (
                partition by workspace, series
                order by timestamp
                rows between unbounded preceding and current row
            )
        ) as peak
    from kept
),

fallen as (
    select
        *,
        wealth / peak - 1 as fall,
        wealth / peak - 1 < -0.000000001 as is_below,
        count(*) filter (where wealth / peak - 1 >= -0.000000001) over (
            partition by workspace, series
            order by timestamp
            rows between unbounded preceding and current row
        ) as peaks
    from peaked
),

placed as (
    select
        *,
        min(timestamp) filter (where not is_below) over (partition by workspace, series, peaks) as peak_at,
        min(fall) over (partition by workspace, series, peaks) as depth
    from fallen
),

ended as (
    select
        workspace,
        series,
        peaks,
        min(depth) as depth,
        min(peak_at) as peak_at,
        min(timestamp) filter (where is_below and fall = depth) as bottom_at,
        count(*) filter (where is_below) as bars
    from placed
    group by workspace, series, peaks
),

recovered as (
    select
        *,
        lead(peak_at) over (partition by workspace, series order by peaks) as recovered_at,
        row_number() over (
            partition by workspace, series order by depth asc, peaks asc
        ) as place
    from ended
)

select
    workspace,
    series,
    depth,
    peak_at,
    bottom_at,
    recovered_at,
    bars
from recovered
where bars > 0 and place <= $most and depth <= $deepest
order by workspace asc, length(series) asc, series asc, place asc
