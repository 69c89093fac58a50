-- name: chosen_on_test
-- answers: What did the chosen candidates do on test, and did they beat buying and holding?
-- grain: one row per workspace and candidate, over the test period; looks counts how often that period has
--     been looked at, and from the second on its numbers are no longer a test
-- columns: workspace, candidate, total_return, sharpe_ratio, max_drawdown, trades, excess_return,
--     excess_sharpe, looks
-- parameters: none
select
    chosen.workspace,
    chosen.candidate,
    chosen.total_return,
    chosen.sharpe_ratio,
    chosen.max_drawdown,
    chosen.trades,
    chosen.total_return - held.total_return as excess_return,
    chosen.sharpe_ratio - held.sharpe_ratio as excess_sharpe,
    chosen.looks
from validations as chosen
left join validations as held
    on chosen.workspace = held.workspace and held.candidate = 'buy_and_hold'
order by chosen.workspace asc, chosen.sharpe_ratio desc nulls last, chosen.candidate asc
