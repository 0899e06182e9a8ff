package embedded

import (
	"context"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"google.golang.org/grpc/codes"

	"github.com/sharetrail/sharetrail/internal/sqlite"
)

//go:embed groups.sql
var groupsSchema string

// The strategies by which a group chooses the consumer of a message.
const (
	roundRobin       = "RoundRobin"       // each in turn
	dispatchToSingle = "DispatchToSingle" // the first that has room
	pinned           = "Pinned"           // by the stream of the event, as long as that one has room
)

// settings of a group, as they are stored.
type settings struct {
	StartFrom       string        `json:"startFrom"` // as clients are told
	Resolve         bool          `json:"resolve,omitempty"`
	Statistics      bool          `json:"statistics,omitempty"`
	Timeout         time.Duration `json:"timeout"` // 0 waits for ever
	CheckpointAfter time.Duration `json:"checkpointAfter"`
	MinCheckpoint   int32         `json:"minCheckpoint"`
	MaxCheckpoint   int32         `json:"maxCheckpoint"`
	MaxSubscribers  int32         `json:"maxSubscribers"` // 0 for any number
	MaxRetries      int32         `json:"maxRetries"`
	LiveBuffer      int32         `json:"liveBuffer"`
	HistoryBuffer   int32         `json:"historyBuffer"`
	ReadBatch       int32         `json:"readBatch"`
	Strategy        string        `json:"strategy"`
	Filter          *filter       `json:"filter,omitempty"`
}

// groups is every persistent subscription of the node.
type groups struct {
	journal *journal
	db      *sqlite.DB
	ctx     context.Context // of the groups' goroutines: ended by nobody, close stops them

	mu    sync.Mutex
	byKey map[groupKey]*group
}

type groupKey struct{ source, name string }

func (k groupKey) refuse(exception string, code codes.Code, text string) error {
	return errGroup{exception: "persistent-subscription-" + exception, source: k.source, name: k.name, text: text, code: code}
}

func (k groupKey) missing() error {
	return k.refuse("does-not-exist", codes.NotFound, "does not exist")
}

// groupsPath is where the groups of an event file are kept.
func groupsPath(events string) string {
	return strings.TrimSuffix(events, filepath.Ext(events)) + "-groups.db"
}

// openGroups opens the file and starts every group in it.
func openGroups(ctx context.Context, j *journal, path string) (_ *groups, err error) {
	db, err := sqlite.Open(ctx, sqlite.Config{Path: path, Schema: groupsSchema, Version: 1, Application: "shgr"})
	if err != nil {
		return nil, err
	}
	gs := &groups{journal: j, db: db, ctx: context.WithoutCancel(ctx), byKey: make(map[groupKey]*group)}
	defer func() {
		if err != nil {
			err = errors.Join(fmt.Errorf("opening %s: %w", path, err), gs.close())
		}
	}()
	rows, err := db.Read.QueryContext(ctx, `SELECT source, name, settings, done, saved FROM groups`)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		var (
			key   groupKey
			data  []byte
			done  int64
			saved bool
			s     settings
		)
		if err := rows.Scan(&key.source, &key.name, &data, &done, &saved); err != nil {
			return nil, err
		}
		if err := json.Unmarshal(data, &s); err != nil {
			return nil, fmt.Errorf("reading group %s: %w", key.name, err)
		}
		if s.Filter != nil {
			if err := s.Filter.compile(); err != nil {
				return nil, err
			}
		}
		head, err := gs.head(ctx, key.source)
		if err != nil {
			return nil, err
		}
		if saved {
			done = min(done, head) // a checkpoint behind the end is of events that a backup did not have
		}
		gs.start(key, s, done, saved)
	}
	return gs, rows.Err()
}

// head is the last revision of a stream, or the last place in $all.
func (gs *groups) head(ctx context.Context, source string) (int64, error) {
	if source == allStream {
		last, _ := gs.journal.heads.all()
		return last, nil
	}
	at, err := gs.journal.heads.look(ctx, source)
	return at.head, err
}

// start is called with mu held, or before anybody else has the groups.
func (gs *groups) start(key groupKey, s settings, done int64, saved bool) {
	g := newGroup(gs, key, s, done, saved)
	gs.byKey[key] = g
	go g.run(gs.ctx)
}

// close saves every checkpoint and closes the file.
func (gs *groups) close() error {
	gs.mu.Lock()
	defer gs.mu.Unlock()
	for _, g := range gs.byKey {
		close(g.stop)
		<-g.ended
	}
	return gs.db.Close()
}

func (gs *groups) find(key groupKey) (*group, error) {
	gs.mu.Lock()
	defer gs.mu.Unlock()
	g := gs.byKey[key]
	if g == nil {
		return nil, key.missing()
	}
	return g, nil
}

// list returns the groups of one source, or all of them, in order.
func (gs *groups) list(source string) []*group {
	gs.mu.Lock()
	defer gs.mu.Unlock()
	var all []*group
	for key, g := range gs.byKey {
		if source == "" || key.source == source {
			all = append(all, g)
		}
	}
	slices.SortFunc(all, func(a, b *group) int {
		return strings.Compare(a.key.source+"\x00"+a.key.name, b.key.source+"\x00"+b.key.name)
	})
	return all
}

func (gs *groups) create(ctx context.Context, key groupKey, s settings, done int64) error {
	data, err := json.Marshal(s)
	if err != nil {
		return fmt.Errorf("creating group %s: %w", key.name, err)
	}
	gs.mu.Lock()
	defer gs.mu.Unlock()
	if gs.byKey[key] != nil {
		return key.refuse("exists", codes.AlreadyExists, "exists already")
	}
	const insert = `INSERT INTO groups (source, name, settings, done, saved) VALUES (?, ?, ?, ?, 0)`
	if _, err := gs.db.Write.ExecContext(ctx, insert, key.source, key.name, data, done); err != nil {
		return fmt.Errorf("creating group %s: %w", key.name, err)
	}
	gs.start(key, s, done, false)
	return nil
}

// update gives a group other settings. Its consumers are dropped and come back
// to them; a new start counts only until there is a checkpoint.
func (gs *groups) update(ctx context.Context, key groupKey, s settings, done int64) error {
	gs.mu.Lock()
	defer gs.mu.Unlock()
	g := gs.byKey[key]
	if g == nil {
		return key.missing()
	}
	var err error
	if derr := g.do(ctx, func() {
		s.Filter = g.settings.Filter
		if g.saved || g.progress.low != g.checkpointed {
			done = g.progress.low
		}
		var data []byte
		if data, err = json.Marshal(s); err != nil {
			return
		}
		const update = `UPDATE groups SET settings = ?, done = ? WHERE source = ? AND name = ?`
		if _, err = gs.db.Write.ExecContext(gs.ctx, update, data, done, key.source, key.name); err == nil {
			g.reset(s, done)
		}
	}); derr != nil {
		return derr
	}
	if err != nil {
		return fmt.Errorf("updating group %s: %w", key.name, err)
	}
	return nil
}

// remove ends a group. What it parked is deleted too, as a stream is: hidden.
func (gs *groups) remove(ctx context.Context, key groupKey) error {
	gs.mu.Lock()
	defer gs.mu.Unlock()
	g := gs.byKey[key]
	if g == nil {
		return key.missing()
	}
	if _, err := gs.db.Write.ExecContext(ctx, `DELETE FROM groups WHERE source = ? AND name = ?`, key.source, key.name); err != nil {
		return fmt.Errorf("deleting group %s: %w", key.name, err)
	}
	delete(gs.byKey, key)
	close(g.stop)
	<-g.ended
	_, err := gs.journal.submit(ctx, &proposal{work: deleting, stream: g.parkedStream(), expected: streamExists})
	return err
}
