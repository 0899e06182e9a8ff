// Package projections is the read side: it turns the events of a ledger's stream
// into rows that can be queried and reported.
//
// A Runner feeds each Projection the one stream, in order, a page at a time: one
// Watermill message is one ordered page, and Ack means committed. A projection
// stores its position, the next revision it wants, in the same transaction as the
// rows of the page. So the effect of each event is there exactly once, whatever is
// redelivered and wherever the process dies: after a crash the position says what
// the rows contain.
//
// What always holds: no event is skipped. A page that cannot be applied halts its
// projection, alone and loudly, and is tried again for as long as it takes. An
// event that fails for good for one party parks that party: from there on its
// events wait, in order, for Retry; nothing is reported about it meanwhile.
//
// The read model ([ReadModel]) is one function for each role of a party and type of
// event, which says what an entry adds; a [Store] keeps its versions, each in
// tables of its own. Two runners of one version fence each other: a commit names
// the state it builds on.
//
// Rows are functions of the stream and the keystore: Rebuild builds the
// next version beside the one in use and swaps them.
package projections
