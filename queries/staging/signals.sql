-- name: signals
-- answers: Which signal was known when, for which symbol, by which trial?
-- grain: one row per signal
-- columns: workspace, trial_id, timestamp, symbol, action, strength, strategy, extra
-- parameters: none
select
    workspace,
    trial_id,
    timestamp,
    symbol,
    action,
    strength,
    strategy,
    cast(extra as json) as extra
from mirror.signals
