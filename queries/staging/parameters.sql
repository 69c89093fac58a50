-- name: parameters
-- answers: Which value has each parameter of each trial?
-- grain: one row per trial and parameter
-- columns: workspace, trial_id, name, value
-- parameters: none
select
    workspace,
    trial_id,
    name,
    cast(value as json) as value
from mirror.parameters
