// Leaves that entries lead to and that no label of the party's stands in: headers of
// continued events, and sealed ones. Step 8 of docs/formats.md section 17, and what step 10 says of a
// RecordContinued.

import { bodyRoot, commitEvent, fieldsOf, hex, isUint, opening, same } from "./bytes.mjs";
import { attempt, refute } from "./shape.mjs";
import { types } from "./vocabulary.mjs";

// whole are the fields of an event's body, and the same by their names: those of the
// type under the rules' numbers, and all that such an event always has.
export function whole(check, rules, type, bytes) {
  const fields = attempt(check, () => fieldsOf(bytes)), numbers = rules.fields[type] ?? [], byName = new Map(fields.map((f) => [f.name, f]));
  if (!types.has(type) || fields.some((f) => numbers[f.number] !== f.name)) refute(check, "other fields");
  if (types.get(type).always.some((g) => !byName.has(g))) refute(check, "it lacks fields");
  return [fields, byName];
}

export const checkTargets = (part) => part.e.targets.map((t, i, all) => checkTarget(part, `referenced leaf${part.in}`, t, all[i - 1]));

function checkTarget(part, check, t, before) {
  const place = (t) => t.slot ?? -1;
  if (before && (t.index < before.index || t.index === before.index && place(t) <= place(before))) refute(check, "out of order");
  const [l, h] = part.leaf(check, t);
  if (l.kind !== 1) refute(check, "no entry");
  if (!same(commitEvent(opening(t.seed, 0), t.event_id, t.type, part.e.stream), l.event)) refute(check, "another event");
  const opened = t.slot !== undefined;
  if (opened !== !!t.opening || opened !== !!t.content || opened && t.slot >= l.slots.length) refute(check, "half open");
  const content = opened ? part.content(check, l, t.slot, t.opening, t.content) : undefined;
  const type = bodyType(check, t, content);
  const [fields, byName] = whole(check, part.rules, type, t.fields), root = bodyRoot(t.seed, part.rules.width, fields);
  if (!root || !same(root, l.body)) refute(check, "other fields");
  return { index: t.index, slot: t.slot, h, timeMS: l.timeMS, id: t.event_id, type, fields: byName, content, named: false };
}

// bodyType is the type of a target's fields. Where no slot is opened, the fields
// themselves say whether they are a step of a seal.
function bodyType(check, t, content) {
  if (t.type === "SealRecorded") refute(check, "never a type in clear");
  if (t.type !== "DisclosureRecorded") return t.type;
  const step = content ? content.get(0) === 4 || content.get(0) === 2 && content.get(1) === 3 : attempt(check, () => fieldsOf(t.fields))[0]?.name === "step";
  return step ? "SealRecorded" : t.type;
}

export function checkNamed(part) {
  if (part.targets.some((t) => !t.named)) refute(`referenced leaf${part.in}`, "no entry leads there");
}

// continued turns an entry in a RecordContinued into one of its header's event and
// leaf, about what the part says. Its place and time stay its own.
export function continued(name, c) {
  const { part } = name, role = part.asked.role, { content } = c;
  const t = part.targets.find((t) => t.index === content.get(5) && t.slot === undefined);
  if (!t || !same(t.h, content.get(6))) refute(c.name, "its header is not shown");
  if (!part.before(t, c) || !types.get(c.type).about.includes(t.type) || !(part.rules.labels[t.type] ?? []).includes(role) ||
      name.at.has(t.index)) refute(c.name, "no header of it");
  const [number, of, people] = ["number", "of", "people"].map((m) => c.fields.get("part").value.get(m)), extent = t.fields.get("extent")?.value;
  if (![number, of, people].every(isUint) || number < 1 || number > of || people < 1 || people > 512 ||
      extent && (extent.get("continuations") !== of || extent.get("subjects") < people)) refute(c.name, "no part of its header");
  t.named = true;
  const record = c.fields.get("record")?.value;
  Object.assign(c, { type: t.type, fields: t.fields, at: t.index, h: t.h, id: t.id, continued: true });
  c.about = record && { index: record.get("index"), hash: record.get("leaf_hash") };
}

// aboutOf is what the content of a slot leads to, in the same form.
export const aboutOf = (content) => content?.has(5) ? { index: content.get(5), hash: hex(content.get(6)) } : undefined;
