// One name of a part: its generations, its entries, and that nothing is left out. Steps
// 9 and 10 of docs/formats.md section 17.

import { absent, bodyRoot, cbor, commitEvent, entryLabel, fieldRoot, hex, opening, same } from "./bytes.mjs";
import { reads, recipients } from "./filter.mjs";
import { registered, tells, unsealed, unseals } from "./seal.mjs";
import { attempt, identity, refute, text } from "./shape.mjs";
import { aboutOf, continued, whole } from "./target.mjs";
import { terms, types } from "./vocabulary.mjs";

export class Name {
  constructor(part, id, where) { Object.assign(this, { part, id, where, gens: [], entries: [], at: new Map(), seals: new Map() }); }

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
      if (!(p.rules.labels.Closed ?? []).includes(p.asked.role)) refute(end, "registers do not end");
      if (!same(l.slots[c.slot].label, out.label) || content.get(0) !== 3 || content.get(1) !== p.role || content.get(2) !== g) refute(end, "another end");
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
    if (c.get(0) === 1 && id === this.id) s.handle = c.get(3);
    else if (c.get(0) === 5 && id !== this.id && identity(p.rules, text(id)) === id) s.primary = id;
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
    const p = this.part, type = p.asked.role === "authority" && e.type === "DisclosureRecorded" ? "SealRecorded" : e.type;
    const c = { name, e, h, id: e.event_id, index: e.index, at: e.index, timeMS: l.timeMS, filtered: !e.seed, type, versions: 0 };
    if (e.type === "Enrolled" || e.type === "SealRecorded" || !(p.rules.labels[type] ?? []).includes(p.asked.role)) refute(name, "the rules give no such entry");
    if (!e.seed !== !!e.event || !e.opening !== !e.content || !e.seed && e.fields || e.seed && (!e.opening || e.shown)) refute(name, "half open");
    if (e.opening) {
      c.content = p.content(name, l, e.slot, e.opening, e.content);
      const kind = unseals(type) ? 7 : type === "RecordContinued" ? 6 : 2;
      if (c.content.get(0) !== kind || c.content.get(1) !== p.role || c.content.get(2) !== e.number ||
          c.content.get(4).toString("utf8") !== this.id) refute(name, "another party's entry");
    }
    if (!same(commitEvent(e.event ?? opening(e.seed, 0), e.event_id, e.type, p.e.stream), l.event)) refute(name, "another event");
    if (e.seed) {
      const [fields, byName] = whole(name, p.rules, type, e.fields), root = bodyRoot(e.seed, p.rules.width, fields);
      if (!root || !same(root, l.body)) refute(name, "other fields");
      c.fields = byName;
      if (unseals(type)) c.told = tells(name, p.rules, c);
      const who = recipients(c.told ?? c);
      if (p.asked.role === "recipient" && who.length > 0 && !who.includes(text(this.id))) refute(name, "another recipient");
      if (type === "RecordContinued") continued(this, c);
      return c;
    }
    const f = p.e.filter, numbers = p.rules.fields[type];
    if (!f || type === "RecordContinued") refute(name, "closed without a filter, or whatever the filter");
    c.fields = new Map();
    let before = -1;
    for (const s of e.shown ?? []) {
      const field = { number: s.number, name: s.name, raw: s.value, value: attempt(name, () => cbor(s.value)) }, root = fieldRoot(field, s.opening, s.path);
      if (1 << s.path.length !== p.rules.width || !root || !same(root, l.body) || numbers[s.number] !== s.name || s.number <= before) refute(name, "another field");
      before = s.number;
      c.fields.set(s.name, field);
    }
    if (JSON.stringify([...c.fields.keys()].sort()) !== JSON.stringify(reads(f, c).sort()) || !!c.content !== types.get(c.type).about.length > 0) {
      refute(name, "it opens more or less than the filter reads");
    }
    return c;
  }

  take(c) {
    if (unseals(c.type)) unsealed(this, c);
    else c.about ??= c.continued ? undefined : aboutOf(c.content);
    if (c.type === "SealRecorded") registered(this, c);
    this.about(c);
    c.record = c.target ? c.target.record : c;
    this.entries.push(c);
    this.at.set(c.at, c);
    const v = this.part.verdict;
    if (c.filtered) {
      v.filtered++;
      return;
    }
    c.position = v.entries.length;
    const of = c.target ?? c.begun; // one that is filtered has no position
    v.entries.push({ Number: c.position, Index: c.index, ID: c.id, TimeMS: c.timeMS, About: of?.position });
  }

  about(c) {
    const of = types.get(c.type).about;
    const joins = c.content && (c.type === "SubjectsAdded" && this.part.asked.role === "subject" || c.type === "OnwardDisclosureReported" &&
      this.part.asked.role === "recipient" && (c.filtered || recipients(c)[1] === text(this.id)));
    if (!c.about) {
      if (of.length > 0 && !joins) refute(c.name, "about nothing");
      return;
    }
    const t = this.at.get(c.about.index), told = t?.told ?? t;
    if (!t || !of.includes(t.type) || hex(t.h) !== c.about.hash) refute(c.name, "about something else");
    c.target = t;
    if (c.filtered || t.filtered) return;
    if (c.type === "DisclosureAmended") {
      const a = c.fields.get("amendment").value, was = t.newest ?? told.fields;
      const differ = [...new Set([...was.keys(), ...c.fields.keys()])].filter((g) => terms.get("amendment.changed").includes(g))
        .filter((g) => !was.has(g) || !c.fields.has(g) || !same(was.get(g).raw, c.fields.get(g).raw)).sort();
      if (a.get("version") !== ++t.versions || recipients(told)[0] !== recipients(c)[0] || JSON.stringify(a.get("changed")) !== JSON.stringify(differ)) {
        refute(c.name, "no amendment of it");
      }
      t.newest = c.fields;
    }
    if (c.type === "OnwardDisclosureReported" && recipients(c)[0] !== recipients(told)[0]) refute(c.name, "passed on by another");
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
