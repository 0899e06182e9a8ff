// The bytes of docs/formats.md: hashes, commitments, deterministic CBOR, canonical
// JSON, signed notes, the VRF. Section numbers are that page's.

import { createHash, createPublicKey, verify } from "node:crypto";
import { ristretto255, ristretto255_hasher } from "@noble/curves/ed25519.js";

export class Refuted extends Error { constructor(check, found) { super(found); this.check = check; } }
export class Unusable extends Error {}

const utf8 = (s) => Buffer.from(s, "utf8");
export const hex = (b) => b.toString("hex");
export const same = (a, b) => Buffer.compare(a, b) === 0;

// Section 1.
export const H = (...parts) => { const h = createHash("sha256"); for (const p of parts) h.update(p); return h.digest(); };
export const uint = (n, width) => { const b = Buffer.alloc(8); b.writeBigUInt64BE(BigInt(n)); return b.subarray(8 - width); };
const byte = (n) => Buffer.from([n]);
export const opaque = (x, width) => { const b = Buffer.isBuffer(x) ? x : utf8(x); return Buffer.concat([uint(b.length, width), b]); };
export const leafHash = (e) => H(byte(0), e);
export const node = (l, r) => H(byte(1), l, r);
export const ZERO = Buffer.alloc(32);

// Section 2.
export const commit = (ctx, opening, msg) => H(byte(0x10), opening, opaque(ctx, 1), opaque(msg, 4));
export const opening = (seed, x) => H(byte(0x11), seed, uint(x, 2));
export const commitEvent = (o, id, type, stream) =>
  commit("event", o, Buffer.concat([Buffer.from(id.replaceAll("-", ""), "hex"), opaque(type, 1), opaque(stream, 1)]));

// Section 3.
export const entryLabel = (h, i) => H(byte(0x12), h, uint(i, 8));

// Section 13.
export const rulesHash = (doc) => H(byte(0x15), doc);

// base64 with padding and no spare bits, else undefined.
export function base64(text) {
  const b = Buffer.from(text, "base64");
  return b.toString("base64") === text ? b : undefined;
}

// Section 1: there is one JSON text of a document. JSON.parse forgets doubled members
// and the spelling of numbers; writing again shows both.
export function canonical(text) {
  let doc;
  try { doc = JSON.parse(text); } catch { throw new Unusable("not JSON"); }
  const again = JSON.stringify(doc).replaceAll("\u2028", "\\u2028").replaceAll("\u2029", "\\u2029");
  if (again !== text) throw new Unusable("not canonical JSON");
  return doc;
}

// Deterministic CBOR: cbor(b) is the one value in b; at(b, i) is the value that begins
// at i, and where it ends. Maps come as Map.
export function cbor(b) {
  const [value, end] = at(b, 0, 0);
  if (end !== b.length) throw new Error("CBOR: something follows");
  return value;
}

export function at(b, i, depth) {
  if (i >= b.length || depth > 8) throw new Error("CBOR: cut or too deep");
  const major = b[i] >> 5, low = b[i] & 31;
  let n = BigInt(low);
  i++;
  if (low >= 24) {
    if (low > 27) {
      throw new Error("CBOR: no such length");
    }
    const width = 1 << (low - 24);
    if (i + width > b.length) throw new Error("CBOR: cut");
    n = BigInt("0x" + hex(b.subarray(i, i + width)));
    if (n < [24n, 1n << 8n, 1n << 16n, 1n << 32n][low - 24]) throw new Error("CBOR: not the shortest");
    i += width;
  }
  const size = Number(n);
  switch (major) {
    case 0: return [n <= Number.MAX_SAFE_INTEGER ? size : n, i];
    case 1: return [-1n - n, i];
    case 2: case 3: {
      if (i + size > b.length) throw new Error("CBOR: cut");
      const raw = b.subarray(i, i + size);
      if (major === 2) return [raw, i + size];
      return [new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(raw), i + size];
    }
    case 4: {
      const list = [];
      for (let k = 0; k < size; k++) {
        let v;
        [v, i] = at(b, i, depth + 1);
        list.push(v);
      }
      return [list, i];
    }
    case 5: {
      const map = new Map();
      let before;
      for (let k = 0; k < size; k++) {
        const start = i;
        let key, v;
        [key, i] = at(b, i, depth + 1);
        const spelled = b.subarray(start, i);
        if (before && Buffer.compare(before, spelled) >= 0) throw new Error("CBOR: keys out of order");
        before = spelled;
        [v, i] = at(b, i, depth + 1);
        map.set(key, v);
      }
      return [map, i];
    }
    case 7: if (low === 20 || low === 21) return [low === 21, i];
  }
  throw new Error("CBOR: a tag, a float or null");
}

// Section 8: the keys that a slot's content must have beside kind and role, by its
// kind, and those that it may have.
const contents = {
  1: [[2, 3, 4]], 2: [[2, 4], [2, 4, 5, 6], [2, 4, 9], [2, 4, 5, 6, 9]], 3: [[2, 8]], 4: [[4], [4, 9]], 5: [[2, 4]],
  6: [[2, 4, 5, 6], [2, 4, 5, 6, 9]], 7: [[2, 4, 5, 6, 7], [2, 4, 5, 6, 7, 9]],
};
export const isUint = (v) => typeof v === "number" || typeof v === "bigint" && v >= 0n;
const bytesOf = (v, least, most) => Buffer.isBuffer(v) && v.length >= least && v.length <= most;
const keyed = {
  3: (v) => bytesOf(v, 32, 32), 4: (v) => bytesOf(v, 1, 964), 6: (v) => bytesOf(v, 32, 32), 7: (v) => isUint(v) && v < 65536,
  8: (v) => v === 1 || v === 2, 9: (v) => v instanceof Map && v.size > 0,
};

export function parseContent(b) {
  const c = cbor(b), keys = c instanceof Map ? [...c.keys()].slice(2).join() : "";
  if (!contents[c.get?.(0)]?.some((k) => k.join() === keys) || ![1, 2, 3, 4].includes(c.get(1))) throw new Error("content");
  for (const [k, v] of c) if (!(keyed[k] ?? isUint)(v)) throw new Error("content");
  return c;
}

// Section 9: the fields of a body, each with the exact bytes of its value.
export function fieldsOf(b) {
  const all = cbor(b);
  if (!Array.isArray(all)) throw new Error("fields: no list");
  let [, i] = [0, b[0] < 0x98 ? 1 : 2];
  return all.map(([number, name, value], k) => {
    const [, end] = at(b, i, 1);
    const raw = b.subarray(i, end);
    i = end;
    let [, start] = at(raw, 1, 2); // behind the number
    [, start] = at(raw, start, 2); // behind the name
    if (k > 0 && number <= all[k - 1][0] || typeof name !== "string" || name === "") throw new Error("fields: out of order");
    return { number, name, value, raw: raw.subarray(start) };
  });
}

const fieldCommit = (f, o) => commit("field", o, Buffer.concat([uint(f.number, 2), opaque(f.name, 1), opaque(f.raw, 3)]));

export function bodyRoot(seed, width, fields) {
  let level = Array.from({ length: width }, (_, j) => {
    const f = fields.find((f) => f.number === j), o = opening(seed, j + 1);
    return leafHash(f ? fieldCommit(f, o) : commit("pad", o, uint(j, 2)));
  });
  while (level.length > 1) level = level.filter((_, i) => i % 2 === 0).map((l, i) => node(l, level[2 * i + 1]));
  return fields.every((f) => f.number < width) ? level[0] : undefined;
}

export function fieldRoot(f, o, path) {
  let h = leafHash(fieldCommit(f, o)), j = f.number;
  for (const s of path) [h, j] = [j % 2 ? node(s, h) : node(h, s), j >> 1];
  return j === 0 ? h : undefined;
}

// Section 6.
export function parseLeaf(b) {
  const slots = [];
  const n = b.readUInt16BE(106);
  for (let i = 108; i < 108 + n; i += 64) slots.push({ label: b.subarray(i, i + 32), commit: b.subarray(i + 32, i + 64) });
  const ext = b.subarray(110 + n);
  if (b[0] !== 1 || n % 64 || b.length !== 110 + n + b.readUInt16BE(108 + n)) throw new Error("leaf");
  const k = slots.length;
  const ok = { 1: k >= 2 && k <= 512 && (k & (k - 1)) === 0 && ext.length === 0, 2: k === 0, 3: k === 0 && ext.length === 0 }[b[1]];
  if (!ok) throw new Error("leaf");
  return { kind: b[1], timeMS: Number(b.readBigUInt64BE(2)), event: b.subarray(10, 42), body: b.subarray(42, 74), slots, ext };
}

// Section 7.
export function parseState(b) {
  const n = b.readUInt16BE(147), m = b[149 + n];
  if (b.readUInt16BE(0) !== 1 || b[2] > 1 || b.length !== 150 + n + m) throw new Error("state");
  return {
    final: b[2] === 1, covered: Number(b.readBigUInt64BE(3)), root: b.subarray(11, 43), entries: Number(b.readBigUInt64BE(43)),
    vrf: b.subarray(51, 83), rules: b.subarray(83, 115), predecessor: b.toString("utf8", 149, 149 + n), successor: b.toString("utf8", 150 + n),
  };
}

// RFC 6962: the root that a leaf and its audit path give, and a consistency proof.
export function inclusionRoot(index, size, h, path) {
  let [i, last] = [index, size - 1], used = 0;
  if (index >= size) return undefined;
  while (last > 0) {
    if (i % 2 === 1 || i === last) {
      if (i % 2 === 1) {
        if (used === path.length) return undefined;
        h = node(path[used++], h);
      }
    } else {
      if (used === path.length) return undefined;
      h = node(h, path[used++]);
    }
    [i, last] = [Math.floor(i / 2), Math.floor(last / 2)];
  }
  return used === path.length ? h : undefined;
}

export function consistent(m, n, old, now, proof) {
  if (m === n) return proof.length === 0 && same(old, now);
  let path = proof.slice(), i = m - 1, last = n - 1;
  while (i % 2 === 1) [i, last] = [Math.floor(i / 2), Math.floor(last / 2)];
  let a, b;
  if (i > 0) {
    if (path.length === 0) return false;
    a = b = path.shift();
  } else a = b = old;
  while (last > 0) {
    if (i % 2 === 1) {
      if (path.length === 0) return false;
      const s = path.shift();
      [a, b] = [node(s, a), node(s, b)];
    } else if (i < last) {
      if (path.length === 0) return false;
      b = node(b, path.shift());
    }
    [i, last] = [Math.floor(i / 2), Math.floor(last / 2)];
  }
  return path.length === 0 && same(a, old) && same(b, now);
}

// Section 14.
const bit = (label, d) => (label[d >> 3] >> (7 - (d % 8))) & 1;
export const indexLeaf = (label, value) => H(byte(2), label, value);
export const indexNode = (l, r) => H(byte(3), l, r);
export const indexValue = (index, slot, h) => H(byte(0x13), uint(index, 8), uint(slot, 2), h);

export function indexRoot(label, h, siblings) {
  const depth = siblings.length;
  if (depth < 1 || depth > 256 || depth > 1 && same(siblings[0], ZERO)) return undefined;
  siblings.forEach((s, i) => { h = bit(label, depth - 1 - i) ? indexNode(s, h) : indexNode(h, s); });
  return h;
}

export function absent(root, label, a) {
  const siblings = a.siblings;
  if (siblings.length > 255) return false;
  let h = ZERO;
  if (a.kind === 2) {
    if (same(a.beside, label)) return false;
    for (let d = 0; d < siblings.length; d++) if (bit(a.beside, d) !== bit(label, d)) return false;
    h = indexLeaf(a.beside, a.value);
  } else if (a.kind !== 1 || a.beside || a.value) return false;
  const got = indexRoot(label, h, siblings);
  return got !== undefined && same(got, root);
}

// Section 4.
export const vrfInput = (ctx, origin, role, id, g) =>
  Buffer.concat([opaque(`sharetrail/v1/${ctx}`, 1), opaque(origin, 1), byte(role), opaque(id, 2), uint(g, 8)]);

const sha512 = (...parts) => { const h = createHash("sha512"); for (const p of parts) h.update(p); return h.digest(); };
const suite = Buffer.concat([byte(0xff), utf8("c2sp.org/vrf-r255")]);
const order = 2n ** 252n + 27742317777372353535851937790883648493n;
const little = (b) => BigInt("0x" + (hex(Buffer.from(b).reverse()) || "0"));
const Point = ristretto255.Point;
const times = (p, n) => (n === 0n ? Point.ZERO : p.multiply(n));

// vrf returns the label and the opening that a proof gives, or undefined.
export function vrf(key, input, proof) {
  try {
    if (proof.length !== 80 || same(key, ZERO)) return undefined;
    const Y = Point.fromBytes(key), gamma = Point.fromBytes(proof.subarray(0, 32));
    const c = little(proof.subarray(32, 48)), s = little(proof.subarray(48));
    if (s >= order) return undefined;
    const h = ristretto255_hasher.deriveToCurve(sha512(suite, byte(0x82), key, input));
    const U = times(Point.BASE, s).subtract(times(Y, c)), V = times(h, s).subtract(times(gamma, c));
    const points = [Y, h, gamma, U, V].map((p) => p.toBytes());
    if (little(sha512(suite, byte(2), ...points, byte(0)).subarray(0, 16)) !== c) return undefined;
    const out = sha512(suite, byte(3), gamma.toBytes(), byte(0));
    return { label: out.subarray(0, 32), opening: out.subarray(32) };
  } catch {
    return undefined;
  }
}

export const isPoint = (b) => { try { return Point.fromBytes(b) !== undefined; } catch { return false; } };

// A c2sp.org/signed-note, section 15: its text and its lines, each a name, a key id and
// what that key signed with; undefined if it is spelled otherwise.
function splitNote(note) {
  const at = note.lastIndexOf("\n\n"), rest = note.slice(at + 2).split("\n"), seen = new Set();
  if (at < 0 || rest.pop() !== "" || rest.length < 1 || rest.length > 100) return undefined;
  const lines = rest.map((line) => {
    const [, name, sig] = /^— ([^+\s\p{Cc}]+) ([A-Za-z0-9+/=]+)$/u.exec(line) ?? [], raw = base64(sig ?? "");
    if (!raw || raw.length < 5 || seen.size === seen.add(`${name} ${hex(raw.subarray(0, 4))}`).size) return undefined;
    return { name, id: hex(raw.subarray(0, 4)), signature: raw.subarray(4) };
  });
  return lines.includes(undefined) ? undefined : { text: note.slice(0, at + 1), lines };
}

const signs = (key, message, signature) => verify(null, utf8(message),
  createPublicKey({ key: Buffer.concat([Buffer.from("302a300506032b6570032100", "hex"), key]), format: "der", type: "spki" }), signature);

// openNote gives the text of a note that a key signed, and its lines. With only, no
// line stands beside.
export function openNote(note, key, only) {
  const split = splitNote(note), own = split?.lines.find((l) => l.name === key.name && l.id === key.id);
  if (own?.signature.length !== 64 || only && split.lines.length !== 1) return undefined;
  return signs(key.key, split.text, own.signature) ? split : undefined;
}

// cosigned gives the seconds at which cosigners signed an open note, by their names in
// the policy; undefined if one of their lines is false.
export function cosigned({ text, lines }, cosigners) {
  const times = new Map();
  for (const [name, k] of cosigners) {
    const line = lines.find((l) => l.name === k.name && l.id === k.id);
    if (!line) continue;
    const seconds = line.signature.length === 72 ? line.signature.readBigUInt64BE(0) : 0n;
    if (seconds < 1n || seconds > 253402300799n || !signs(k.key, `cosignature/v1\ntime ${seconds}\n${text}`, line.signature.subarray(8))) return undefined;
    times.set(name, Number(seconds));
  }
  return times;
}
