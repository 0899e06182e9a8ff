// The shapes of docs/formats.md section 17, the identities of section 5, and the one
// way in which a check refutes.

import { Refuted, Unusable, ZERO, base64, same } from "./bytes.mjs";

export const roles = ["", "subject", "recipient", "authority", "controller"];
export const refute = (check, found) => { throw new Refuted(check, found); };
export const attempt = (check, f) => { try { return f(); } catch (err) { if (err instanceof Refuted) throw err; return refute(check, err.message); } };

// Shapes of section 17: members in order, "?" for those that may be left out. b is
// bytes, h a hash, p a path, n a number, s a text; [x] a list of x.
const shapes = {
  document: "trust:s parts:[part] statement:statement", statement: "generated_at:s notice:s",
  part: "origin:s stream:s role:s ids:[s] checkpoint:s ?earlier:earlier rules:[s] genesis:proven state:proven names:[name] targets:[target] ?filter:filter ?copy:t",
  earlier: "checkpoint:s proof:p", proven: "index:n leaf:b inclusion:p",
  name: "id:s generations:[generation] absences:[absence]",
  generation: "number:n ?enrol:enrol ?close:close entries:[entry] absences:[absence]",
  enrol: "vrf:b index:n leaf:b inclusion:p slot:n ?opened:opened member:p", opened: "opening:h content:b event_id:s type:s seed:h",
  close: "vrf:b index:n leaf:b inclusion:p slot:n content:b member:p",
  entry: "number:n index:n leaf:b inclusion:p slot:n ?member:p event_id:s type:s ?opening:h ?content:b ?seed:h ?fields:b ?event:h ?shown:[shown]",
  shown: "number:n name:s value:b opening:h path:p",
  target: "index:n leaf:b inclusion:p ?slot:n ?opening:h ?content:b event_id:s type:s seed:h fields:b",
  absence: "label:s number:n ?vrf:b kind:n ?beside:h ?value:h siblings:p",
  filter: "version:n ?since:s ?until:s ?recipients:[s] ?kinds:[s] ?reasons:[s] ?categories:[s] ?types:[s]",
};

// read gives a value of JSON the types of its shape, or says that it has another one.
export function read(shape, v) {
  const no = () => { throw new Unusable(`not a ${shape}`); };
  if (shape.startsWith("[")) return Array.isArray(v) ? v.map((x) => read(shape.slice(1, -1), x)) : no();
  switch (shape) {
    case "s": return typeof v === "string" ? v : no();
    case "t": return v === true ? v : no();
    case "n": return Number.isSafeInteger(v) && v >= 0 ? v : no();
    case "b": case "h": case "p": {
      const b = typeof v === "string" ? base64(v) : undefined;
      if (!b || shape === "h" && b.length !== 32 || shape === "p" && (b.length % 32 || b.length > 256 * 32)) return no();
      return shape === "p" ? Array.from({ length: b.length / 32 }, (_, i) => b.subarray(32 * i, 32 * i + 32)) : b;
    }
  }
  if (v === null || typeof v !== "object" || Array.isArray(v)) return no();
  const out = {}, keys = Object.keys(v);
  for (const member of shapes[shape].split(" ")) {
    const [name, of] = member.replace("?", "").split(":"), optional = member.startsWith("?");
    if (keys[0] !== name) {
      if (!optional) no();
      continue;
    }
    keys.shift();
    out[name] = read(of, v[name]);
    if (optional && (out[name].length === 0 || of === "h" && (name === "beside" || name === "value") && same(out[name], ZERO))) no();
  }
  return keys.length === 0 ? out : no();
}

// Section 5, for what people here are called.
export function identity(rules, text) {
  const i = text.indexOf(":"), rule = rules.identities.find((r) => r.namespace === text.slice(0, i));
  if (i < 0 || !rule) return undefined;
  let local = text.slice(i + 1).normalize("NFC");
  if (rule.case === "lower-ascii") local = local.replace(/[A-Z]/g, (c) => c.toLowerCase()).normalize("NFC");
  return local === "" ? undefined : `${rule.namespace}\0${local}`;
}
export const text = (id) => id.replace("\0", ":");
