-- name: regime_labels
-- answers: In which regime was each bar, and was that known at its close?
-- grain: one row per workspace and bar
-- columns: workspace, timestamp, regime, basis
-- parameters: none
select
    workspace,
    timestamp,
    regime,
    basis
from regimes
order by workspace, timestamp
