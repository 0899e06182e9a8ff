// The types of events, read from the tables of docs/formats.md section 9: which roles
// have an entry in one, which records it is about, which groups it always has; and the
// values of members that take no others.

import { readFileSync } from "node:fs";

const page = readFileSync(process.env.SHARETRAIL_FORMATS ?? new URL("../../formats.md", import.meta.url), "utf8");

// rows are the cells of the first table behind a text, its head left out.
function rows(after) {
  const lines = page.slice(page.indexOf(after)).split("\n").slice(1).map((l) => l.trim());
  const first = lines.findIndex((l) => l.startsWith("|"));
  const end = lines.findIndex((l, i) => i > first && !l.startsWith("|"));
  return lines.slice(first + 2, end).map((l) => l.split("|").slice(1, -1).map((c) => c.trim()));
}

const names = (cell) => cell.split(",").map((s) => s.trim()).filter((s) => s !== "");
const group = new Map(rows("### Groups of a share").map(([, name, value]) => [name, /left out/.test(value)]));
const ofShare = [...group].filter(([name]) => name !== "occurred" && name !== "extent");

export const types = new Map(rows("<!-- types: a test compares this with the package -->").map(([type, roles, about, groups]) => {
  const always = [], all = [];
  for (const g of names(groups)) {
    if (g === "share") all.push(...ofShare.map(([name]) => name), "policy");
    else all.push(g.replace("?", "").trim());
    if (g === "share") always.push(...ofShare.filter(([, optional]) => !optional).map(([name]) => name));
    else if (!g.startsWith("?")) always.push(g);
  }
  return [type, { roles: names(roles), about: names(about), always, groups: all, share: names(groups).includes("share") }];
}));

// terms are the values that a member can have.
export const terms = new Map(rows("<!-- terms: a test compares this with the package -->")
  .flatMap(([members, values]) => names(members).map((member) => [member, names(values)])));

if (types.size < 20 || !types.get("DisclosureRecorded").always.includes("recipient") || !terms.get("reasons").includes("consent")) throw new Error("docs/formats.md has other tables");
