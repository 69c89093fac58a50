-- name: strategy_table
-- answers: How did the trials of each strategy do on train: the best, the middle, the worst?
-- grain: one row per workspace and strategy; trials and failed count all of them, the values those that have
--     the metric
-- columns: workspace, strategy, trials, failed, best_trial, best_value, median_value, worst_value, positive
-- parameters: metric VARCHAR = sharpe_ratio
with scored as (
    select
        trial.workspace,
        trial.strategy,
        trial.status,
        trial.trial_id,
        case when trial.status = 'ok' then score.value end as value
    from on_train as trial
    left join metrics as score
        on
            trial.workspace = score.workspace
            and trial.trial_id = score.trial_id
            and trial.period = score.period
            and score.name = $metric
),

ranked as (
    select
        *,
        row_number() over (
            partition by workspace, strategy
            order by value desc nulls last, length(trial_id) asc, trial_id asc
        ) as place
    from scored
)

select
    workspace,
    strategy,
    count(*) as trials,
    count(*) filter (where status = 'failed') as failed,
    min(trial_id) filter (where place = 1 and value is not null) as best_trial,
    max(value) as best_value,
    median(value) as median_value,
    min(value) as worst_value,
    count(*) filter (where value > 0) as positive
from ranked
group by workspace, strategy
order by workspace asc, best_value desc nulls last, strategy asc nulls last
