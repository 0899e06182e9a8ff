package witness

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"strconv"
	"sync"
	"time"

	"github.com/sharetrail/sharetrail/verifier"
)

// Log is a log that a witness watches.
type Log struct {
	Origin string
	Key    string // vkey
}

// Config says who witnesses what.
type Config struct {
	Key  *verifier.CosignerKey
	Logs []Log
	// Dir keeps what was signed last. A witness that loses it may sign a second
	// history; two witnesses never share one.
	Dir string
	// Before is called before anything newer is signed, with the checkpoint, which
	// continues the one of size old, and its signed note. An error refuses: ErrFault in
	// it says for good, any other for now. It may take its time; nothing else of the
	// same log is looked at meanwhile. Nil means that growth is enough.
	Before func(ctx context.Context, old uint64, c verifier.Checkpoint, note string) error
	Now    func() time.Time // nil means time.Now
	Logger *slog.Logger     // nil means silence
}

// ErrFault says that a checkpoint must never be signed: its log is at fault.
var ErrFault = errors.New("the log is at fault")

// Server is a witness. It serves add-checkpoint and the newest checkpoint of each
// log, as c2sp.org/tlog-witness has them.
type Server struct {
	cfg  Config
	logs map[string]*watched // by origin
	urls map[string]*watched // by origin hash
	lock io.Closer
}

// watched is one log, whose newest checkpoint one request at a time replaces.
type watched struct {
	Log
	mu   sync.Mutex
	last signed // stored; zero before the first
}

// signed is a checkpoint and its note, with the log's signature and ours.
type signed struct {
	verifier.Checkpoint
	note string
}

// Open reads what was signed last. Close gives the directory back.
func Open(cfg Config) (*Server, error) {
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	lock, err := lockDir(cfg.Dir)
	if err != nil {
		return nil, err
	}
	s := &Server{cfg: cfg, logs: map[string]*watched{}, urls: map[string]*watched{}, lock: lock}
	for _, l := range cfg.Logs {
		w := &watched{Log: l}
		if err := s.add(w); err != nil {
			return nil, errors.Join(err, lock.Close())
		}
	}
	return s, nil
}

// Close lets another process have the directory. Nothing must be served any more.
func (s *Server) Close() error { return s.lock.Close() }

func (s *Server) add(w *watched) error {
	// A key that is the log's own would let the log vouch for itself.
	policy := "log " + w.Key + "\nwitness self " + s.cfg.Key.String() + "\nquorum self\n"
	if _, err := verifier.ParsePolicy(policy); err != nil {
		return fmt.Errorf("watching %s: its key or ours cannot be used, or they are the same: %w", w.Origin, err)
	}
	if s.logs[w.Origin] != nil {
		return fmt.Errorf("watching %s: it is named twice; name each log once", w.Origin)
	}
	note, err := readNote(s.cfg.Dir, w.Origin)
	if err != nil {
		return err
	}
	if note != "" {
		c, err := verifier.OpenCheckpoint([]byte(note), w.Origin, w.Key)
		if err != nil {
			return fmt.Errorf("reading what was signed last of %s: %w; restore it, for without it a second history could be signed", w.Origin, err)
		}
		if _, _, err := s.cfg.Key.Take(note, signatures(note)); err != nil {
			return fmt.Errorf("reading what was signed last of %s: it is not signed by %s; use the key that signed it, or another directory", w.Origin, s.cfg.Key)
		}
		w.last = signed{c, note}
	}
	s.logs[w.Origin], s.urls[originHash(w.Origin)] = w, w
	return nil
}

// Handler serves the witness.
func (s *Server) Handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("POST /add-checkpoint", s.addCheckpoint)
	mux.HandleFunc("GET /{origin}/checkpoint", s.checkpoint)
	return mux
}

func (s *Server) checkpoint(w http.ResponseWriter, r *http.Request) {
	log := s.urls[r.PathValue("origin")]
	if log == nil {
		refuse(w, http.StatusNotFound, "this witness watches no such log")
		return
	}
	log.mu.Lock()
	note := log.last.note
	log.mu.Unlock()
	if note == "" {
		refuse(w, http.StatusNotFound, "nothing was signed of this log yet")
		return
	}
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	io.WriteString(w, note)
}

func (s *Server) addCheckpoint(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	if err != nil {
		refuse(w, http.StatusBadRequest, "the body is larger than 16 KiB, or was cut")
		return
	}
	req, err := ParseRequest(body)
	if err != nil {
		refuse(w, http.StatusBadRequest, "the body is not that of add-checkpoint (c2sp.org/tlog-witness)")
		return
	}
	log := s.logs[verifier.PeekOrigin([]byte(req.Checkpoint))]
	if log == nil {
		refuse(w, http.StatusNotFound, "this witness does not watch the log of this origin")
		return
	}
	c, err := verifier.OpenCheckpoint([]byte(req.Checkpoint), log.Origin, log.Key)
	switch {
	case errors.Is(err, verifier.ErrCheckpoint):
		refuse(w, http.StatusBadRequest, "the checkpoint is malformed, or has extension lines")
	case err != nil:
		refuse(w, http.StatusForbidden, "the checkpoint is not signed by the key that this witness knows for the log")
	case req.Old > c.Size:
		refuse(w, http.StatusBadRequest, "the old size is larger than the checkpoint's")
	default:
		s.cosign(w, r, log, req, c)
	}
}

// cosign compares, stores and answers, one request of a log at a time.
func (s *Server) cosign(w http.ResponseWriter, r *http.Request, log *watched, req *Request, c verifier.Checkpoint) {
	log.mu.Lock()
	defer log.mu.Unlock()
	say := s.cfg.Logger.With("origin", log.Origin, "size", c.Size, "last", log.last.Size)
	if req.Old != log.last.Size {
		w.Header().Set("Content-Type", sizeType)
		w.WriteHeader(http.StatusConflict)
		fmt.Fprintf(w, "%d\n", log.last.Size)
		return
	}
	if err := CheckConsistency(req.Proof, log.last.Size, log.last.Root, c); err != nil {
		// The log signed it: with what was signed last it may show that the log has
		// two histories. Whoever runs the witness can tell from both notes.
		say.Error("refused: the log signed a checkpoint without a proof that it continues the last one", "note", req.Checkpoint, "stored", log.last.note)
		refuse(w, http.StatusUnprocessableEntity, err.Error())
		return
	}
	if s.cfg.Before != nil {
		switch err := s.cfg.Before(r.Context(), log.last.Size, c, req.Checkpoint); {
		case errors.Is(err, ErrFault):
			say.Error("refused: the log is at fault", "why", err.Error(), "note", req.Checkpoint)
			refuse(w, http.StatusUnprocessableEntity, err.Error())
			return
		case err != nil:
			say.Warn("put off", "why", err.Error())
			refuse(w, http.StatusServiceUnavailable, "not now: "+err.Error())
			return
		}
	}
	line, err := s.cfg.Key.Cosign(c, s.cfg.Now())
	if err != nil {
		say.Error("not signed", "why", err.Error())
		refuse(w, http.StatusInternalServerError, "this witness cannot sign now")
		return
	}
	next := signed{c, c.Format() + "\n" + logLine(req.Checkpoint, log.Key) + line}
	if err := writeNote(s.cfg.Dir, log.Origin, next.note); err != nil {
		say.Error("not signed: what would be signed could not be stored", "why", err.Error())
		refuse(w, http.StatusInternalServerError, "this witness cannot store what it signs")
		return
	}
	log.last = next
	say.Info("cosigned")
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Header().Set("Content-Length", strconv.Itoa(len(line)))
	io.WriteString(w, line)
}

func refuse(w http.ResponseWriter, status int, why string) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(status)
	io.WriteString(w, why+"\n")
}
