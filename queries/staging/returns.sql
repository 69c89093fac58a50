-- name: returns
-- answers: What did each series earn over each bar, net of cost?
-- grain: one row per workspace, series and bar
-- columns: workspace, series, timestamp, return
-- parameters: none
select
    workspace,
    series,
    timestamp,
    "return"
from mirror.returns
