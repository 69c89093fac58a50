-- name: files
-- answers: Which files are there, and what is each?
-- grain: one row per file
-- columns: workspace, kind, key, path, bytes, modified_at
-- parameters: none
select
    workspace,
    kind,
    key,
    path,
    bytes,
    modified_at
from mirror.files
