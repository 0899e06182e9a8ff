package ui

import (
	"bytes"
	"embed"
	"errors"
	"html/template"
	"net/http"
	"strings"

	"go.uber.org/zap"

	"github.com/sharetrail/sharetrail/internal/actor"
	"github.com/sharetrail/sharetrail/internal/api"
)

//go:embed templates
var templateFiles embed.FS

// pages are the templates, each with the layout and the parts that pages share.
var pages = parsePages("signin", "home", "record", "preview", "recorded", "ask", "report", "message")

func parsePages(names ...string) map[string]*template.Template {
	all := map[string]*template.Template{}
	shared := template.Must(template.New("").Funcs(template.FuncMap{"words": words, "join": strings.Join, "dict": dict}).
		ParseFS(templateFiles, "templates/layout.html", "templates/parts.html"))
	for _, name := range names {
		all[name] = template.Must(template.Must(shared.Clone()).ParseFS(templateFiles, "templates/"+name+".html"))
	}
	return all
}

// dict names the arguments of a part: name, value, name, value.
func dict(pairs ...any) (map[string]any, error) {
	m := map[string]any{}
	for ; len(pairs) >= 2; pairs = pairs[2:] {
		name, ok := pairs[0].(string)
		if !ok {
			return nil, errors.New("a name is no text")
		}
		m[name] = pairs[1]
	}
	return m, nil
}

// page is what the layout needs. Titles are in the browser's history: they name
// nobody.
type page struct {
	Title  string
	CSRF   string
	Actor  actor.Actor // nobody on the page to sign in
	Failed bool        // something typed is wrong
	Here   string      // which of the two pages it belongs to
}

func (p page) MayRecord() bool { return api.Allowed(p.Actor.Role, "record-disclosure") }

func (p page) MayReport() bool { return api.Allowed(p.Actor.Role, "write-report") }

func pageOf(one *session, title, here string) page {
	return page{Title: title, CSRF: one.csrf, Actor: one.actor, Here: here}
}

func (s *site) render(w http.ResponseWriter, status int, name string, data any) {
	var b bytes.Buffer
	if err := pages[name].ExecuteTemplate(&b, "layout", data); err != nil {
		s.Logger.Error("rendering a page failed", zap.String("page", name), zap.Error(err))
		http.Error(w, "The page could not be shown; the ledger's log says why.", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.WriteHeader(status)
	w.Write(b.Bytes()) // a reader who has gone needs no page
}

type messagePage struct {
	page
	Text string
}

// say shows a page with a message. one is nil for who is not signed in.
func (s *site) say(w http.ResponseWriter, one *session, status int, title, text string) {
	p := page{Title: title, Failed: status >= 400}
	if one != nil {
		p.CSRF, p.Actor = one.csrf, one.actor
	}
	s.render(w, status, "message", &messagePage{p, text})
}

func (s *site) refuseForm(w http.ResponseWriter, err error) {
	var tooLarge *http.MaxBytesError
	if errors.As(err, &tooLarge) {
		s.say(w, nil, http.StatusRequestEntityTooLarge, "That was too much at once",
			"A form may hold one megabyte. Nothing was recorded. Go back, shorten the texts or name fewer people, and send it again.")
		return
	}
	s.say(w, nil, http.StatusBadRequest, "That form could not be read", "Nothing was recorded. Go back and send it again.")
}

// refuse shows an answer of /v1 that is no field's.
func (s *site) refuse(v *visit, err error) {
	status, title, text := http.StatusInternalServerError, "The ledger could not do this", "Its log says why. Nothing you typed is recorded twice if you repeat it."
	var problem *api.ProblemError
	if errors.As(err, &problem) {
		status, title, text = problem.Status, problem.Title, sentence(problem.Detail)
	} else {
		s.Logger.Error("a page failed", zap.Error(err))
	}
	s.say(v.w, v.session, status, title, text)
}

func (s *site) missing(v *visit) {
	s.say(v.w, v.session, http.StatusNotFound, "There is nothing here", "Choose a page above.")
}

type homePage struct {
	page
	Status api.Status
}

func (s *site) home(v *visit) {
	status, err := v.v.Status(v.r.Context())
	if err != nil {
		s.refuse(v, err)
		return
	}
	s.render(v.w, http.StatusOK, "home", &homePage{pageOf(v.session, "Start", ""), status})
}

// sentence makes a sentence of a rule and a next step, "must be X; do Y".
func sentence(text string) string {
	parts := strings.Split(text, "; ")
	for i, p := range parts {
		if p != "" {
			parts[i] = strings.ToUpper(p[:1]) + p[1:]
		}
	}
	return strings.TrimSuffix(strings.Join(parts, ". "), ".") + "."
}
