-- name: on_train
-- answers: How did each trial do over the period that it was chosen on?
-- grain: one row per workspace and trial: over train, or over all where its document names no period
-- columns: workspace, trial_id, kind, period, status, strategy, parameters, total_return,
--     sharpe_ratio, max_drawdown, win_rate, trades, period_start, period_end, metrics, error
-- parameters: none
with train as (
    select
        workspace,
        trial_id,
        'all' as period
    from performance
    where period = 'train'
)

select performance.*
from performance
anti join train
    on
        performance.workspace = train.workspace
        and performance.trial_id = train.trial_id
        and performance.period = train.period
where performance.kind = 'trial' and performance.period in ('train', 'all')
