// Trust files and their policies: section 16 of docs/formats.md, with the keys and the
// cosignatures of section 15.

import { H, Unusable, ZERO, base64, canonical, hex, isPoint, same } from "./bytes.mjs";

const no = (found) => { throw new Unusable(`trust file: ${found}`); };
const members = ["suite", "origin", "log", "policy", "vrf", "genesis", "report", "predecessors"];
const bytes32 = (text, what) => { const b = base64(text); return b?.length === 32 ? b : no(what); };

// parseTrust reads a trust file; text is its canonical form.
export function parseTrust(file) {
  let t;
  try { t = JSON.parse(file); } catch { no("not JSON"); }
  const text = file.replace(/("(?:[^"\\]|\\.)*")|[ \t\r\n]+/g, "$1");
  canonical(text);
  if (t === null || typeof t !== "object" || Object.keys(t).join() !== members.join() || t.suite !== 1 || !Array.isArray(t.predecessors)) no("other members");
  if (!/^[!-*,-~]{1,255}$/.test(t.origin)) no("origin");
  const log = parseKey(t.log, 1), report = parseKey(t.report, 1), vrf = bytes32(t.vrf, "vrf");
  if (log.name !== t.origin || same(log.key, report.key) || same(vrf, ZERO) || !isPoint(vrf)) no("keys");
  const predecessors = t.predecessors.map(before);
  const origins = [...predecessors.map((p) => p.origin), t.origin];
  if (predecessors.length > 200 || new Set(origins).size !== origins.length) no("predecessors");
  return { ...t, text, vrf, keys: { log, report }, genesis: bytes32(t.genesis, "genesis"), predecessors, policy: new Policy(t.policy, t.log, [log, report]) };
}

function before(text) {
  const t = parseTrust(typeof text === "string" ? text : no("predecessors"));
  return t.text === text && t.predecessors.length === 0 ? t : no("predecessors");
}

// parseKey reads a verifier key of a type: 1 signs notes, 4 cosigns.
export function parseKey(vkey, type) {
  const [, name, id, encoded] = /^([^+\s\p{Cc}]+)\+([0-9a-f]{8})\+(.*)$/u.exec(vkey) ?? no("a key");
  const raw = base64(encoded);
  if (raw?.length !== 33 || raw[0] !== type || hex(H(Buffer.from(`${name}\n`), raw).subarray(0, 4)) !== id) no("a key");
  return { name, id, type, key: raw.subarray(1) };
}

class Policy {
  constructor(text, log, others) {
    this.witnesses = new Map();
    this.groups = new Map();
    if (typeof text !== "string" || Buffer.byteLength(text) > 65536 || !text.endsWith("\n")) no("policy");
    const lines = text.slice(0, -1).split("\n").map((l) => l.split(" ")), kinds = ["log", "witness", "group", "quorum"];
    if (lines.flat().some((f) => !/^[^\s\p{Cc}]+$/u.test(f)) || lines[0].join(" ") !== `log ${log}`) no("policy");
    const order = lines.map(([kind]) => kinds.indexOf(kind));
    if (order.some((k, i) => k < 0 || k < order[i - 1]) || order.filter((k) => k === 0).length !== 1 || order.indexOf(3) !== lines.length - 1) no("policy: its lines");
    this.taken = new Set();
    for (const [kind, ...fields] of lines.slice(1)) this[kind](...fields);
    const keys = [...others, ...this.witnesses.values()].map((k) => hex(k.key));
    if (new Set(keys).size !== keys.length || this.witnesses.size + this.groups.size > 128) no("policy: a key twice, or too many");
  }

  known(name) { return this.witnesses.has(name) || this.groups.has(name); }

  named(name) { if (name === "none" || this.known(name)) no(`policy: the name ${name}`); }

  witness(name, key, ...more) {
    this.named(name);
    if (!key || more.length > 0) no("policy: a witness");
    this.witnesses.set(name, parseKey(key, 4));
  }

  group(name, many, ...of) {
    this.named(name);
    for (const m of of) {
      if (!this.known(m) || this.taken.has(m)) no(`policy: the member ${m}`);
      this.taken.add(m);
    }
    const k = many === "all" ? of.length : many === "any" ? 1 : Number(many), spelled = k === of.length ? "all" : k === 1 ? "any" : String(k);
    if (of.length === 0 || !Number.isInteger(k) || k < 1 || k > of.length || spelled !== many) no("policy: how many");
    this.groups.set(name, { k, of });
  }

  quorum(name, ...more) {
    if (more.length > 0 || name !== "none" && !this.known(name)) no("policy: the quorum");
    this.wanted = name;
  }

  // time is that of what is met, by the times of cosignatures; undefined if it is not.
  time(times, name = this.wanted) {
    if (this.witnesses.has(name)) return times.get(name);
    const { k, of } = this.groups.get(name);
    return of.map((m) => this.time(times, m)).filter((t) => t !== undefined).sort((a, b) => b - a)[k - 1];
  }

  within(name) { return this.groups.get(name)?.of.flatMap((m) => (this.witnesses.has(m) ? [m] : this.within(m))) ?? []; }

  // metBy says whether the quorum is met when exactly those sign that are, or are not,
  // within a group.
  metBy(group, are) {
    const within = this.within(group), signed = [...this.witnesses.keys()].filter((w) => within.includes(w) === are);
    return this.wanted === "none" || this.time(new Map(signed.map((w) => [w, 1]))) !== undefined;
  }

  get pinsAuditor() { return !this.metBy("auditors", false); }

  get pinsWitness() { return !this.metBy("auditors", true); }
}
