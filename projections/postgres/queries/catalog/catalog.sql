-- name: BindLedger :exec
INSERT INTO ledger (one, origin) VALUES (1, @origin) ON CONFLICT DO NOTHING;

-- name: Ledger :one
SELECT origin FROM ledger;

-- name: Active :one
SELECT version FROM projection_active WHERE name = @name;

-- name: ActivateFirst :execrows
INSERT INTO projection_active (name, version, since_ms) VALUES (@name, @version, @since_ms) ON CONFLICT DO NOTHING;

-- name: ActivateNext :execrows
UPDATE projection_active SET version = @version, since_ms = @since_ms WHERE name = @name AND version = @was;

-- name: AddVersion :exec
INSERT INTO projection_version (name, version, structure, created_ms)
VALUES (@name, @version, @structure, @created_ms) ON CONFLICT DO NOTHING;

-- name: Structure :one
SELECT structure FROM projection_version WHERE name = @name AND version = @version;

-- name: Versions :many
SELECT version FROM projection_version WHERE name = @name ORDER BY version;

-- name: RemoveVersion :execrows
DELETE FROM projection_version v WHERE v.name = @name AND v.version = @version
	AND NOT EXISTS (SELECT 1 FROM projection_active a WHERE a.name = @name AND a.version = @version);
