// Package audit replays a ledger's log without personal data, and says whether it
// is what a ledger promises: what an index auditor signs.
//
// A report proves that nothing is missing under an index root, and that the root
// stands in a state leaf. That the root is the index of the leaves before it, no
// report can prove: somebody has to compute it from every leaf. An [Auditor] does,
// from the log's tiles alone (package tiles), and keeps its own copy of the index.
//
// What it checks of each leaf: its form; that times stand on the ledger's grain and
// never go back; that no label comes twice; of each state leaf every member: index
// covered, root and size of the index, VRF key, rules, the state before. Leaf 0 is
// the one in the trust file, nothing follows a final state, a published size ends
// with a state leaf, and the root over all leaves is the checkpoint's, which thereby
// continues every checkpoint audited before.
//
// What always holds: what an Auditor has found whole is durable and never read
// again; after a fault, or a crash at any moment, it goes on from the last state
// leaf that it kept.
package audit
