package api

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"github.com/sharetrail/sharetrail/events"
)

// ErrNoRecipient says that the address book has no recipient of that id.
var ErrNoRecipient = errors.New("no such recipient")

// BookEntry is a recipient in the address book.
type BookEntry struct {
	ID        string `json:"id" doc:"org:local, such as org:contoso-logistics"`
	LegalName string `json:"legal_name"`
	Address   string `json:"address,omitempty"`
	Contact   string `json:"contact,omitempty"`
	Country   string `json:"country,omitempty" doc:"ISO 3166-1 alpha-2; empty where the source does not say"`
	Category  string `json:"category,omitempty" doc:"such as processor or advertising"`
	Source    string `json:"source,omitempty" doc:"where the entry comes from"`
	SourceID  string `json:"source_id,omitempty" doc:"its id there"`
	PolicyURL string `json:"policy_url,omitempty" doc:"its own privacy statement"`
	Deleted   string `json:"deleted,omitempty" doc:"since when the source no longer lists it as active"`
}

// AddressBook keeps recipients by their ids in one file. It spares people
// typing and is no evidence: it is not in the ledger, can be edited at will, and
// a recorded share does not depend on it.
type AddressBook struct {
	Path string

	mu      sync.Mutex
	entries map[string]BookEntry // nil until read; guarded by mu
}

func (b *AddressBook) load() error {
	if b.entries != nil {
		return nil
	}
	raw, err := os.ReadFile(b.Path)
	if errors.Is(err, os.ErrNotExist) {
		b.entries = map[string]BookEntry{}
		return nil
	}
	var list []BookEntry
	if err == nil {
		err = json.Unmarshal(raw, &list)
	}
	if err != nil {
		return fmt.Errorf("reading the address book: %w", err)
	}
	b.entries = map[string]BookEntry{}
	for _, e := range list {
		b.entries[e.ID] = e
	}
	return nil
}

// Put adds entries, or replaces those of the same id, and says how many were
// new. When it returns nil they are on disk, all of them.
func (b *AddressBook) Put(entries []BookEntry) (added int, err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if err := b.load(); err != nil {
		return 0, err
	}
	next := maps.Clone(b.entries)
	for _, e := range entries {
		if _, known := next[e.ID]; !known {
			added++
		}
		next[e.ID] = e
	}
	if err := writeBook(b.Path, sortedEntries(next)); err != nil {
		return 0, fmt.Errorf("writing the address book: %w", err)
	}
	b.entries = next
	return added, nil
}

// Get returns an entry, or ErrNoRecipient.
func (b *AddressBook) Get(id string) (BookEntry, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if err := b.load(); err != nil {
		return BookEntry{}, err
	}
	e, ok := b.entries[id]
	if !ok {
		return BookEntry{}, ErrNoRecipient
	}
	return e, nil
}

// After returns up to limit entries with greater ids, in order of their ids.
func (b *AddressBook) After(id string, limit int) ([]BookEntry, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if err := b.load(); err != nil {
		return nil, err
	}
	all := sortedEntries(b.entries)
	i, found := slices.BinarySearchFunc(all, id, func(e BookEntry, id string) int {
		switch {
		case e.ID < id:
			return -1
		case e.ID > id:
			return 1
		}
		return 0
	})
	if found {
		i++
	}
	return all[i:min(len(all), i+limit)], nil
}

func sortedEntries(m map[string]BookEntry) []BookEntry {
	out := make([]BookEntry, 0, len(m))
	for _, id := range slices.Sorted(maps.Keys(m)) {
		out = append(out, m[id])
	}
	return out
}

// writeBook replaces the file in one step.
func writeBook(path string, list []BookEntry) error {
	raw, err := json.MarshalIndent(list, "", "  ")
	if err != nil {
		return err
	}
	tmp, err := os.CreateTemp(filepath.Dir(path), ".recipients-*")
	if err != nil {
		return err
	}
	_, err = tmp.Write(append(raw, '\n'))
	if err = errors.Join(err, tmp.Sync(), tmp.Close()); err == nil {
		err = os.Rename(tmp.Name(), path)
	}
	if err != nil {
		return errors.Join(err, os.Remove(tmp.Name()))
	}
	return nil
}

// check demands what a share's recipient must fulfil, but for what the source
// of an entry may not know.
func (e BookEntry) check(rules []events.IdentityRule) (BookEntry, error) {
	id, err := events.ParseIdentity(rules, e.ID)
	if err != nil {
		return e, err
	}
	if len(id) < 4 || id[:4] != "org\x00" {
		return e, &events.FieldError{Field: "id", Rule: "must be of an organisation", Next: "begin it with org:"}
	}
	e.ID = id.String()
	// The rules are those of a share, checked on one.
	whole := events.Recipient{ID: e.ID, LegalName: e.LegalName, Address: e.Address, Contact: e.Contact, Country: e.Country, Category: e.Category}
	if whole.Country == "" {
		whole.Country = "ZZ"
	}
	if whole.Category == "" {
		whole.Category = "third_party"
	}
	err = whole.Validate()
	if fe, ok := err.(*events.FieldError); ok {
		fe.Field = strings.TrimPrefix(fe.Field, "recipient.")
	}
	return e, err
}
