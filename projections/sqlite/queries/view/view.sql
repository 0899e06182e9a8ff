-- name: Progress :one
SELECT next, turn FROM progress;

-- name: Advance :execrows
UPDATE progress SET next = sqlc.arg(next), turn = turn + 1 WHERE next = sqlc.arg(was) AND turn = sqlc.arg(turn);

-- name: Parked :many
SELECT party, leaf_index, class, since_ms FROM parked ORDER BY leaf_index, party;

-- name: ParkedParty :one
SELECT party, leaf_index, class, since_ms FROM parked WHERE party = ?;

-- name: Park :exec
INSERT INTO parked (party, leaf_index, class, since_ms) VALUES (?, ?, ?, ?)
ON CONFLICT (party) DO UPDATE SET leaf_index = excluded.leaf_index, class = excluded.class;

-- name: Unpark :exec
DELETE FROM parked WHERE party = ?;

-- name: Entries :many
SELECT e.party, e.number, e.leaf_index, e.record, e.about, e.private,
	f.event_id, f.event_type, f.recorded_ms, f.occurred_at, f.recipient_id, f.recipient, f.country, f.category, f.facts
FROM entry e JOIN fact f ON f.leaf_index = e.leaf_index
WHERE e.party = sqlc.arg(party) AND e.number >= sqlc.arg(first) AND (e.kind IS NULL OR CAST(sqlc.arg(all_kinds) AS BOOLEAN)) AND e.leaf_index <= sqlc.arg(up_to)
ORDER BY e.number LIMIT sqlc.arg(most);

-- name: EntriesOfKind :many
SELECT e.party, e.number, e.leaf_index, e.record, e.about, e.private,
	f.event_id, f.event_type, f.recorded_ms, f.occurred_at, f.recipient_id, f.recipient, f.country, f.category, f.facts
FROM entry e INDEXED BY entry_kind JOIN fact f ON f.leaf_index = e.leaf_index
WHERE e.party = sqlc.arg(party) AND e.number >= sqlc.arg(first) AND e.kind = CAST(sqlc.arg(kind) AS TEXT) AND e.leaf_index <= sqlc.arg(up_to)
ORDER BY e.number LIMIT sqlc.arg(most);

-- name: Later :many
-- What is about the leaves from first to last, and what is about that again.
SELECT e.party, e.number, e.leaf_index, e.record, e.about, e.private,
	f.event_id, f.event_type, f.recorded_ms, f.occurred_at, f.recipient_id, f.recipient, f.country, f.category, f.facts
FROM entry e JOIN fact f ON f.leaf_index = e.leaf_index
WHERE e.party = sqlc.arg(party) AND e.about >= CAST(sqlc.arg(first) AS INTEGER) AND e.about <= CAST(sqlc.arg(last) AS INTEGER) AND e.leaf_index <= sqlc.arg(up_to)
UNION ALL
SELECT e.party, e.number, e.leaf_index, e.record, e.about, e.private,
	f.event_id, f.event_type, f.recorded_ms, f.occurred_at, f.recipient_id, f.recipient, f.country, f.category, f.facts
FROM entry t JOIN entry e INDEXED BY entry_about ON e.party = t.party AND e.about = coalesce(t.record, t.leaf_index) JOIN fact f ON f.leaf_index = e.leaf_index
WHERE t.party = sqlc.arg(party) AND t.about >= CAST(sqlc.arg(first) AS INTEGER) AND t.about <= CAST(sqlc.arg(last) AS INTEGER) AND t.kind = 'later' AND e.leaf_index <= sqlc.arg(up_to);

-- name: PutRecipient :exec
INSERT INTO recipient (party, digest, id, legal_name, address, contact, representative, country, category, role,
	first_index, last_index, described, first_ms, last_ms, shares, subjects)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (party, digest) DO UPDATE SET
	first_index = min(first_index, excluded.first_index), last_index = max(last_index, excluded.last_index),
	described = max(described, excluded.described),
	first_ms = min(first_ms, excluded.first_ms), last_ms = max(last_ms, excluded.last_ms),
	shares = shares + excluded.shares, subjects = subjects + excluded.subjects;

-- name: Recipients :many
SELECT r.party, r.digest, r.id, r.legal_name, r.address, r.contact, r.representative, r.country, r.category, r.role,
	CAST(t.first_index AS INTEGER) AS first_index, CAST(t.last_index AS INTEGER) AS last_index, r.described,
	CAST(t.first_ms AS INTEGER) AS first_ms, CAST(t.last_ms AS INTEGER) AS last_ms,
	CAST(t.shares AS INTEGER) AS shares, CAST(t.subjects AS INTEGER) AS subjects
FROM recipient r JOIN (
	SELECT s.party, max(s.described) AS described, min(s.first_index) AS first_index, max(s.last_index) AS last_index, min(s.first_ms) AS first_ms,
		max(s.last_ms) AS last_ms, sum(s.shares) AS shares, sum(s.subjects) AS subjects
	FROM recipient s GROUP BY s.party) t ON t.party = r.party AND t.described = r.described
WHERE r.id > sqlc.arg(after)
	AND (r.country = sqlc.arg(country) OR sqlc.arg(country) = '')
	AND (r.category = sqlc.arg(category) OR sqlc.arg(category) = '')
ORDER BY r.id LIMIT sqlc.arg(most);

-- name: Standing :many
SELECT e.party, e.number, e.leaf_index, e.record, e.about, e.private,
	f.event_id, f.event_type, f.recorded_ms, f.occurred_at, f.recipient_id, f.recipient, f.country, f.category, f.facts
FROM recipient r JOIN entry e INDEXED BY entry_kind ON e.party = r.party JOIN fact f ON f.leaf_index = e.leaf_index
WHERE r.id > sqlc.arg(after) AND r.id <= sqlc.arg(last) AND e.kind = 'standing';

-- name: Descriptions :many
SELECT * FROM recipient WHERE party = ? AND (described >= 0 OR shares > 0 OR subjects > 0) ORDER BY first_index;

-- name: Totals :many
SELECT country, category, count(DISTINCT party) AS recipients,
	CAST(sum(shares) AS INTEGER) AS shares, CAST(sum(subjects) AS INTEGER) AS subjects
FROM recipient WHERE shares > 0 OR subjects > 0 GROUP BY country, category ORDER BY country, category;
