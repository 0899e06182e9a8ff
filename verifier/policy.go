package verifier

import (
	"bytes"
	"crypto/ed25519"
	"encoding/base64"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/sharetrail/sharetrail/events"
)

// The groups of a policy that say what its cosigners do. The quorum of a ledger is
// a group that holds both.
const (
	GroupWitnesses = "witnesses" // have seen the log only grow
	GroupAuditors  = "auditors"  // have replayed every leaf and found the index right
)

const quorumNone = "none"

// Bounds of a policy; c2sp.org/tlog-policy wants at least 32 of each.
const (
	maxPolicy      = 64 << 10
	maxPolicyNames = 64
)

// Policy is a c2sp.org/tlog-policy: whose signatures a checkpoint needs.
type Policy struct {
	Logs      []PolicyLog
	Witnesses []PolicyWitness // witnesses and auditors: the format calls every cosigner one
	Groups    []PolicyGroup
	Quorum    string // a witness, a group, or none
}

// PolicyLog is a line that names a log.
type PolicyLog struct{ Key, URL string }

// PolicyWitness is a line that names a cosigner. Its name is the policy's own; in
// signature lines stands that of the key.
type PolicyWitness struct {
	Name string
	Key  *Cosigner
	URL  string // the submission prefix of c2sp.org/tlog-witness; may be empty
}

// PolicyGroup is met when K of its members are.
type PolicyGroup struct {
	Name    string
	K       int
	Members []string // witnesses and groups of earlier lines
}

// ParsePolicy reads a policy with the freedom of its format: order, white space,
// comments. [Policy.String] is its one spelling. An error names the line.
func ParsePolicy(text string) (*Policy, error) {
	if len(text) > maxPolicy {
		return nil, policyError(0, "is larger than 64 KiB", "leave out what no quorum needs")
	}
	p := &policyParser{Policy: new(Policy), names: map[string]bool{quorumNone: true}, keys: map[string]bool{}, used: map[string]bool{}}
	lines := strings.Split(strings.TrimSuffix(text, "\n"), "\n")
	for i, line := range lines {
		if strings.IndexFunc(line, func(r rune) bool { return r < 0x20 && r != '\t' || r == 0x7f }) >= 0 {
			return nil, policyError(i+1, "has a control character", "use spaces and line feeds alone")
		}
		fields := strings.FieldsFunc(line, func(r rune) bool { return r == ' ' || r == '\t' })
		if len(fields) == 0 || strings.HasPrefix(fields[0], "#") {
			continue
		}
		if rule, next := p.line(fields); rule != "" {
			return nil, policyError(i+1, rule, next)
		}
	}
	if p.Quorum == "" {
		return nil, policyError(0, "has no quorum line", `end it with "quorum" and the name of a group, or "quorum none"`)
	}
	return p.Policy, nil
}

func policyError(line int, rule, next string) error {
	field := "policy"
	if line > 0 {
		field = fmt.Sprintf("policy, line %d", line)
	}
	return &events.FieldError{Field: field, Rule: rule, Next: next}
}

type policyParser struct {
	*Policy
	names map[string]bool // witnesses and groups so far
	keys  map[string]bool // public keys so far, of logs and witnesses
	used  map[string]bool // members of groups so far
}

// line takes in one line, or returns the rule it breaks and what to do.
func (p *policyParser) line(f []string) (rule, next string) {
	switch {
	case f[0] == "log" && (len(f) == 2 || len(f) == 3):
		return p.log(f[1], optional(f, 2))
	case f[0] == "witness" && (len(f) == 3 || len(f) == 4):
		return p.witness(f[1], f[2], optional(f, 3))
	case f[0] == "group" && len(f) >= 4:
		return p.group(f[1], f[2], f[3:])
	case f[0] == "quorum" && len(f) == 2:
		switch {
		case p.Quorum != "":
			return "is a second quorum line", "keep one"
		case !p.names[f[1]]:
			return "names a quorum that no earlier line defines", "define the group first, or write quorum none"
		}
		p.Quorum = f[1]
		return "", ""
	}
	return "is none of: log KEY [URL], witness NAME KEY [URL], group NAME all|any|NUMBER MEMBER..., quorum NAME", "correct it, or begin it with # if it is a comment"
}

func optional(f []string, i int) string {
	if i < len(f) {
		return f[i]
	}
	return ""
}

func (p *policyParser) log(vkey, url string) (rule, next string) {
	_, key, err := parseKey(vkey)
	if err != nil {
		return "has a log key that is not one", "copy the log's verifier key whole, name+hash+base64, as its operator gives it"
	}
	raw, _ := base64.StdEncoding.DecodeString(key)
	if len(raw) != 1+ed25519.PublicKeySize || raw[0] != typeEd25519 {
		return "has a log key that is not of type 0x01, Ed25519", "name the log's Ed25519 key"
	}
	if rule, next := p.unused(raw[1:]); rule != "" {
		return rule, next
	}
	if len(p.Logs) == maxPolicyNames {
		return "names more than 64 logs", "leave out some"
	}
	p.Logs = append(p.Logs, PolicyLog{vkey, url})
	return "", ""
}

// unused refuses a public key that stands in the policy already, whatever its name:
// a log that is its own witness, or one witness that counts as two.
func (p *policyParser) unused(public []byte) (rule, next string) {
	if p.keys[string(public)] {
		return "has a key that stands in an earlier line, perhaps under another name", "give each log and each cosigner a key of its own; a log cannot be its own witness"
	}
	p.keys[string(public)] = true
	return "", ""
}

func (p *policyParser) define(name string) (rule, next string) {
	switch {
	case len(name) > 255:
		return "has a name of more than 255 bytes", "shorten it"
	case name == quorumNone:
		return `defines "none", which is reserved`, "choose another name"
	case p.names[name]:
		return "defines a name a second time", "choose another name"
	case len(p.names) > 2*maxPolicyNames:
		return "defines more than 128 names", "leave out what no quorum needs"
	}
	p.names[name] = true
	return "", ""
}

func (p *policyParser) witness(name, vkey, url string) (rule, next string) {
	key, err := ParseCosigner(vkey)
	if err != nil {
		return "has a cosigner key that is not one of type 0x04, Ed25519", "copy the witness' key for cosignatures whole, name+hash+base64, as its operator gives it"
	}
	if rule, next := p.unused(key.public); rule != "" {
		return rule, next
	}
	if rule, next := p.define(name); rule != "" {
		return rule, next
	}
	p.Witnesses = append(p.Witnesses, PolicyWitness{name, key, url})
	return "", ""
}

func (p *policyParser) group(name, threshold string, members []string) (rule, next string) {
	k, err := strconv.Atoi(threshold)
	switch {
	case threshold == "all":
		k = len(members)
	case threshold == "any":
		k = 1
	case err != nil || strconv.Itoa(k) != threshold || k < 1 || k > len(members):
		return "has a threshold that is neither all, any, nor a number from 1 to that of its members", "correct it"
	}
	for _, m := range members {
		switch {
		case m == quorumNone || !p.names[m]:
			return "has a member that no earlier line defines", "define the witness or group first"
		case p.used[m]:
			return "has a member that is in a group already", "list each once: it counts in one way only"
		}
		p.used[m] = true
	}
	if rule, next := p.define(name); rule != "" {
		return rule, next
	}
	p.Groups = append(p.Groups, PolicyGroup{name, k, slices.Clone(members)})
	return "", ""
}

// String is the policy's one spelling: logs, witnesses, groups, quorum, each in
// their order; single spaces; no comments.
func (p *Policy) String() string {
	var b bytes.Buffer
	line := func(fields ...string) {
		b.WriteString(strings.Join(slices.DeleteFunc(fields, func(f string) bool { return f == "" }), " ") + "\n")
	}
	for _, l := range p.Logs {
		line("log", l.Key, l.URL)
	}
	for _, w := range p.Witnesses {
		line("witness", w.Name, w.Key.String(), w.URL)
	}
	for _, g := range p.Groups {
		threshold := strconv.Itoa(g.K)
		switch g.K {
		case len(g.Members):
			threshold = "all"
		case 1:
			threshold = "any"
		}
		line(append([]string{"group", g.Name, threshold}, g.Members...)...)
	}
	line("quorum", p.Quorum)
	return b.String()
}

// Public is the policy as readers pin it: without addresses, which they do not need
// and which may change.
func (p *Policy) Public() *Policy {
	out := &Policy{Groups: p.Groups, Quorum: p.Quorum}
	for _, l := range p.Logs {
		out.Logs = append(out.Logs, PolicyLog{Key: l.Key})
	}
	for _, w := range p.Witnesses {
		out.Witnesses = append(out.Witnesses, PolicyWitness{Name: w.Name, Key: w.Key})
	}
	return out
}

// cosignedBy reports whether some key is that of a cosigner.
func (p *Policy) cosignedBy(public []byte) bool {
	return slices.ContainsFunc(p.Witnesses, func(w PolicyWitness) bool { return bytes.Equal(w.Key.public, public) })
}
