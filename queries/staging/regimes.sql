-- name: regimes
-- answers: Which regime was known at the close of each bar?
-- grain: one row per workspace and bar
-- columns: workspace, timestamp, regime, basis
-- parameters: none
select
    workspace,
    timestamp,
    regime,
    basis
from mirror.regimes
