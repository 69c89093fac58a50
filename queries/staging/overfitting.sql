-- name: overfitting
-- answers: How likely is it that luck alone explains what was chosen?
-- grain: one row per workspace and subject
-- columns: workspace, subject, psr, dsr, trials_tried, effective_trials, min_track_record, pbo,
--     spa_p_value
-- parameters: none
select
    workspace,
    subject,
    psr,
    dsr,
    trials_tried,
    effective_trials,
    min_track_record,
    pbo,
    spa_p_value
from mirror.overfitting
