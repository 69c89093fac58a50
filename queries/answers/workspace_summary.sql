-- name: workspace_summary
-- answers: What does each workspace hold, and what came out of it?
-- grain: one row per workspace
-- columns: workspace, name, created_at, phase, state, trials, failed, ensembles, best_trial,
--     best_strategy, best_sharpe_ratio, recommended, faults, bytes
-- parameters: none
with counted as (
    select
        workspace,
        count(distinct trial_id) filter (where kind = 'trial' and status = 'ok') as trials,
        count(distinct trial_id) filter (where kind = 'trial' and status = 'failed') as failed,
        count(distinct trial_id) filter (where kind = 'ensemble') as ensembles
    from performance
    group by workspace
),

best as (
    select
        workspace,
        trial_id,
        strategy,
        sharpe_ratio
    from performance
    where
        kind = 'trial'
        and status = 'ok'
        and period in ('train', 'all')
        and coalesce(trades, 1) > 0
        and sharpe_ratio is not null
    qualify
        row_number() over (
            partition by workspace
            order by
                sharpe_ratio desc,
                trades desc nulls last,
                max_drawdown desc nulls last,
                length(trial_id) asc,
                trial_id asc
        ) = 1
),

chosen as (
    select
        workspace,
        min(recommended) as recommended
    from ensemble_weights
    group by workspace
),

unread as (
    select
        workspace,
        count(*) as faults
    from faults
    group by workspace
)

select
    workspaces.workspace,
    workspaces.name,
    workspaces.created_at,
    workspaces.phase,
    workspaces.state,
    coalesce(counted.trials, 0) as trials,
    coalesce(counted.failed, 0) as failed,
    coalesce(counted.ensembles, 0) as ensembles,
    best.trial_id as best_trial,
    best.strategy as best_strategy,
    best.sharpe_ratio as best_sharpe_ratio,
    chosen.recommended,
    coalesce(unread.faults, 0) as faults,
    workspaces.bytes
from workspaces
left join counted on workspaces.workspace = counted.workspace
left join best on workspaces.workspace = best.workspace
left join chosen on workspaces.workspace = chosen.workspace
left join unread on workspaces.workspace = unread.workspace
order by workspaces.created_at asc nulls last, workspaces.workspace asc
