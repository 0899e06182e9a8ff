-- name: Progress :one
SELECT next, turn FROM progress;

-- name: Advance :execrows
UPDATE progress SET next = @next, turn = turn + 1 WHERE next = @was AND turn = @turn;

-- name: Sequences :many
SELECT party, label, next FROM sequence WHERE label = ANY(@labels::bytea[]);

-- name: PutSequences :exec
INSERT INTO sequence (party, label, next)
SELECT unnest(@parties::bigint[]), unnest(@labels::bytea[]), unnest(@nexts::bigint[])
ON CONFLICT (party) DO UPDATE SET label = excluded.label, next = excluded.next;

-- name: Parked :many
SELECT party, leaf_index, class, since_ms FROM parked ORDER BY leaf_index, party;

-- name: ParkedParty :one
SELECT party, leaf_index, class, since_ms FROM parked WHERE party = @party;

-- name: Park :exec
INSERT INTO parked (party, leaf_index, class, since_ms) VALUES (@party, @leaf_index, @class, @since_ms)
ON CONFLICT (party) DO UPDATE SET leaf_index = excluded.leaf_index, class = excluded.class;

-- name: Unpark :exec
DELETE FROM parked WHERE party = ANY(@parties::bigint[]);

-- name: PutFacts :exec
INSERT INTO fact (leaf_index, event_id, event_type, recorded_ms, occurred_at, recipient_id, recipient, country, category, facts)
SELECT unnest(@leaf_indices::bigint[]), unnest(@event_ids::bytea[]), unnest(@event_types::text[]), unnest(@recorded_times::bigint[]),
	unnest(@occurred_ats::text[]), unnest(@recipient_ids::text[]), unnest(@recipients::text[]), unnest(@countries::text[]),
	unnest(@categories::text[]), unnest(@all_facts::text[])
ON CONFLICT DO NOTHING;

-- name: InsertEntries :copyfrom
INSERT INTO entry (party, number, leaf_index, record, about, kind, private)
VALUES (@party, @number, @leaf_index, @record, @about, @kind, @private);

-- name: Entries :many
SELECT e.party, e.number, e.leaf_index, e.record, e.about, e.private,
	f.event_id, f.event_type, f.recorded_ms, f.occurred_at, f.recipient_id, f.recipient, f.country, f.category, f.facts
FROM entry e JOIN fact f ON f.leaf_index = e.leaf_index
WHERE e.party = @party AND e.number >= @first AND (e.kind IS NULL OR @all_kinds::boolean) AND e.leaf_index <= @up_to
ORDER BY e.number LIMIT @most;

-- name: EntriesOfKind :many
SELECT e.party, e.number, e.leaf_index, e.record, e.about, e.private,
	f.event_id, f.event_type, f.recorded_ms, f.occurred_at, f.recipient_id, f.recipient, f.country, f.category, f.facts
FROM entry e JOIN fact f ON f.leaf_index = e.leaf_index
WHERE e.party = @party AND e.number >= @first AND e.kind = @kind::text AND e.leaf_index <= @up_to
ORDER BY e.number LIMIT @most;

-- name: Later :many
-- What is about the leaves from first to last, and what is about that again.
SELECT e.party, e.number, e.leaf_index, e.record, e.about, e.private,
	f.event_id, f.event_type, f.recorded_ms, f.occurred_at, f.recipient_id, f.recipient, f.country, f.category, f.facts
FROM entry e JOIN fact f ON f.leaf_index = e.leaf_index
WHERE e.party = @party AND e.about >= @first::bigint AND e.about <= @last::bigint AND e.leaf_index <= @up_to
UNION ALL
SELECT e.party, e.number, e.leaf_index, e.record, e.about, e.private,
	f.event_id, f.event_type, f.recorded_ms, f.occurred_at, f.recipient_id, f.recipient, f.country, f.category, f.facts
FROM entry t JOIN entry e ON e.party = t.party AND e.about = coalesce(t.record, t.leaf_index) JOIN fact f ON f.leaf_index = e.leaf_index
WHERE t.party = @party AND t.about >= @first::bigint AND t.about <= @last::bigint AND t.kind = 'later' AND e.leaf_index <= @up_to;

-- name: PutRecipients :exec
INSERT INTO recipient (party, digest, id, legal_name, address, contact, representative, country, category, role,
	first_index, last_index, described, first_ms, last_ms, shares, subjects)
SELECT unnest(@parties::bigint[]), unnest(@digests::bytea[]), unnest(@ids::text[]), unnest(@legal_names::text[]),
	unnest(@addresses::text[]), unnest(@contacts::text[]), unnest(@representatives::text[]), unnest(@countries::text[]),
	unnest(@categories::text[]), unnest(@roles::text[]), unnest(@first_indices::bigint[]), unnest(@last_indices::bigint[]),
	unnest(@described::bigint[]), unnest(@first_times::bigint[]), unnest(@last_times::bigint[]), unnest(@share_counts::bigint[]), unnest(@subject_counts::bigint[])
ON CONFLICT (party, digest) DO UPDATE SET
	first_index = least(recipient.first_index, excluded.first_index), last_index = greatest(recipient.last_index, excluded.last_index),
	described = greatest(recipient.described, excluded.described),
	first_ms = least(recipient.first_ms, excluded.first_ms), last_ms = greatest(recipient.last_ms, excluded.last_ms),
	shares = recipient.shares + excluded.shares, subjects = recipient.subjects + excluded.subjects;

-- name: Recipients :many
SELECT r.party, r.digest, r.id, r.legal_name, r.address, r.contact, r.representative, r.country, r.category, r.role,
	t.first_index::bigint AS first_index, t.last_index::bigint AS last_index, r.described, t.first_ms::bigint AS first_ms,
	t.last_ms::bigint AS last_ms, t.shares::bigint AS shares, t.subjects::bigint AS subjects
FROM recipient r JOIN (
	SELECT s.party, max(s.described) AS described, min(s.first_index) AS first_index, max(s.last_index) AS last_index, min(s.first_ms) AS first_ms,
		max(s.last_ms) AS last_ms, sum(s.shares) AS shares, sum(s.subjects) AS subjects
	FROM recipient s GROUP BY s.party) t ON t.party = r.party AND t.described = r.described
WHERE r.id > @after
	AND (r.country = @country::text OR @country::text = '')
	AND (r.category = @category::text OR @category::text = '')
ORDER BY r.id LIMIT @most;

-- name: Standing :many
SELECT e.party, e.number, e.leaf_index, e.record, e.about, e.private,
	f.event_id, f.event_type, f.recorded_ms, f.occurred_at, f.recipient_id, f.recipient, f.country, f.category, f.facts
FROM recipient r JOIN entry e ON e.party = r.party JOIN fact f ON f.leaf_index = e.leaf_index
WHERE r.id > @after AND r.id <= @last AND e.kind = 'standing';

-- name: Descriptions :many
SELECT * FROM recipient WHERE party = @party AND (described >= 0 OR shares > 0 OR subjects > 0) ORDER BY first_index;

-- name: Totals :many
SELECT country, category, count(DISTINCT party) AS recipients, sum(shares)::bigint AS shares, sum(subjects)::bigint AS subjects
FROM recipient WHERE shares > 0 OR subjects > 0 GROUP BY country, category ORDER BY country, category;
