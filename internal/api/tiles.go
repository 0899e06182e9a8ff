package api

import (
	"errors"
	"io/fs"
	"net/http"
	"reflect"
	"strings"

	"github.com/danielgtaylor/huma/v2"
	"go.uber.org/zap"

	"github.com/sharetrail/sharetrail/internal/actor"
	"github.com/sharetrail/sharetrail/ledger/tiles"
)

// LogPath is where the log's files stand (c2sp.org/tlog-tiles): clients append the
// paths of package tiles to it.
const LogPath = "/log"

const (
	opaque     = "application/octet-stream"
	unchanging = "max-age=31536000, immutable"
)

// registerTiles serves the log's files. A tile's path has as many parts as its
// number needs, which no operation of the library takes: the document shows it as
// one parameter.
func (s *server) registerTiles(api huma.API, mux *http.ServeMux) {
	for _, f := range []struct {
		id, path, parameter, summary, description, contentType string
	}{
		{"get-log-checkpoint", "/checkpoint", "", "The newest checkpoint, beside its tiles",
			"A c2sp.org/tlog-checkpoint. Every tile of its size is there before it is.", "text/plain; charset=utf-8"},
		{"get-tile", "/tile/{path}", "level and number of a tile, with its slashes, such as 0/x001/234.p/17", "A tile of the log",
			"A file of c2sp.org/tlog-tiles: 256 hashes of a level, or under entries/ 256 leaves; fewer at the right edge. Nothing in it is personal data.", opaque},
		{"get-rules", "/rules/{path}", "the rules hash, in hexadecimal", "A rules document",
			"What whoever replays the leaves checks them against. Its hash stands in state leaves.", "application/json"},
	} {
		pattern := "GET " + LogPath + strings.Replace(f.path, "{path}", "{path...}", 1)
		mux.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) { s.logFile(w, r, f.id, f.contentType) })
		op := &huma.Operation{
			OperationID: f.id, Method: http.MethodGet, Path: LogPath + f.path, Tags: []string{"log"}, Summary: f.summary, Description: f.description,
			Responses: map[string]*huma.Response{"200": {Description: "The file", Content: map[string]*huma.MediaType{strings.Split(f.contentType, ";")[0]: {}}}},
		}
		if f.parameter != "" {
			op.Parameters = []*huma.Param{{Name: "path", In: "path", Required: true, Description: f.parameter, Schema: &huma.Schema{Type: "string"}}}
		}
		problem := api.OpenAPI().Components.Schemas.Schema(reflect.TypeFor[Problem](), true, "Problem")
		for status, said := range map[string]string{"404": "There is no such file, or not yet", "500": "The ledger has a fault"} {
			op.Responses[status] = &huma.Response{Description: said, Content: map[string]*huma.MediaType{"application/problem+json": {Schema: problem}}}
		}
		api.OpenAPI().AddOperation(op)
	}
}

// logFile serves one of the log's files to whoever may read it.
func (s *server) logFile(w http.ResponseWriter, r *http.Request, operation, contentType string) {
	a, known := actor.FromContext(r.Context())
	if p := s.refusal(a, known, operation); p != nil {
		if p.Status == http.StatusUnauthorized {
			w.Header().Set("WWW-Authenticate", challenge)
		}
		writeProblem(w, p)
		return
	}
	b, err := s.readLog(r, strings.TrimPrefix(r.URL.Path, LogPath+"/"))
	switch {
	case errors.Is(err, fs.ErrNotExist):
		writeProblem(w, newProblem(http.StatusNotFound, "the log has no such file; of a partial tile that is gone there is the full one. GET "+LogPath+"/checkpoint says how large the log is"))
		return
	case err != nil:
		s.Logger.Error("reading a file of the log", zap.Error(err))
		writeProblem(w, newProblem(http.StatusInternalServerError, "the file cannot be read; the ledger's log says why"))
		return
	}
	w.Header().Set("Content-Type", contentType)
	if operation != "get-log-checkpoint" && s.Ledger.Public() {
		w.Header().Set("Cache-Control", "public, "+unchanging)
	}
	w.Write(b) // who has gone cannot be told
}

// readLog reads a file by a path that is one of the log's, and none beside it.
func (s *server) readLog(r *http.Request, path string) ([]byte, error) {
	dir := s.Ledger.TilesDir()
	if _, err := tiles.ParseTile(path); dir == "" || err != nil && path != "checkpoint" && !tiles.IsRules(path) {
		return nil, fs.ErrNotExist
	}
	return tiles.Dir(dir).Read(r.Context(), path, tiles.MaxFile)
}
