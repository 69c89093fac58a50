-- name: best_neighbours
-- answers: Does each strategy's best trial stand on a plateau: how do trials do that differ in one parameter?
-- grain: one row per workspace, strategy and trial with the best one's parameters but for one value
-- columns: workspace, strategy, best_trial, best_value, name, best_setting, trial_id, setting, value, change
-- parameters: metric VARCHAR = sharpe_ratio
with scored as (
    select
        trial.workspace,
        trial.trial_id,
        trial.strategy,
        score.value,
        row_number() over (
            partition by trial.workspace, trial.strategy
            order by score.value desc, length(trial.trial_id) asc, trial.trial_id asc
        ) as place
    from on_train as trial
    inner join metrics as score
        on
            trial.workspace = score.workspace
            and trial.trial_id = score.trial_id
            and trial.period = score.period
    where trial.status = 'ok' and score.name = $metric and score.value is not null
),

setting as (
    select
        workspace,
        trial_id,
        name,
        cast(value as varchar) as written,
        coalesce(
            cast(try_cast(cast(value as varchar) as double) as varchar), cast(value as varchar)
        ) as canonical,
        count(*) over (partition by workspace, trial_id) as names
    from parameters
),

compared as (
    select
        best.workspace,
        best.strategy,
        best.trial_id as best_trial,
        best.value as best_value,
        near.trial_id,
        near.value,
        ours.name,
        ours.written as best_setting,
        theirs.written as setting,
        ours.names,
        ours.canonical <> theirs.canonical as is_different,
        count(*) over (partition by best.workspace, best.trial_id, near.trial_id) as shared,
        count(*) filter (where ours.canonical <> theirs.canonical) over (
            partition by best.workspace, best.trial_id, near.trial_id
        ) as different
    from scored as best
    inner join scored as near
        on
            best.workspace = near.workspace
            and best.strategy is not distinct from near.strategy
            and best.trial_id <> near.trial_id
    inner join setting as ours
        on best.workspace = ours.workspace and best.trial_id = ours.trial_id
    inner join setting as theirs
        on
            near.workspace = theirs.workspace
            and near.trial_id = theirs.trial_id
            and ours.name = theirs.name
            and ours.names = theirs.names
    where best.place = 1
)

select
    workspace,
    strategy,
    best_trial,
    best_value,
    name,
    best_setting,
    trial_id,
    setting,
    value,
    value - best_value as change
from compared
where different = 1 and shared = names and is_different
order by
    workspace asc,
    strategy asc nulls last,
    name asc,
    try_cast(setting as double) asc nulls last,
    setting asc,
    length(trial_id) asc,
    trial_id asc
