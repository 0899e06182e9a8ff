// Package keystore holds what must never be in the log: the ledger's secrets,
// one key and one handle for each party, and the directory that says which
// identity a party is. With the event stream it is one of the two sources of
// truth; everything else can be rebuilt.
//
// Seal turns facts and parties into a leaf and its ciphertexts; Opener is its
// inverse. A decryption counts only if it reproduces the commitments of the
// leaf. Destroying a party's key makes its part of every event unreadable and
// its entries unlinkable, and changes no leaf.
//
// What a legal hold must keep beyond that is copied before, under the hold's key,
// and destroyed when the hold is released. It lies in a file of its own, with an
// authenticated journal of all holds.
//
// Keys lie in SQLite, each wrapped (XChaCha20-Poly1305) under a wrapping key
// kept in a file of its own, readable by its owner only.
package keystore
