// Package ledger is the write side: it turns commands into events in the
// ledger's one stream, feeds the verifiable log from that stream, publishes
// signed checkpoints, and proves what it holds about a party.
//
// A share passes through these states, and a crash loses nothing but time
// after the first:
//
//	accepted   durable in the stream; its id and leaf index are known
//	logged     in Trillian's Merkle tree
//	published  under a signed checkpoint, provable offline
//
// The fourth, projected, belongs to package projections.
//
// One goroutine each does the work: the writer (writer.go) decides and appends,
// a batch at a time, at the revision it expects; the sequencer (sequencer.go)
// follows the stream and hands its leaves to Trillian; the publisher
// (publish.go) signs a size once Trillian's root and our own agree. What the
// ledger knows (fold.go) is a function of the stream and the keystore. It is kept
// in a file beside them (statefile.go), from which a start goes on (restore.go)
// after checking it against the stream, the log and the last checkpoint; without
// the file all is folded again. Verify recomputes everything.
//
// The stream's revision is the leaf's index in the log. The ledger signs only
// sizes whose last leaf is a state leaf, and only roots it computed itself.
package ledger
