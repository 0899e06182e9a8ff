// Package events is the vocabulary of the ledger: what happened, as bytes.
//
// An event of ours is one [Leaf] of the verifiable log and, beside it, the
// ciphertexts only some people can open. This package owns every byte format
// that is hashed or committed to: leaves, commitments, labels, slots, bodies,
// state leaves, identities and the rules document. Whoever writes (ledger) and
// whoever checks (verifier) use the same functions, so that there is one
// definition of each.
//
// What always holds: hashed bytes are made in one place and covered by golden
// files that may only grow; every parser accepts exactly what its formatter
// gives (it re-encodes and compares) and answers one constant error for
// anything else; nothing here does I/O or logs.
//
// The formats are described, with vectors, in docs/formats.md.
package events
