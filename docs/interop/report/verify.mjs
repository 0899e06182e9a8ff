// Checks reports by docs/formats.md section 17 alone: another language, other
// libraries, nothing shared with the Go program but that page.
//
//   node verify.mjs [--max-age SECONDS] TRUST ROLE ID... REPORT    checks one report
//   node verify.mjs --golden DIR                                   checks committed ones against their verdicts
//
// It knows targets, continuations, seals and quorums, and only numbers below 2^53. It
// does not check the shapes of rules, nor look into the values of fields beyond what a
// check or a filter reads.

import { readFileSync, readdirSync, existsSync } from "node:fs";
import { join } from "node:path";
import {
  Refuted, Unusable, ZERO, H, base64, canonical, commit, consistent, cosigned, inclusionRoot, indexLeaf, indexNode, indexRoot, indexValue, leafHash,
  openNote, parseContent, parseLeaf, parseState, rulesHash, same, vrf, vrfInput,
} from "./bytes.mjs";
import { passes, validFilter } from "./filter.mjs";
import { Name } from "./name.mjs";
import { parseTrust } from "./policy.mjs";
import { extend, parseRules } from "./rules.mjs";
import { checkSealedUnder } from "./seal.mjs";
import { attempt, identity, read, refute, roles, text } from "./shape.mjs";
import { checkNamed, checkTargets } from "./target.mjs";

const HEADER = "sharetrail/v1/report";

const ledgers = (trust) => [...trust.predecessors, trust];

export function checkReport(file, asked, pinned) {
  const cut = file.indexOf("\n===\n");
  if (cut < 0 || !file.subarray(0, cut).toString("utf8").startsWith(`${HEADER}\n`)) throw new Unusable("not a report");
  const note = file.toString("utf8", 0, cut + 1), doc = file.subarray(cut + 5);
  const signed = openNote(note, pinned.keys.report, true)?.text;
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
  const last = parts.at(-1), audited = chain.every((t) => t.policy.pinsAuditor), witnessed = chain.every((t) => t.policy.pinsWitness);
  checkAge(asked, last.seen ?? last.stateTime / 1000);
  return { ...verdict, witnessed, audited, complete: witnessed && audited, seen_at: last.seen, size: last.size, state_time_ms: last.stateTime, copy: last.e.copy ?? false, chain: parts.length > 1 ? parts.length : 0 };
}

class Part {
  constructor(e, trust, asked, verdict, lastPart, last) {
    Object.assign(this, { e, trust, asked, verdict, lastPart, last, in: last ? "" : ` of ${trust.origin}`, role: roles.indexOf(asked.role), sealedUnder: [] });
  }

  check() {
    this.checkRules();
    this.checkReader();
    this.checkCheckpoint();
    this.checkStates();
    this.checkCosignatures();
    this.checkEarlier();
    this.targets = checkTargets(this);
    this.checkNames();
    checkNamed(this);
    this.checkFilter();
    return this;
  }

  checkRules() {
    let before;
    for (const doc of this.e.rules) {
      const rules = parseRules(doc);
      if (before === undefined ? rules.previous !== null : !extend(rules, this.rules, before)) refute(`rules${this.in}`, "not the next version");
      [before, this.rules] = [doc, rules];
    }
  }

  checkReader() {
    let ids = this.asked.ids.map((id) => identity(this.rules, id));
    const own = identity(this.rules, `org:${this.trust.origin}`);
    if (this.asked.role === "controller" && this.last && ids.some((id) => id && id !== own)) refute("person", "no controller of this ledger");
    if (this.asked.role === "controller" && !this.last) ids = [own];
    if (this.last && ids.includes(undefined)) throw new Unusable("an identity that the rules cannot spell");
    if (this.asked.role === "authority" && ids.some((id) => id && !this.rules.authorities.includes(text(id)))) refute("person", "no authority of the rules");
    this.ids = [...new Set(ids.filter((id) => id))].sort((a, b) => (text(a) < text(b) ? -1 : 1));
    if (JSON.stringify(this.e.ids) !== JSON.stringify(this.ids.map(text)) || this.e.role !== this.asked.role ||
        this.e.copy !== this.lastPart.copy || this.e.copy && (this.e.filter || this.e.targets.length > 0)) refute("person", "somebody else's");
  }

  checkCheckpoint() {
    this.opened = this.openCheckpoint(this.e.checkpoint);
    if (!this.opened) refute(`checkpoint${this.in}`, "not signed");
    this.text = this.opened.text;
    [, this.size, this.root] = parseCheckpoint(this.text);
  }

  openCheckpoint(note) {
    const opened = openNote(note, this.trust.keys.log, false);
    return opened && parseCheckpoint(opened.text)?.[0] === this.trust.origin ? opened : undefined;
  }

  checkCosignatures() {
    const name = `cosignatures${this.in}`, { policy } = this.trust, times = cosigned(this.opened, policy.witnesses);
    if (!times) refute(name, "one is false");
    if (policy.wanted === "none") return;
    this.seen = policy.time(times);
    if (this.seen === undefined) refute(name, "the quorum is not met");
    if (this.stateTime > this.seen * 1000 + 999 + this.rules.grain_ms) refute(name, "the state is dated after them");
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
    if (l.timeMS >= 253402300800000) refute(name, "dated after the year 9999");
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
    const t = this.openCheckpoint(this.e.earlier.checkpoint)?.text, name = `earlier checkpoint${this.in}`;
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
    return attempt(name, () => parseContent(bytes));
  }

  // before says whether a target is a leaf before an entry's, and dated so.
  before(t, c) { return t.index < c.index && t.timeMS <= c.timeMS && t.timeMS >= this.genesisTime; }

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
    checkSealedUnder(this);
    const under = new Set(this.sealedUnder.map((s) => s.under));
    this.names.forEach((n, i) => {
      if (i >= this.ids.length && !led.has(n.id) && !under.has(n.id)) refute("alias", "nobody's alias leads there");
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

// The reader's clock and limit, in seconds.
function checkAge({ now, maxAge }, at) {
  if (maxAge !== undefined && (now - at > maxAge || at - now > 600)) refute("age", "older than the limit, or of a time to come");
}

function checkPrevious(parts, previous, verdict) {
  if (!previous) return;
  const part = parts.find((p) => p.openCheckpoint(previous));
  const kept = part?.openCheckpoint(previous).text;
  if (!kept || kept !== part.text && !verdict.extends.includes(kept)) refute("previous checkpoint", "not shown");
}

function golden(dir) {
  let wrong = 0, n = 0;
  for (const file of readdirSync(dir).filter((f) => f.endsWith(".sharetrail"))) {
    n++;
    const path = join(dir, file.slice(0, -".sharetrail".length)), want = JSON.parse(readFileSync(`${path}.json`, "utf8"));
    let got = {};
    try {
      const trust = parseTrust(readFileSync(existsSync(`${path}.trust.json`) ? `${path}.trust.json` : join(dir, "trust.json"), "utf8"));
      const v = checkReport(readFileSync(join(dir, file)), { role: want.role, ids: [want.id, ...(want.others ?? [])], previous: want.previous }, trust);
      const { witnessed, audited, size, state_time_ms, enrolled, copy, chain, filtered, entries } = v;
      got = { witnessed, audited, seen_at: v.seen_at ?? 0, size, state_time_ms, enrolled, copy, chain, filtered, entries };
    } catch (err) {
      if (err instanceof Refuted) got.refuted = err.check;
      else if (err instanceof Unusable) got.error = true;
      else throw err;
    }
    const expected = want.refuted ? { refuted: want.refuted } : want.error ? { error: true } : {
      witnessed: want.witnessed ?? false, audited: want.audited ?? false, seen_at: want.seen_at ?? 0, size: want.size,
      state_time_ms: want.state_time_ms, enrolled: want.enrolled ?? false, copy: want.copy ?? false, chain: want.chain ?? 0,
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
  const maxAge = args[0] === "--max-age" ? Number(args.splice(0, 2)[1]) : undefined;
  const [trust, role, ...ids] = args, report = ids.pop();
  try {
    const v = checkReport(readFileSync(report), { role, ids, maxAge, now: Date.now() / 1000 }, parseTrust(readFileSync(trust, "utf8")));
    console.log(JSON.stringify(v, undefined, 1));
    return 0;
  } catch (err) {
    console.error(err instanceof Refuted ? `REFUTED: ${err.check}: ${err.message}` : err.message);
    return err instanceof Refuted ? 1 : 2;
  }
}

process.exitCode = main(process.argv.slice(2));
