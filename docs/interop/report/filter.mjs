// Whom an event names, and the filters of docs/formats.md section 17.

import { terms, types } from "./vocabulary.mjs";

// recipients are those that an event names; of an onward share first who passed on.
export function recipients(c) {
  const of = (group, member) => c.fields.get(group)?.value.get(member);
  switch (c.type) {
    case "OnwardDisclosureReported": return [of("onward", "by"), of("recipient", "id")];
    case "RecipientsMerged": return [of("merger", "from"), of("merger", "into")];
    case "RelationshipChanged": return [of("relationship", "recipient")];
    case "SubprocessorAdded": return [of("engagement", "by"), of("recipient", "id")];
  }
  return c.fields.has("recipient") ? [of("recipient", "id")] : [];
}

// Filters.
const lists = ["recipients", "kinds", "reasons", "categories", "types"];

export function validFilter(f) {
  const day = (d) => d === undefined || /^\d{4}-\d\d-\d\d$/.test(d) && new Date(d).toISOString().slice(0, 10) === d;
  return f.version === 1 && Object.keys(f).length > 1 && day(f.since) && day(f.until) && !(f.since > f.until) &&
    lists.every((l) => !f[l] || f[l].length <= 100 && f[l].every((v, i) => v !== "" && (i === 0 || f[l][i - 1] < v))) &&
    [[f.kinds, terms.get("recipient.category")], [f.reasons, terms.get("reasons")], [f.types, [...types.keys()]]]
      .every(([given, known]) => !given || given.every((v) => known.includes(v)));
}

const judged = (c) => types.get(c.type).share || c.type === "OnwardDisclosureReported";
const dateGroup = (c) => ({ SeriesOpened: "series", PossibleDisclosureRecorded: "period", OnwardDisclosureReported: "onward" })[c.type] ?? "occurred";

export function reads(f, c) {
  if (!judged(c)) return [];
  return [...(f.since || f.until ? [dateGroup(c)] : []), ...(f.recipients || f.kinds ? ["recipient"] : []),
    ...(f.reasons ? ["reasons"] : []), ...(f.categories ? ["data"] : [])];
}

export function passes(f, record, all) {
  if (all.some((c) => c.continued)) return true;
  if (f.types && !f.types.includes(record.type)) return false;
  return !judged(record) || all.some((c) => judged(c) && holds(f, c));
}

function holds(f, c) {
  const value = (g) => c.fields.get(g).value;
  const one = (list, values) => !list || values.some((v) => list.includes(v));
  return inWindow(f, c) && (!f.recipients || one(f.recipients, [value("recipient").get("id")])) && (!f.kinds || one(f.kinds, [value("recipient").get("category")])) &&
    (!f.reasons || one(f.reasons, value("reasons"))) && (!f.categories || one(f.categories, value("data").get("categories")));
}

function inWindow(f, c) {
  if (!f.since && !f.until) return true;
  const g = c.fields.get(dateGroup(c)).value;
  let first, last;
  switch (dateGroup(c)) {
    case "series": [first] = days(g.get("first"), g.get("precision")); break;
    case "period": [first] = days(g.get("from"), "day"); [, last] = days(g.get("to"), "day"); break;
    default: [first, last] = days(g.get("at"), g.get("precision"));
  }
  return (!f.until || !first || first <= f.until) && (!f.since || !last || last >= f.since);
}

function days(time, precision) {
  const m = /^(\d{4}-\d\d)-(\d\d)T\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)$/.exec(time);
  const t = m && new Date(time);
  if (!t || Number.isNaN(t.getTime())) return [];
  const day = `${m[1]}-${m[2]}`, utc = t.toISOString().slice(0, 10);
  switch (precision) {
    case "day": return [day, day];
    case "month": return [`${m[1]}-01`, new Date(Date.UTC(+m[1].slice(0, 4), +m[1].slice(5), 0)).toISOString().slice(0, 10)];
    case undefined: case "instant": return day < utc ? [day, utc] : [utc, day];
  }
  return [];
}
