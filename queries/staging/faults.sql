-- name: faults
-- answers: What could not be read, where, and why?
-- grain: one row per unreadable line or file
-- columns: workspace, path, line, byte_offset, length, reason, excerpt
-- parameters: none
select
    workspace,
    path,
    line,
    byte_offset,
    length,
    reason,
    excerpt
from mirror.faults
