// Package tiles is the ledger's log as static files, after c2sp.org/tlog-tiles:
// what anybody needs to replay the log or to prove something under a checkpoint,
// without asking the ledger a question that tells what they look for.
//
//	checkpoint                      the newest checkpoint, written last
//	tile/entries/<N>[.p/<W>]        256 leaves, or W of them
//	tile/<L>/<N>[.p/<W>]            256 hashes of level L, or W of them
//	rules/<hash>                    a rules document, by its rules hash in hexadecimal
//
// The tiles of a size are a function of its leaves: a [Writer] keeps only the
// right edge of the tree, writes each full tile once and never reads the log
// again. A file that is there with other bytes than the leaves give is somebody's
// work, and is named instead of replaced.
//
// Whoever reads believes nothing: a [Tree] authenticates every hash under a
// checkpoint's root, from a [Source] that may be a directory or a server. The
// package opens no connections; package remote does.
package tiles
