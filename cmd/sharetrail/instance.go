package main

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"go.uber.org/zap"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	"github.com/sharetrail/sharetrail/events"
	"github.com/sharetrail/sharetrail/events/embedded"
	"github.com/sharetrail/sharetrail/events/esdb"
	"github.com/sharetrail/sharetrail/internal/actor"
	"github.com/sharetrail/sharetrail/internal/keystore"
	"github.com/sharetrail/sharetrail/ledger"
	"github.com/sharetrail/sharetrail/ledger/trillianlog"
	trillian "github.com/sharetrail/sharetrail/ledger/trillianlog/embedded"
	"github.com/sharetrail/sharetrail/projections"
	"github.com/sharetrail/sharetrail/projections/postgres"
	viewstore "github.com/sharetrail/sharetrail/projections/sqlite"
)

// dataFormat is the version of a data directory's layout.
const dataFormat = 1

// instance is one ledger with everything it runs on, in this process and on one
// data directory. Parts are closed in the reverse order of their opening.
type instance struct {
	dir     string
	socket  string // directory of the API's socket
	keys    *keystore.Store
	trees   *trillian.Server // nil if the log is elsewhere
	ledger  *ledger.Ledger
	reports *projections.Reports
	runner  *projections.Runner
	handler http.Handler // /v1, behind no door yet
	actors  *actor.Store
	doors   []door
	url     string // of the pages, if there is a network listener

	events      *esdb.Store
	nodeAddress string // of the event store, for other programs; mostly empty
	log         *zap.Logger
	now         func() time.Time
	closers     []func() error
}

type instanceConfig struct {
	dir    string
	id     string // of a new ledger
	origin string // of a new ledger
	create bool   // make the ledger if the directory has none
	// authorities are those under whose orders a new ledger can seal records.
	authorities []string
	rules       *events.Rules // of a new ledger; nil: the usual ones
	// private serves on a socket that only this process knows: a verb's own server
	// ends with the verb, and nobody else must come to depend on it.
	private bool
	tick    time.Duration
	// nodeListen is a loopback address at which other programs find the embedded
	// event store, if anywhere.
	nodeListen string
	network    listenFlags // where others than the owner may connect, if anywhere
	log        *zap.Logger
	// Addresses of servers that run elsewhere; empty means in this process.
	eventStore  string           // connection string of an EventStoreDB
	logServer   string           // host:port of a Trillian log server
	views       string           // URL of the PostgreSQL that holds the read models
	patience    time.Duration    // with a log server that is away; 0 means a minute
	predecessor *predecessor     // the ledger that this one continues, if any
	now         func() time.Time // nil means time.Now
	// acceptClock vouches for a clock that is far ahead of the last leaf.
	acceptClock bool
	// locked is called when this process is the only one on the directory, before
	// anything is opened; nil means nothing.
	locked func(ctx context.Context) error
}

// openInstance opens or creates the ledger in a data directory.
func openInstance(ctx context.Context, cfg instanceConfig) (*instance, error) {
	in := &instance{dir: cfg.dir, log: cfg.log, now: cfg.now}
	if in.now == nil {
		in.now = time.Now
	}
	if err := in.open(ctx, cfg); err != nil {
		return nil, explain(ctx, in.dir, errors.Join(err, in.close()))
	}
	return in, nil
}

func (in *instance) onClose(f func() error) { in.closers = append(in.closers, f) }

func (in *instance) close() error {
	var err error
	for i := len(in.closers) - 1; i >= 0; i-- {
		err = errors.Join(err, in.closers[i]())
	}
	in.closers = nil
	return err
}

func (in *instance) open(ctx context.Context, cfg instanceConfig) error {
	if err := in.openLedger(ctx, cfg); err != nil {
		return err
	}
	in.socket = in.dir
	if cfg.private {
		tmp, err := os.MkdirTemp("", "st-verb-")
		if err != nil {
			return fmt.Errorf("making a socket: %w", err)
		}
		in.socket = tmp
		in.onClose(func() error { return os.RemoveAll(tmp) })
	}
	reports, err := in.openViews(ctx, cfg, in.keys, in.events)
	if err != nil {
		return err
	}
	in.reports = reports
	if reports.Before, err = in.openBefore(cfg); err != nil {
		return err
	}
	if err := in.openAPI(ctx, reports); err != nil {
		return err
	}
	return in.openNetwork(ctx, cfg.network)
}

// openLedger opens the ledger and what it runs on, and nothing that serves it.
func (in *instance) openLedger(ctx context.Context, cfg instanceConfig) error {
	if err := in.lock(); err != nil {
		return err
	}
	if cfg.locked != nil {
		if err := cfg.locked(ctx); err != nil {
			return err
		}
	}
	keys, err := in.openKeys(ctx, cfg)
	if err != nil {
		return err
	}
	store, err := in.openStore(ctx, cfg)
	if err != nil {
		return err
	}
	trees, err := in.openLog(ctx, cfg)
	if err != nil {
		return err
	}
	conf := ledger.Config{
		ID: cfg.id, Store: store, Log: trees, Keys: keys, State: filepath.Join(in.dir, "state.db"), Tiles: in.tilesDir(), Tick: cfg.tick,
		Index:  filepath.Join(in.dir, "index"),
		Logger: in.log.Named("ledger"), AcceptClock: cfg.acceptClock, Now: in.now, Authorities: cfg.authorities, Publication: filepath.Join(in.dir, publicationName),
		Rules: cfg.rules,
	}
	if cfg.predecessor != nil {
		conf.Predecessor, conf.Predecessors = cfg.predecessor.Checkpoint, cfg.predecessor.Trust
	}
	if in.ledger, err = ledger.Open(ctx, conf); err != nil {
		return err
	}
	in.onClose(in.ledger.Close)
	return nil
}

// errBusy says that another process works on the data directory.
var errBusy = errors.New("another sharetrail runs")

// lock makes this process the only one on the data directory.
func (in *instance) lock() error {
	if err := os.MkdirAll(in.dir, 0o700); err != nil {
		return fmt.Errorf("making the data directory: %w", err)
	}
	if info, err := os.Stat(in.dir); err != nil {
		return fmt.Errorf("opening the data directory: %w", err)
	} else if info.Mode().Perm()&0o077 != 0 {
		return fmt.Errorf("other users can enter %s, and it will hold keys and personal data: run chmod 700 %s", in.dir, in.dir)
	}
	f, err := os.OpenFile(filepath.Join(in.dir, "lock"), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return fmt.Errorf("locking the data directory: %w", err)
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		return errors.Join(fmt.Errorf("%w on %s; stop it, or name another directory with --data", errBusy, in.dir), f.Close())
	}
	in.onClose(f.Close)
	if err := checkModes(in.dir); err != nil {
		return err
	}
	return in.checkFormat(filepath.Join(in.dir, "format"))
}

func (in *instance) checkFormat(path string) error {
	b, err := os.ReadFile(path)
	if errors.Is(err, os.ErrNotExist) {
		// Renamed into place: a crash leaves no file without its number.
		err := os.WriteFile(path+".new", []byte(strconv.Itoa(dataFormat)+"\n"), 0o600)
		if err == nil {
			err = os.Rename(path+".new", path)
		}
		if err != nil {
			return fmt.Errorf("writing the data directory's format: %w", err)
		}
		return nil
	}
	if err != nil {
		return fmt.Errorf("reading the data directory's format: %w", err)
	}
	have, err := strconv.Atoi(strings.TrimSpace(string(b)))
	switch {
	case err != nil:
		return fmt.Errorf("%s is not a number: %s is no data directory of sharetrail", path, in.dir)
	case have > dataFormat:
		return fmt.Errorf("%s has format %d, this program knows %d: use the newer sharetrail", in.dir, have, dataFormat)
	case have < dataFormat:
		return fmt.Errorf("%s has format %d, which this program cannot convert to %d", in.dir, have, dataFormat)
	}
	return nil
}

// openKeys opens the keystore, or makes one with the keys of a new ledger. Keys
// whose ledger has begun, without its events, would begin a second history under
// the same name.
func (in *instance) openKeys(ctx context.Context, cfg instanceConfig) (*keystore.Store, error) {
	origin, eventsHere := cfg.origin, cfg.eventStore == ""
	keys, err := keystore.Open(ctx, in.dir)
	if err != nil {
		return nil, err
	}
	in.keys = keys
	in.onClose(keys.Close)
	path := filepath.Join(in.dir, "events.db")
	file, missing := os.Stat(path)
	have, err := keys.Origin(ctx)
	_, begun, markErr := keys.Mark(ctx)
	if markErr != nil {
		return nil, markErr
	}
	switch {
	case errors.Is(err, keystore.ErrNoLedger) && missing == nil && file.Size() > 0:
		return nil, fmt.Errorf("%s has events but no keys: restore keys.db and wrap.key from their backup", in.dir)
	case errors.Is(err, keystore.ErrNoLedger) && !cfg.create:
		return nil, noLedger(in.dir)
	case errors.Is(err, keystore.ErrNoLedger):
		return keys, keys.Create(ctx, origin)
	case errors.Is(err, keystore.ErrKeyMissing):
		return nil, fmt.Errorf("opening %s: %w; restore keys.db and wrap.key, both from the same backup", in.dir, err)
	case err == nil && begun && eventsHere && errors.Is(missing, os.ErrNotExist):
		return nil, fmt.Errorf("%s is missing, but the keys of its ledger are there: restore it from its backup; what was published cannot begin anew", path)
	case err != nil:
		return nil, err
	case have != origin:
		return nil, fmt.Errorf("%s holds the ledger %s, not %s; name another directory with --data", in.dir, have, origin)
	}
	return keys, nil
}

func (in *instance) openStore(ctx context.Context, cfg instanceConfig) (*esdb.Store, error) {
	conf := esdb.Config{Connection: cfg.eventStore, Logger: in.log.Named("esdb")}
	if cfg.eventStore == "" {
		node, err := embedded.Open(ctx, embedded.Config{
			Path: filepath.Join(in.dir, "events.db"), Socket: in.nodeSocket(), Logger: in.log.Named("eventstore"),
			TCP:       cfg.nodeListen,
			Protected: func(stream string) bool { return strings.HasPrefix(stream, ledger.Stream("")) },
		})
		if err != nil {
			return nil, err
		}
		in.onClose(node.Close)
		in.nodeAddress = node.TCP()
		conf.Target = node.Target()
	}
	store, err := esdb.Open(ctx, conf)
	if err != nil {
		return nil, err
	}
	in.onClose(store.Close)
	in.events = store
	return store, nil
}

// nodeSocket is where the event store listens: in the data directory, so that a
// crash leaves nothing behind elsewhere, unless the path would be longer than a
// socket's may be.
func (in *instance) nodeSocket() string {
	abs, err := filepath.Abs(in.dir)
	if path := filepath.Join(abs, "run", "events.sock"); err == nil && len(path) <= 100 &&
		os.MkdirAll(filepath.Dir(path), 0o700) == nil {
		return path
	}
	return ""
}

// openLog opens the ledger's tree, in this process or on a log server whose
// signer integrates on its own.
func (in *instance) openLog(ctx context.Context, cfg instanceConfig) (*trillianlog.Log, error) {
	// Trillian's display names have at most 20 bytes.
	digest := sha256.Sum256([]byte(cfg.origin))
	conf := trillianlog.Config{TreeName: "st-" + hex.EncodeToString(digest[:8]), Logger: in.log.Named("trillian")}
	if address := cfg.logServer; address != "" {
		conn, err := grpc.NewClient(address, grpc.WithTransportCredentials(insecure.NewCredentials()))
		if err != nil {
			return nil, fmt.Errorf("connecting to the log server: %w", err)
		}
		in.onClose(conn.Close)
		conf.Conn = conn
		return openRemoteLog(ctx, conf, address, cmp.Or(cfg.patience, time.Minute))
	}
	server, err := trillian.Open(ctx, trillian.Config{Path: filepath.Join(in.dir, "log.db"), Logger: in.log.Named("trillian")})
	if err != nil {
		return nil, err
	}
	in.onClose(server.Close)
	in.trees = server
	conf.Conn = server.Conn()
	conf.Integrate = func(ctx context.Context, tree int64) error {
		_, err := server.Integrate(ctx, tree)
		return err
	}
	return trillianlog.Open(ctx, conf)
}

// tilesName is the directory of the log's tiles.
const tilesName = "tiles"

// tilesDir is where the log's tiles are written.
func (in *instance) tilesDir() string { return filepath.Join(in.dir, tilesName) }

// openRemoteLog waits for a log server that is away, but not for ever.
func openRemoteLog(ctx context.Context, conf trillianlog.Config, address string, patience time.Duration) (*trillianlog.Log, error) {
	hint := time.AfterFunc(2*time.Second, func() {
		fmt.Fprintf(os.Stderr, "waiting for the log server %s to answer\n", address)
	})
	defer hint.Stop()
	waiting, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	trees, err := trillianlog.Open(waiting, conf)
	if err != nil && ctx.Err() == nil && waiting.Err() != nil {
		return nil, fmt.Errorf("the log server %s has not answered for %s (--patience): start it, or name another with --trillian: %w", address, patience, err)
	}
	return trees, err
}

// openRows opens where the read models are kept: in the data directory, or in a
// PostgreSQL that other ledgers may use too.
func (in *instance) openRows(ctx context.Context, url, origin string) (projections.Store, error) {
	if url == "" {
		views, err := viewstore.Open(ctx, filepath.Join(in.dir, "views"), origin)
		if err == nil {
			in.onClose(views.Close)
		}
		return views, err
	}
	views, err := postgres.Open(ctx, postgres.Config{URL: url, Prefix: rowPrefix(origin), Origin: origin})
	if err == nil {
		in.onClose(views.Close)
	}
	return views, err
}

// rowPrefix begins the names of a ledger's schemas in PostgreSQL.
func rowPrefix(origin string) string {
	digest := sha256.Sum256([]byte(origin))
	return "st_" + hex.EncodeToString(digest[:6])
}

// whereRows says where the read models are. A connection string may hold a
// password.
func whereRows(dir, url string) string {
	if url == "" {
		return filepath.Join(dir, "views")
	}
	return "the ledger's schemas in PostgreSQL"
}

// openViews opens the read model and what runs and reads it.
func (in *instance) openViews(ctx context.Context, cfg instanceConfig, keys *keystore.Store, store *esdb.Store) (*projections.Reports, error) {
	secrets, err := keys.Secrets(ctx)
	if err != nil {
		return nil, err
	}
	views, err := in.openRows(ctx, cfg.views, secrets.Log.Name())
	if err != nil {
		return nil, err
	}
	model, err := projections.OpenReadModel(ctx, views, keys)
	if err != nil {
		return nil, err
	}
	model.ReadHeaders(store, in.ledger.Stream())
	in.onClose(model.Close)
	if next, err := model.Position(ctx); err != nil {
		return nil, err
	} else if accepted := in.ledger.Status().Accepted; next > accepted {
		return nil, fmt.Errorf("the read model has projected %d events and the stream has %d: it belongs to another copy of the stream; stop, delete %s, and it is built again",
			next, accepted, whereRows(in.dir, cfg.views))
	}
	in.runner, err = projections.NewRunner(projections.Config{
		Source: store, Stream: in.ledger.Stream(), Logger: in.log.Named("projections"), Now: in.now,
		Head: func(context.Context) (uint64, error) { return in.ledger.Status().Accepted, nil },
	}, model)
	return &projections.Reports{
		Prover: in.ledger, Rows: model, Runner: in.runner, Trust: in.ledger.Trust, Key: secrets.Report, Now: in.now,
	}, err
}
