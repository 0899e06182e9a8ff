-- name: BindLedger :exec
INSERT INTO ledger (one, origin) VALUES (1, ?) ON CONFLICT DO NOTHING;

-- name: Ledger :one
SELECT origin FROM ledger;

-- name: Active :one
SELECT version FROM projection_active WHERE name = ?;

-- name: ActivateFirst :execrows
INSERT INTO projection_active (name, version, since_ms) VALUES (sqlc.arg(name), sqlc.arg(version), sqlc.arg(since_ms)) ON CONFLICT DO NOTHING;

-- name: ActivateNext :execrows
UPDATE projection_active SET version = sqlc.arg(version), since_ms = sqlc.arg(since_ms)
WHERE name = sqlc.arg(name) AND version = sqlc.arg(was);

-- name: AddVersion :exec
INSERT INTO projection_version (name, version, structure, created_ms) VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING;

-- name: Structure :one
SELECT structure FROM projection_version WHERE name = ? AND version = ?;

-- name: Versions :many
SELECT version FROM projection_version WHERE name = ? ORDER BY version;

-- name: RemoveVersion :execrows
DELETE FROM projection_version WHERE projection_version.name = sqlc.arg(name) AND projection_version.version = sqlc.arg(version)
	AND NOT EXISTS (SELECT 1 FROM projection_active a WHERE a.name = sqlc.arg(name) AND a.version = sqlc.arg(version));
