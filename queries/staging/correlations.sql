-- name: correlations
-- answers: How alike are two trials?
-- grain: one row per workspace, kind and pair of trials
-- columns: workspace, kind, trial_a, trial_b, correlation, bars
-- parameters: none
select
    workspace,
    kind,
    trial_a,
    trial_b,
    correlation,
    bars
from mirror.correlations
