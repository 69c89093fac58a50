-- name: workspace_summary
-- answers: What does each workspace hold, and what came out of it?
-- grain: one row per workspace
-- columns: workspace, name, tags, created_at, phase, state, trials, failed, ensembles, best_trial,
--     best_strategy, best_sharpe_ratio, recommended, candidate, candidate_trial, train_sharpe_ratio,
--     select_sharpe_ratio, test_sharpe_ratio, dsr, pbo, looks, faults, bytes
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
    from on_train
    where
        status = 'ok'
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
        min(recommended) as recommended,
        count(*) as members
    from ensemble_weights
    group by workspace
),

-- The weight set that is recommended: the one chosen, or the one of equal weights.
weighted as (
    select
        parameters.workspace,
        parameters.trial_id
    from parameters
    inner join ensemble_weights
        on parameters.workspace = ensemble_weights.workspace and parameters.name = ensemble_weights.member
    inner join chosen on parameters.workspace = chosen.workspace
    where parameters.trial_id like 'ensemble_trial_%'
    group by parameters.workspace, parameters.trial_id, chosen.recommended, chosen.members
    having
        count(*) = chosen.members
        and max(
            abs(
                try_cast(parameters.value as double)
                - case
                    when chosen.recommended = 'equal' then 1.0 / chosen.members
                    else ensemble_weights.weight
                end
            )
        ) < 1e-9
    qualify
        row_number() over (
            partition by parameters.workspace
            order by length(parameters.trial_id) asc, parameters.trial_id asc
        ) = 1
),

candidates as (
    select
        workspaces.workspace,
        chosen.recommended,
        case
            when chosen.recommended = 'equal' then 'equal_weight'
            when chosen.recommended is not null then chosen.recommended
            when best.trial_id is not null then 'best_single'
        end as candidate,
        case when chosen.recommended is null then best.trial_id else weighted.trial_id end as trial_id
    from workspaces
    left join chosen on workspaces.workspace = chosen.workspace
    left join weighted on workspaces.workspace = weighted.workspace
    left join best on workspaces.workspace = best.workspace
),

fared as (
    select
        performance.workspace,
        coalesce(
            max(performance.sharpe_ratio) filter (where performance.period = 'train'),
            max(performance.sharpe_ratio) filter (where performance.period = 'all')
        ) as train,
        max(performance.sharpe_ratio) filter (where performance.period = 'select') as selected
    from performance
    inner join candidates
        on performance.workspace = candidates.workspace and performance.trial_id = candidates.trial_id
    group by performance.workspace
),

tested as (
    select
        validations.workspace,
        max(validations.sharpe_ratio) filter (where validations.candidate = candidates.candidate) as test,
        max(validations.looks) as looks
    from validations
    inner join candidates on validations.workspace = candidates.workspace
    group by validations.workspace
),

-- The odds of what is recommended, and of nothing else; overfitting is that of choosing at all.
judged as (
    select
        overfitting.workspace,
        max(overfitting.dsr) filter (
            where overfitting.subject in (candidates.candidate, candidates.trial_id)
        ) as dsr,
        coalesce(
            max(overfitting.pbo) filter (
                where overfitting.subject in (candidates.candidate, candidates.trial_id)
            ),
            max(overfitting.pbo)
        ) as pbo
    from overfitting
    inner join candidates on overfitting.workspace = candidates.workspace
    group by overfitting.workspace
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
    workspaces.tags,
    workspaces.created_at,
    workspaces.phase,
    workspaces.state,
    coalesce(counted.trials, 0) as trials,
    coalesce(counted.failed, 0) as failed,
    coalesce(counted.ensembles, 0) as ensembles,
    best.trial_id as best_trial,
    best.strategy as best_strategy,
    best.sharpe_ratio as best_sharpe_ratio,
    candidates.recommended,
    candidates.candidate,
    candidates.trial_id as candidate_trial,
    fared.train as train_sharpe_ratio,
    fared.selected as select_sharpe_ratio,
    tested.test as test_sharpe_ratio,
    judged.dsr,
    judged.pbo,
    tested.looks,
    coalesce(unread.faults, 0) as faults,
    workspaces.bytes
from workspaces
left join counted on workspaces.workspace = counted.workspace
left join best on workspaces.workspace = best.workspace
left join candidates on workspaces.workspace = candidates.workspace
left join fared on workspaces.workspace = fared.workspace
left join tested on workspaces.workspace = tested.workspace
left join judged on workspaces.workspace = judged.workspace
left join unread on workspaces.workspace = unread.workspace
order by workspaces.created_at asc nulls last, workspaces.workspace asc
