-- name: signal_counts
-- answers: How many signals of each action did each trial give, for how many symbols, from when to when?
-- grain: one row per workspace and trial
-- columns: workspace, trial_id, strategy, signals, buys, sells, holds, symbols, first_signal,
--     last_signal
-- parameters: none
select
    workspace,
    trial_id,
    min(strategy) as strategy,
    count(*) as signals,
    count(*) filter (where action = 'BUY') as buys,
    count(*) filter (where action = 'SELL') as sells,
    count(*) filter (where action = 'HOLD') as holds,
    count(distinct symbol) as symbols,
    min(timestamp) as first_signal,
    max(timestamp) as last_signal
from signals
group by workspace, trial_id
order by workspace, length(trial_id), trial_id
