-- name: ensemble_weights
-- answers: Which share of capital has each member of the ensemble?
-- grain: one row per workspace and member
-- columns: workspace, member, strategy, weight, method, recommended
-- parameters: none
select
    workspace,
    member,
    strategy,
    weight,
    method,
    recommended
from mirror.ensemble_weights
