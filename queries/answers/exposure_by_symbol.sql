-- name: exposure_by_symbol
-- answers: In which symbols was each trial, for which share of its time, and how often did it turn?
-- grain: one row per workspace, trial and symbol; a signal holds until the next, HOLD keeps what was;
--     bought and sold are shares of the time from first to last signal, null where there is no time between
-- columns: workspace, trial_id, symbol, signals, turns, bought, sold, first_signal, last_signal
-- parameters: none
with standing as (
    select
        workspace,
        trial_id,
        symbol,
        timestamp,
        action,
        last_value(case when action <> 'HOLD' then action end ignore nulls) over (
            partition by workspace, trial_id, symbol
            order by timestamp, action, strength
            rows between unbounded preceding and current row
        ) as side,
        strength,
        lead(timestamp) over (
            partition by workspace, trial_id, symbol order by timestamp, action, strength
        ) as until
    from signals
),

turned as (
    select
        *,
        lag(side) over (
            partition by workspace, trial_id, symbol order by timestamp, action, strength
        ) as before,
        date_diff('second', timestamp, until) as seconds
    from standing
)

select
    workspace,
    trial_id,
    symbol,
    count(*) as signals,
    count(*) filter (where side is distinct from before) as turns,
    cast(sum(case when side = 'BUY' then seconds else 0 end) as bigint)
    / nullif(cast(sum(seconds) as bigint), 0) as bought,
    cast(sum(case when side = 'SELL' then seconds else 0 end) as bigint)
    / nullif(cast(sum(seconds) as bigint), 0) as sold,
    min(timestamp) as first_signal,
    max(timestamp) as last_signal
from turned
group by workspace, trial_id, symbol
order by workspace, length(trial_id), trial_id, symbol
