// Seals: what an entry tells of a sealed record, and the register of an authority.
// Section 19 of docs/formats.md.

import { isDeepStrictEqual } from "node:util";
import { same } from "./bytes.mjs";
import { refute, text } from "./shape.mjs";
import { whole } from "./target.mjs";
import { types } from "./vocabulary.mjs";

const bodyAlone = 65535;
const neverSealed = ["Enrolled", "Closed", "SealRecorded", "DisclosureUnsealed", "EventUnsealed"];

export const unseals = (type) => type === "DisclosureUnsealed" || type === "EventUnsealed";

// tells is the record that an unsealing event has a copy of.
export function tells(check, rules, c) {
  const record = c.fields.get("record").value, type = record.get("type"), of = types.get(type);
  if (!of?.roles.some((r) => r === "subject" || r === "recipient") || neverSealed.includes(type)) refute(check, "such an event is never under seal");
  if ((c.type === "DisclosureUnsealed") !== (of.share && type !== "DisclosureAmended")) refute(check, "a record of the other type");
  return { type, fields: whole(check, rules, type, record.get("fields"))[1] };
}

// unsealed compares an entry with the sealed leaf it names.
export function unsealed(name, c) {
  const { part } = name, { content } = c, no = (found) => refute(c.name, found);
  if (part.e.copy || c.filtered) return;
  const slot = content.get(7) === bodyAlone ? undefined : content.get(7);
  const t = part.targets.find((t) => t.index === content.get(5) && t.slot === slot);
  if (!t || !same(t.h, content.get(6))) no("the sealed leaf is not shown");
  if (!part.before(t, c) || t.type !== "SealRecorded") no("it was not sealed before");
  t.named = true;
  const unsealing = c.fields.get("unsealing").value, kind = t.fields.get("step").value.get("kind"), order = t.fields.get("order")?.value;
  if (kind !== "supplemented" && (kind !== "sealed" || !order)) no("no step that puts a record under seal");
  if (!t.fields.has("record") || !same(t.fields.get("record").raw, c.fields.get("record").raw)) no("another record was sealed");
  if (unsealing.has("supplement") !== (kind === "supplemented")) no("a supplement, or none");
  if (kind === "sealed" && order.get("authority") !== unsealing.get("authority")) no("another authority");
  if (part.asked.role === "subject") dealtTo(name, c, t);
  else if (t.content) no("a recipient has no slot in what was sealed"); // whom the record names was compared when it was opened
}

// dealtTo: the sealed slot is this party's, or one's who is now an alias of it: that is
// known when every name was checked.
function dealtTo(name, c, t) {
  const s = t.content;
  if (s?.get(0) !== 4 || s.get(1) !== 1 || !isDeepStrictEqual(s.get(9), c.content.get(9))) refute(c.name, "dealt to another");
  const under = s.get(4).toString("utf8");
  if (under !== name.id) name.part.sealedUnder.push({ check: c.name, under, to: name.id });
}

export function checkSealedUnder(part) {
  for (const { check, under, to } of part.sealedUnder) {
    const last = part.names.find((n) => n.id === under)?.gens.at(-1);
    if (!last || last.closed || last.primary !== to) refute(check, "sealed under a name that is no alias of this one");
  }
}

// registered is one step in an authority's register.
export function registered(name, c) {
  const no = (found) => refute(c.name, found);
  if (c.filtered) return;
  const step = c.fields.get("step").value, kind = step.get("kind"), seal = step.get("seal");
  if (kind === "sealed") {
    if (!c.fields.has("record") || c.fields.get("order")?.value.get("authority") !== text(name.id)) no("under another authority's order");
    name.seals.set(c.id, c);
    return;
  }
  c.begun = name.seals.get(seal) ?? no("no seal of this register that goes on");
  if (kind === "lifted" && new Set(step.get("by")).size < 2) no("lifted by fewer than two");
  if (kind === "lifted" || kind === "lapsed") name.seals.delete(seal);
}
