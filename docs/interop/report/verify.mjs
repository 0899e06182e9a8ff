// Checks reports by docs/formats.md section 17 alone: another language, other
// libraries, nothing shared with the Go program but that page.
//
//   node verify.mjs TRUST ROLE ID... REPORT    checks one report
//   node verify.mjs --golden DIR               checks committed ones against their verdicts
//
// It knows only trust files without a quorum and numbers below 2^53, and does not
// look into the values of fields beyond what a check or a filter reads.

import { readFileSync, readdirSync, existsSync } from "node:fs";
import { join } from "node:path";
import {
  Refuted, Unusable, ZERO, H, absent, base64, bodyRoot, canonical, cbor, commit, commitEvent, consistent, entryLabel, fieldRoot, fieldsOf,
  inclusionRoot, indexLeaf, indexNode, indexRoot, indexValue, leafHash, openNote, opening, parseLeaf, parseState, rulesHash, same, vrf, vrfInput,
} from "./bytes.mjs";
import { terms, types } from "./vocabulary.mjs";

const HEADER = "sharetrail/v1/report";
const roles = ["", "subject", "recipient", "authority", "controller"];
const refute = (check, found) => { throw new Refuted(check, found); };
const attempt = (check, f) => { try { return f(); } catch (err) { if (err instanceof Refuted) throw err; return refute(check, err.message); } };

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
function read(shape, v) {
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

function parseTrust(text) {
  const t = canonical(JSON.stringify(JSON.parse(text)));
  if (t.suite !== 1 || t.policy !== `log ${t.log}\nquorum none\n`) throw new Unusable("a trust file of a kind this program does not know");
  return { ...t, text: JSON.stringify(t), vrf: base64(t.vrf), genesis: base64(t.genesis) };
}

const ledgers = (trust) => [...trust.predecessors.map(parseTrust), trust];

// Section 5, for what people here are called.
function identity(rules, text) {
  const i = text.indexOf(":"), rule = rules.identities.find((r) => r.namespace === text.slice(0, i));
  if (i < 0 || !rule) return undefined;
  let local = text.slice(i + 1).normalize("NFC");
  if (rule.case === "lower-ascii") local = local.replace(/[A-Z]/g, (c) => c.toLowerCase()).normalize("NFC");
  return local === "" ? undefined : `${rule.namespace}\0${local}`;
}
const text = (id) => id.replace("\0", ":");

export function checkReport(file, asked, pinned) {
  const cut = file.indexOf("\n===\n");
  if (cut < 0 || !file.subarray(0, cut).toString("utf8").startsWith(`${HEADER}\n`)) throw new Unusable("not a report");
  const note = file.toString("utf8", 0, cut + 1), doc = file.subarray(cut + 5);
  const signed = openNote(note, pinned.report, true);
  if (signed === undefined) refute("report signature", "not signed by the pinned key");
  if (signed !== `${HEADER}\n${pinned.origin}\n${H(doc).toString("base64")}\n`) refute("report signature", "another document");
  const r = read("document", canonical(new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(doc)));
  canonical(r.trust);
  if (r.trust !== pinned.text) refute("report signature", "other keys");
  const chain = ledgers(pinned);
  if (r.parts.length !== chain.length || r.parts.some((p, i) => p.origin !== chain[i].origin)) refute("report signature", "other ledgers");
  const verdict = { entries: [], filtered: 0, enrolled: false, extends: [] };
  const parts = r.parts.map((e, i) => new Part(e, chain[i], asked, verdict, r.parts.at(-1), i === chain.length - 1).check());
  checkChain(parts);
  checkPrevious(parts, asked.previous, verdict);
  const last = parts.at(-1);
  return { ...verdict, size: last.size, state_time_ms: last.stateTime, copy: last.e.copy ?? false, chain: parts.length > 1 ? parts.length : 0 };
}

class Part {
  constructor(e, trust, asked, verdict, lastPart, last) {
    Object.assign(this, { e, trust, asked, verdict, lastPart, last, in: last ? "" : ` of ${trust.origin}`, role: roles.indexOf(asked.role) });
  }

  check() {
    this.checkRules();
    this.checkReader();
    this.checkCheckpoint();
    this.checkStates();
    this.checkEarlier();
    if (this.e.targets.length > 0) throw new Unusable("targets are not known to this program");
    this.checkNames();
    this.checkFilter();
    return this;
  }

  checkRules() {
    let before;
    for (const doc of this.e.rules) {
      const rules = canonical(doc);
      if ((before === undefined) !== (rules.previous === null) || before && rules.previous !== rulesHash(before).toString("base64")) {
        refute(`rules${this.in}`, "not the next version");
      }
      [before, this.rules] = [Buffer.from(doc), rules];
    }
  }

  checkReader() {
    let ids = this.asked.ids.map((id) => identity(this.rules, id));
    if (this.asked.role === "controller") ids = [identity(this.rules, `org:${this.trust.origin}`)];
    if (this.last && ids.includes(undefined)) throw new Unusable("an identity that the rules cannot spell");
    this.ids = [...new Set(ids.filter((id) => id))].sort((a, b) => (text(a) < text(b) ? -1 : 1));
    if (JSON.stringify(this.e.ids) !== JSON.stringify(this.ids.map(text)) || this.e.role !== this.asked.role ||
        this.e.copy !== this.lastPart.copy || this.e.copy && this.e.filter) refute("person", "somebody else's");
  }

  checkCheckpoint() {
    this.text = this.openCheckpoint(this.e.checkpoint);
    if (!this.text) refute(`checkpoint${this.in}`, "not signed");
    [, this.size, this.root] = parseCheckpoint(this.text);
  }

  openCheckpoint(note) {
    const t = openNote(note, this.trust.log, false);
    return t !== undefined && parseCheckpoint(t)?.[0] === this.trust.origin ? t : undefined;
  }

  leaf(name, p) {
    const h = leafHash(p.leaf), root = inclusionRoot(p.index, this.size, h, p.inclusion);
    if (!root || !same(root, this.root)) refute(name, `leaf ${p.index} is not in the log`);
    return [attempt(name, () => parseLeaf(p.leaf)), h];
  }

  slotLeaf(name, p) {
    const [l, h] = this.leaf(name, p);
    if (l.kind !== 1 || p.slot >= l.slots.length) refute(name, "no such slot");
    if (l.timeMS < this.genesisTime || l.timeMS > this.stateTime) refute(name, "dated outside of the ledger");
    return [l, h];
  }

  stateLeaf(name, p, rules) {
    const [l] = this.leaf(name, p);
    if (l.kind !== 2) refute(name, "no state leaf");
    const s = attempt(name, () => parseState(l.ext));
    if (s.covered !== p.index || !same(s.vrf, this.trust.vrf) || !same(s.rules, rulesHash(Buffer.from(rules)))) refute(name, "another state");
    return [s, l.timeMS];
  }

  checkStates() {
    const g = `genesis${this.in}`, n = `state${this.in}`;
    [this.genesis, this.genesisTime] = this.stateLeaf(g, this.e.genesis, this.e.rules[0]);
    const empty = indexNode(ZERO, ZERO);
    if (this.e.genesis.index !== 0 || !same(leafHash(this.e.genesis.leaf), this.trust.genesis) || !same(this.genesis.root, empty) ||
        this.genesis.entries !== 0 || this.genesis.final && this.size > 1) refute(g, "another beginning");
    if (this.e.state.index !== this.size - 1) refute(n, "not the last leaf");
    [this.state, this.stateTime] = this.stateLeaf(n, this.e.state, this.e.rules.at(-1));
    if (this.stateTime < this.genesisTime) refute(n, "dated before leaf 0");
  }

  checkEarlier() {
    if (!this.e.earlier) return;
    const t = this.openCheckpoint(this.e.earlier.checkpoint), name = `earlier checkpoint${this.in}`;
    if (!t) refute(name, "not signed");
    const [, size, root] = parseCheckpoint(t);
    if (size === 0 || size > this.size || !consistent(size, this.size, root, this.root, this.e.earlier.proof)) refute(name, "history was rewritten");
    this.verdict.extends.push(t);
  }

  member(name, label, p, h) {
    const root = indexRoot(label, indexLeaf(label, indexValue(p.index, p.slot, h)), p.member ?? []);
    if (!root || !same(root, this.state.root)) refute(name, "the index leads elsewhere");
  }

  vrf(name, ctx, id, g, proof) {
    const out = vrf(this.trust.vrf, vrfInput(ctx, this.trust.origin, this.role, id, g), proof ?? Buffer.alloc(0));
    return out ?? refute(name, "another identity's label");
  }

  content(name, l, slot, o, bytes) {
    if (!same(commit("slot", o, bytes), l.slots[slot].commit)) refute(name, "the slot does not open");
    return attempt(name, () => cbor(bytes));
  }

  checkNames() {
    const { names } = this.e, led = new Set();
    if (names.length < this.ids.length) refute("person", "a name is missing");
    this.names = names.map((n, i) => {
      const id = identity(this.rules, n.id);
      if (!id || text(id) !== n.id || i < this.ids.length && id !== this.ids[i] ||
          i >= this.ids.length && (this.ids.includes(id) || i > this.ids.length && names[i - 1].id >= n.id)) refute("person", "another name");
      const name = new Name(this, id, `${i > 0 ? ` under ${n.id}` : ""}${this.in}`);
      name.check(n);
      for (const g of name.gens) if (g.primary) led.add(g.primary);
      return name;
    });
    this.names.forEach((n, i) => {
      if (i >= this.ids.length && !led.has(n.id)) refute("alias", "nobody's alias leads there");
      if (led.has(n.id) && (n.gens.length === 0 || n.gens.some((g) => g.primary && !g.closed))) refute("alias", "an alias leads to nothing");
      led.delete(n.id);
    });
    if (led.size > 0) refute("alias", "what an alias leads to is missing");
  }

  checkFilter() {
    const f = this.e.filter;
    if (!f) return;
    const name = `filter${this.in}`;
    if (!validFilter(f) || this.last && f.recipients?.some((r) => text(identity(this.rules, r) ?? "") !== r) || JSON.stringify(f) !== JSON.stringify(this.lastPart.filter)) refute(name, "not in the one form");
    for (const n of this.names) {
      const records = new Map();
      for (const e of n.entries) records.set(e.record, [...(records.get(e.record) ?? []), e]);
      for (const [record, all] of records) {
        const pass = passes(f, record, all);
        if (all.some((e) => e.filtered === pass)) refute(name, "it lies");
      }
    }
  }
}

class Name {
  constructor(part, id, where) { Object.assign(this, { part, id, where, gens: [], entries: [], at: new Map() }); }

  check(n) {
    if (this.part.e.copy) return this.checkCopy(n);
    let after = 0;
    n.generations.forEach((shown, g) => {
      const s = this.generation(g, shown, after);
      if (g > 0 && !this.gens[g - 1].closed) refute(`enrolment${s.where}`, "the one before goes on");
      if (g > 0 && this.gens[g - 1].gone && !s.erased) refute(`enrolment${this.gens[g - 1].where}`, "not opened, and not erased");
      after = s.closed?.index ?? s.index;
      this.gens.push(s);
    });
    const k = this.gens.length, last = this.gens.at(-1);
    if (last?.gone) refute(`enrolment${last.where}`, "not opened, and not erased");
    const want = k === 0 ? [["enrol", 0], ["close", 0], ["enrol", 1], ["enrol", 2]]
      : last.closed ? [["enrol", k], ["close", k], ["enrol", k + 1]] : [["close", k - 1], ["enrol", k], ["enrol", k + 1]];
    this.absences(`nothing left out${this.where}`, n.absences, want);
    if (k > 0) this.part.verdict.enrolled = true;
  }

  absences(name, shown, want, handle) {
    if (shown.length !== want.length) refute(name, "other absences");
    shown.forEach((a, i) => {
      if (a.label !== want[i][0] || a.number !== want[i][1] || handle && a.vrf) refute(name, "other absences");
      const label = handle ? entryLabel(handle, a.number) : this.part.vrf(name, a.label, this.id, a.number, a.vrf).label;
      if (!absent(this.part.state.root, label, a)) refute(name, `${a.label} ${a.number} is not absent`);
    });
  }

  generation(g, shown, after) {
    const p = this.part, where = `${g > 0 ? ` of sequence ${g + 1}` : ""}${this.where}`, s = { g, where };
    const enrolment = `enrolment${where}`, end = `end${where}`, e = shown.enrol, c = shown.close;
    if (shown.number !== g || !e) refute(enrolment, "out of order");
    if (c) {
      const out = p.vrf(end, "close", this.id, g, c.vrf), [l, h] = p.slotLeaf(end, c);
      const content = p.content(end, l, c.slot, out.opening, c.content);
      if (!same(l.slots[c.slot].label, out.label) || !exactly(content, 0, 1, 2, 8) || content.get(0) !== 3 || content.get(1) !== p.role ||
          content.get(2) !== g || ![1, 2].includes(content.get(8))) refute(end, "another end");
      p.member(end, out.label, c, h);
      s.closed = { index: c.index, reason: content.get(8) };
    }
    s.gone = s.closed?.reason === 2 && !e.opened; // erased later, together with the next one
    s.erased = s.closed?.reason === 1 || s.gone;
    const { erased } = s, { label } = p.vrf(enrolment, "enrol", this.id, g, e.vrf), [l, h] = p.slotLeaf(enrolment, e);
    if (!same(l.slots[e.slot].label, label) || erased !== !e.opened) refute(enrolment, "another slot, or opened although erased");
    p.member(enrolment, label, e, h);
    s.index = e.index;
    s.timeMS = l.timeMS;
    if (!erased) this.enrols(s, l, e);
    if (s.index <= after && after > 0 || s.closed && s.closed.index <= s.index) refute(enrolment, "out of order");
    if (erased || s.primary) {
      if (shown.entries.length + shown.absences.length > 0) refute(`entries${where}`, "nothing can stand there");
      return s;
    }
    this.sequence(s, shown.entries);
    const n = shown.entries.length;
    this.absences(`nothing left out${where}`, shown.absences, [0, 1, 3, 7].map((skip) => ["entry", n + skip]), s.handle);
    return s;
  }

  enrols(s, l, e) {
    const name = `enrolment${s.where}`, o = e.opened, p = this.part;
    if (!same(commitEvent(opening(o.seed, 0), o.event_id, o.type, p.e.stream), l.event)) refute(name, "another event");
    const c = p.content(name, l, e.slot, o.opening, o.content), id = c.get(4)?.toString("utf8");
    if (c.get(1) !== p.role || o.type !== "Enrolled" || c.get(2) !== s.g) refute(name, "another party");
    if (c.get(0) === 1 && exactly(c, 0, 1, 2, 3, 4) && id === this.id) s.handle = c.get(3);
    else if (c.get(0) === 5 && exactly(c, 0, 1, 2, 4) && id !== this.id && identity(p.rules, text(id)) === id) s.primary = id;
    else refute(name, "another party");
    if (!same(bodyRoot(o.seed, p.rules.width, []), l.body)) refute(name, "it carries facts");
  }

  sequence(s, shown) {
    let [last, lastTime] = [s.index, s.timeMS];
    const all = `entries${s.where}`, p = this.part;
    shown.forEach((e, i) => {
      const name = `entry ${i + 1}${s.where}`;
      if (e.number !== i) refute(name, "not the next one");
      const [l, h] = p.slotLeaf(name, e), label = entryLabel(s.handle, i);
      if (!same(l.slots[e.slot].label, label)) refute(name, "another label");
      p.member(name, label, e, h);
      const c = this.open(name, e, l, h);
      if (e.index <= last || l.timeMS < lastTime) refute(all, "out of order");
      [last, lastTime] = [e.index, l.timeMS];
      const closes = s.closed?.index === e.index;
      if (closes !== (e.type === "Closed") || closes && i < shown.length - 1 || s.closed && e.index > s.closed.index) refute(all, "not where it was closed");
      this.take(c);
    });
    if (s.closed && (p.rules.labels.Closed ?? []).includes(p.asked.role) && shown.at(-1)?.index !== s.closed.index) refute(all, "the end is no entry");
  }

  open(name, e, l, h) {
    const p = this.part, c = { name, e, h, timeMS: l.timeMS, filtered: !e.seed, type: types.get(e.type), versions: 0 };
    if (e.type === "Enrolled" || !(p.rules.labels[e.type] ?? []).includes(p.asked.role)) refute(name, "the rules give no such entry");
    if (!e.seed !== !!e.event || !e.opening !== !e.content || !e.seed && e.fields || e.seed && (!e.opening || e.shown)) refute(name, "half open");
    if (e.opening) {
      c.content = p.content(name, l, e.slot, e.opening, e.content);
      const keys = [0, 1, 2, 4, ...(c.content.has(5) ? [5, 6] : []), ...(c.content.has(9) ? [9] : [])];
      if (!exactly(c.content, ...keys) || c.content.get(0) !== 2 || c.content.get(1) !== p.role || c.content.get(2) !== e.number ||
          c.content.get(4).toString("utf8") !== this.id) refute(name, "another party's entry");
    }
    if (!same(commitEvent(e.event ?? opening(e.seed, 0), e.event_id, e.type, p.e.stream), l.event)) refute(name, "another event");
    const numbers = p.rules.fields[e.type];
    if (e.seed) {
      const fields = attempt(name, () => fieldsOf(e.fields)), root = bodyRoot(e.seed, p.rules.width, fields);
      if (!root || !same(root, l.body) || fields.some((f) => numbers[f.number] !== f.name)) refute(name, "other fields");
      c.fields = new Map(fields.map((f) => [f.name, f]));
      if (c.type.always.some((g) => !c.fields.has(g))) refute(name, "it lacks fields");
      const who = recipients(c);
      if (p.asked.role === "recipient" && who.length > 0 && !who.includes(text(this.id))) refute(name, "another recipient");
      return c;
    }
    const f = p.e.filter;
    if (!f) refute(name, "closed without a filter");
    c.fields = new Map();
    let before = -1;
    for (const s of e.shown ?? []) {
      const field = { number: s.number, name: s.name, raw: s.value, value: attempt(name, () => cbor(s.value)) }, root = fieldRoot(field, s.opening, s.path);
      if (1 << s.path.length !== p.rules.width || !root || !same(root, l.body) || numbers[s.number] !== s.name || s.number <= before) refute(name, "another field");
      before = s.number;
      c.fields.set(s.name, field);
    }
    if (JSON.stringify([...c.fields.keys()].sort()) !== JSON.stringify(reads(f, c).sort()) || !!c.content !== c.type.about.length > 0) {
      refute(name, "it opens more or less than the filter reads");
    }
    return c;
  }

  take(c) {
    this.about(c);
    c.record = c.target ? c.target.record : c;
    this.entries.push(c);
    this.at.set(c.e.index, c);
    const v = this.part.verdict;
    if (c.filtered) {
      v.filtered++;
      return;
    }
    c.position = v.entries.length;
    v.entries.push({ Number: c.position, Index: c.e.index, ID: c.e.event_id, TimeMS: c.timeMS, About: c.target && !c.target.filtered ? c.target.position : undefined });
  }

  about(c) {
    const of = c.type.about, index = c.content?.get(5);
    const joins = c.content && (c.e.type === "SubjectsAdded" && this.part.asked.role === "subject" || c.e.type === "OnwardDisclosureReported" &&
      this.part.asked.role === "recipient" && (c.filtered || recipients(c)[1] === text(this.id)));
    if (index === undefined) {
      if (of.length > 0 && !joins) refute(c.name, "about nothing");
      return;
    }
    const t = this.at.get(index);
    if (!t || !of.includes(t.e.type) || !same(t.h, c.content.get(6))) refute(c.name, "about something else");
    c.target = t;
    if (c.filtered || t.filtered) return;
    if (c.e.type === "DisclosureAmended") {
      const a = c.fields.get("amendment").value, was = t.newest ?? t.fields;
      const differ = [...new Set([...was.keys(), ...c.fields.keys()])].filter((g) => !["extent", "amendment"].includes(g))
        .filter((g) => !was.has(g) || !c.fields.has(g) || !same(was.get(g).raw, c.fields.get(g).raw)).sort();
      if (a.get("version") !== ++t.versions || recipients(t)[0] !== recipients(c)[0] || JSON.stringify(a.get("changed")) !== JSON.stringify(differ)) {
        refute(c.name, "no amendment of it");
      }
      t.newest = c.fields;
    }
    if (c.e.type === "OnwardDisclosureReported" && recipients(c)[0] !== recipients(t)[0]) refute(c.name, "passed on by another");
  }

  checkCopy(n) {
    if (n.absences.length > 0) refute("copy", "it proves more than it says");
    let last = 0;
    n.generations.forEach((g, i) => {
      if (g.enrol || g.close || g.absences.length > 0 || g.entries.length === 0 || i > 0 && g.number <= n.generations[i - 1].number) {
        refute("copy", "it proves more than it says");
      }
      g.entries.forEach((e, k) => {
        const name = `entry ${e.number + 1}${g.number > 0 ? ` of sequence ${g.number + 1}` : ""}${this.where}`;
        if (e.member || !e.seed) refute(name, "not as a copy shows it");
        const [l, h] = this.part.slotLeaf(name, e);
        this.take(this.open(name, e, l, h));
        if (k > 0 && e.number <= g.entries[k - 1].number || e.index <= last) refute(`entries${this.where}`, "out of order");
        last = e.index;
      });
    });
    if (n.generations.length > 0) this.part.verdict.enrolled = true;
  }
}

const exactly = (map, ...keys) => map instanceof Map && map.size === keys.length && keys.every((k) => map.has(k));

// recipients are those that an event names; of an onward share first who passed on.
function recipients(c) {
  const of = (group, member) => c.fields.get(group)?.value.get(member);
  switch (c.e.type) {
    case "OnwardDisclosureReported": return [of("onward", "by"), of("recipient", "id")];
    case "RecipientsMerged": return [of("merger", "from"), of("merger", "into")];
    case "RelationshipChanged": return [of("relationship", "recipient")];
    case "SubprocessorAdded": return [of("engagement", "by"), of("recipient", "id")];
  }
  return c.fields.has("recipient") ? [of("recipient", "id")] : [];
}

// Filters.
const lists = ["recipients", "kinds", "reasons", "categories", "types"];

function validFilter(f) {
  const day = (d) => d === undefined || /^\d{4}-\d\d-\d\d$/.test(d) && new Date(d).toISOString().slice(0, 10) === d;
  return f.version === 1 && Object.keys(f).length > 1 && day(f.since) && day(f.until) && !(f.since > f.until) &&
    lists.every((l) => !f[l] || f[l].length <= 100 && f[l].every((v, i) => v !== "" && (i === 0 || f[l][i - 1] < v))) &&
    [[f.kinds, terms.get("recipient.category")], [f.reasons, terms.get("reasons")], [f.types, [...types.keys()]]]
      .every(([given, known]) => !given || given.every((v) => known.includes(v)));
}

const judged = (c) => c.type.share || c.e.type === "OnwardDisclosureReported";
const dateGroup = (c) => ({ SeriesOpened: "series", PossibleDisclosureRecorded: "period", OnwardDisclosureReported: "onward" })[c.e.type] ?? "occurred";

function reads(f, c) {
  if (!judged(c)) return [];
  return [...(f.since || f.until ? [dateGroup(c)] : []), ...(f.recipients || f.kinds ? ["recipient"] : []),
    ...(f.reasons ? ["reasons"] : []), ...(f.categories ? ["data"] : [])];
}

function passes(f, record, all) {
  if (f.types && !f.types.includes(record.e.type)) return false;
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

function parseCheckpoint(t) {
  const [origin, size, root, end, more] = t.split("\n"), raw = base64(root ?? "");
  if (end !== "" || more !== undefined || !/^(0|[1-9]\d{0,15})$/.test(size) || raw?.length !== 32) return undefined;
  return [origin, Number(size), raw];
}

function checkChain(parts) {
  if (parts[0].genesis.predecessor !== "") refute("chain", "it continues a ledger that is not pinned");
  parts.slice(1).forEach((next, i) => {
    const before = parts[i];
    if (!before.state.final || before.state.successor !== next.trust.origin || next.genesis.predecessor !== before.text ||
        next.genesisTime < before.stateTime) refute("chain", "broken");
  });
}

function checkPrevious(parts, previous, verdict) {
  if (!previous) return;
  const part = parts.find((p) => p.openCheckpoint(previous));
  const kept = part?.openCheckpoint(previous);
  if (!kept || kept !== part.text && !verdict.extends.includes(kept)) refute("previous checkpoint", "not shown");
}

function golden(dir) {
  let wrong = 0, n = 0;
  for (const file of readdirSync(dir).filter((f) => f.endsWith(".sharetrail"))) {
    n++;
    const path = join(dir, file.slice(0, -".sharetrail".length)), want = JSON.parse(readFileSync(`${path}.json`, "utf8"));
    const trust = parseTrust(readFileSync(existsSync(`${path}.trust.json`) ? `${path}.trust.json` : join(dir, "trust.json"), "utf8"));
    let got = {};
    try {
      const v = checkReport(readFileSync(join(dir, file)), { role: want.role, ids: [want.id, ...(want.others ?? [])], previous: want.previous }, trust);
      got = { size: v.size, state_time_ms: v.state_time_ms, enrolled: v.enrolled, copy: v.copy, chain: v.chain, filtered: v.filtered, entries: v.entries };
    } catch (err) {
      if (err instanceof Refuted) got.refuted = err.check;
      else if (err instanceof Unusable) got.error = true;
      else throw err;
    }
    const expected = want.refuted ? { refuted: want.refuted } : want.error ? { error: true } : {
      size: want.size, state_time_ms: want.state_time_ms, enrolled: want.enrolled ?? false, copy: want.copy ?? false, chain: want.chain ?? 0,
      filtered: want.filtered ?? 0, entries: (want.entries ?? []).map((e) => ({ Number: e.Number, Index: e.Index, ID: e.ID, TimeMS: e.TimeMS, About: e.About })),
    };
    const ok = JSON.stringify(got) === JSON.stringify(expected);
    if (!ok) wrong++;
    console.log(`${ok ? "ok" : "not ok"} ${file}${ok ? "" : `: ${JSON.stringify(got)}, not ${JSON.stringify(expected)}`}`);
  }
  console.log(`${n - wrong} of ${n} verdicts are those of docs/formats.md`);
  return wrong === 0 && n > 0 ? 0 : 1;
}

function main(args) {
  if (args[0] === "--golden") return golden(args[1]);
  const [trust, role, ...ids] = args, report = ids.pop();
  try {
    const v = checkReport(readFileSync(report), { role, ids }, parseTrust(readFileSync(trust, "utf8")));
    console.log(JSON.stringify(v, undefined, 1));
    return 0;
  } catch (err) {
    console.error(err instanceof Refuted ? `REFUTED: ${err.check}: ${err.message}` : err.message);
    return err instanceof Refuted ? 1 : 2;
  }
}

process.exitCode = main(process.argv.slice(2));
