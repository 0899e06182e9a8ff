// Package verifier is what anyone can check: the formats of checkpoints, trust
// files and reports, and the checks on them, with no network and no trust in
// whoever made the file.
//
// A report about one party is checked against what its reader pinned
// beforehand (the trust file) and the identity the reader typed, never against
// what the file itself says about either. What passes is rendered from opened
// commitments only.
//
// The package imports events, the standard library, golang.org/x/mod and the
// VRF; an auditor reads nothing else. It never logs.
package verifier
