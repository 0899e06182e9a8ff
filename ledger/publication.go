package ledger

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/sharetrail/sharetrail/events"
	"github.com/sharetrail/sharetrail/verifier"
	"github.com/sharetrail/sharetrail/verifier/witness"
)

// What is done when the quorum has not signed in time. Nothing that was recorded is
// ever lost by it.
const (
	MissingWait    = "wait"    // nothing newer is published until it has
	MissingPublish = "publish" // published without, and said so everywhere; no reports are written meanwhile
	MissingStop    = "stop"    // nothing is recorded either until it has
)

// DefaultRefresh is after how long an idle ledger has its state signed again.
const DefaultRefresh = 30 * time.Minute

// Publication says whose signatures what is published needs.
type Publication struct {
	Policy  string `json:"policy" doc:"c2sp.org/tlog-policy; each witness line with its address. The log line may be left out. Empty: nobody cosigns"`
	Missing string `json:"missing" enum:"wait,publish,stop" doc:"what is done when the quorum has not signed in time"`
	Refresh string `json:"refresh,omitempty" doc:"after how long an idle ledger is signed again, such as 30m"`

	policy  *verifier.Policy // with the log line, and addresses
	refresh time.Duration
}

// cosigned reports whether anybody is asked at all.
func (p *Publication) cosigned() bool { return len(p.policy.Witnesses) > 0 }

// parse checks what somebody wants, for this ledger.
func (l *Ledger) parsePublication(p Publication) (*Publication, error) {
	if p.Missing == "" {
		p.Missing = MissingWait
	}
	if !slices.Contains([]string{MissingWait, MissingPublish, MissingStop}, p.Missing) {
		return nil, &events.FieldError{Field: "missing", Rule: "must be wait, publish or stop", Next: "say what is to be done when the quorum has not signed in time"}
	}
	p.refresh = DefaultRefresh
	if p.Refresh != "" {
		d, err := time.ParseDuration(p.Refresh)
		if err != nil || d < time.Minute {
			return nil, &events.FieldError{Field: "refresh", Rule: "must be a duration of at least a minute", Next: "write it such as 30m"}
		}
		p.refresh = d
	}
	if p.Policy == "" {
		p.Policy = verifier.NoQuorum(l.secrets.LogVerifier)
	}
	policy, err := verifier.ParsePolicy(p.Policy)
	if err != nil {
		return nil, err
	}
	if len(policy.Logs) == 0 {
		policy.Logs = []verifier.PolicyLog{{Key: l.secrets.LogVerifier}}
		if policy, err = verifier.ParsePolicy(policy.String()); err != nil { // the log's key may be a witness'
			return nil, err
		}
	}
	for _, w := range policy.Witnesses {
		if witness.CheckURL(w.URL) != nil {
			return nil, &events.FieldError{Field: "policy", Rule: "has a witness without an http or https address", Next: "end each witness line with the address that its operator gives, such as https://witness.example/"}
		}
	}
	if len(policy.Logs) != 1 || policy.Logs[0].Key != l.secrets.LogVerifier {
		return nil, &events.FieldError{Field: "policy", Rule: "names another log than this ledger", Next: "leave the log line out"}
	}
	p.policy, p.Policy = policy, policy.String()
	// The last word has what readers will do with it.
	if _, err := verifier.ParseTrust(l.trust(policy).Marshal()); err != nil {
		return nil, &events.FieldError{Field: "policy", Rule: "has a key of this ledger as a cosigner", Next: "give each cosigner a key of its own"}
	}
	return &p, nil
}

// Publication returns whose signatures what is published needs now.
func (l *Ledger) Publication() Publication { return *l.publication.Load() }

// SetPublication changes whose signatures what is published needs, for good. The
// newest state is signed anew under it; the trust file changes with it.
func (l *Ledger) SetPublication(p Publication) error {
	parsed, err := l.parsePublication(p)
	if err != nil {
		return err
	}
	if err := l.writePublication(parsed); err != nil {
		return err
	}
	l.publication.Store(parsed)
	l.askToPublish()
	return nil
}

func (l *Ledger) askToPublish() {
	select {
	case l.publish <- struct{}{}:
	default:
	}
}

// readPublication reads the file of Config.Publication. Without one nobody cosigns.
func (l *Ledger) readPublication() error {
	var p Publication
	b, err := os.ReadFile(l.publicationFile)
	switch {
	case l.publicationFile == "" || errors.Is(err, os.ErrNotExist):
	case err != nil:
		return fmt.Errorf("reading the publication policy: %w", err)
	default:
		dec := json.NewDecoder(bytes.NewReader(b))
		dec.DisallowUnknownFields()
		if err := dec.Decode(&p); err != nil {
			return fmt.Errorf("reading %s: %w; restore it, or correct it", l.publicationFile, err)
		}
	}
	parsed, err := l.parsePublication(p)
	if err != nil {
		return fmt.Errorf("reading %s: %w", l.publicationFile, err)
	}
	l.publication.Store(parsed)
	return nil
}

// checkPublicationKept refuses to go on without cosigners because the file that
// names them was lost: nobody would notice but readers.
func (l *Ledger) checkPublicationKept(shown *Published) error {
	if l.publicationFile == "" || shown == nil || strings.Count(shown.Note, "\n— ") < 2 {
		return nil
	}
	if _, err := os.Stat(l.publicationFile); !errors.Is(err, os.ErrNotExist) {
		return err
	}
	return fmt.Errorf("%s is missing, and what was published last is cosigned: restore it from its backup; or, to go on without witnesses and auditors, put {} into it", l.publicationFile)
}

// writePublication puts the file in place in one step.
func (l *Ledger) writePublication(p *Publication) error {
	if l.publicationFile == "" {
		return nil
	}
	b, err := json.MarshalIndent(p, "", "  ")
	if err != nil {
		return fmt.Errorf("writing the publication policy: %w", err)
	}
	path := l.publicationFile
	f, err := os.OpenFile(path+".new", os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err == nil {
		_, err = f.Write(append(b, '\n'))
		err = errors.Join(err, f.Sync(), f.Close())
	}
	if err == nil {
		err = os.Rename(path+".new", path)
	}
	if err == nil {
		err = syncDir(filepath.Dir(path))
	}
	if err != nil {
		return fmt.Errorf("writing the publication policy: %w", err)
	}
	return nil
}

func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
