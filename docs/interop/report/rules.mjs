// Rules documents, section 13.

import { Unusable, base64, canonical, rulesHash } from "./bytes.mjs";
import { identity } from "./shape.mjs";
import { types } from "./vocabulary.mjs";

const members = ["version", "previous", "unicode", "identities", "grain_ms", "width", "fields", "labels", "authorities", "publication", "cover"];
const within = (n, least, most) => Number.isSafeInteger(n) && n >= least && n <= most;
const begins = (list, all) => Array.isArray(list) && list.length <= all.length && list.every((v, i) => v === all[i]);
const sorted = (keys) => keys.every((k, i) => i === 0 || keys[i - 1] < k);

// parseRules reads a version, and refuses one that says what it could not check.
export function parseRules(doc) {
  const r = canonical(doc), keys = Object.keys(r ?? {});
  const ok = begins(keys, members) && keys.length >= members.length - 1 && within(r.version, 1, Number.MAX_SAFE_INTEGER) && previous(r) && r.unicode === "15.0.0" &&
    identities(r.identities) && within(r.grain_ms, 1, 86400000) && r.width === 16 && tables(r) && authorities(r) &&
    ["restricted", "public"].includes(r.publication) && (r.cover === undefined || r.publication === "public" && within(r.cover, 1, 256));
  if (!ok) throw new Unusable("rules that this program does not know how to check");
  return r;
}

const previous = (r) => (r.version === 1 ? r.previous === null : typeof r.previous === "string" && base64(r.previous)?.length === 32);

function identities(list) {
  return Array.isArray(list) && list.length > 0 && new Set(list.map((i) => i?.namespace)).size === list.length &&
    list.every((i) => Object.keys(i).join() === "namespace,case" && /^[a-z0-9.-]{1,63}$/.test(i.namespace) && ["preserve", "lower-ascii", "e164"].includes(i.case));
}

function tables({ fields, labels }) {
  const known = Object.keys(fields ?? {});
  return known.includes("DisclosureRecorded") && known.includes("Enrolled") && sorted(known) && Object.keys(labels ?? {}).join() === known.join() && known.every((t) => {
    const type = types.get(t);
    return type && begins(fields[t], type.groups) && (fields[t].length > 0 || type.groups.length === 0) &&
      begins(labels[t], type.roles) && labels[t].length >= Math.min(2, type.roles.length);
  });
}

function authorities(r) {
  const list = r.authorities;
  return Array.isArray(list) && list.length <= 512 && new Set(list).size === list.length && list.every((a) => identity(r, a)?.replace("\0", ":") === a) &&
    (list.length === 0 || r.fields.SealRecorded !== undefined && r.labels.Enrolled.includes("authority"));
}

// extend says whether a version only adds to the one before, whose document is given.
export function extend(rules, before, document) {
  const same = ["unicode", "identities", "grain_ms", "width", "authorities", "publication", "cover"];
  return rules.version === before.version + 1 && rules.previous === rulesHash(Buffer.from(document)).toString("base64") &&
    same.every((m) => JSON.stringify(rules[m]) === JSON.stringify(before[m])) &&
    ["fields", "labels"].every((table) => Object.keys(before[table]).every((t) => begins(before[table][t], rules[table][t] ?? [])));
}
