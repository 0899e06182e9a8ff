package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// notRun are the lines of the README that no test runs, each with the reason.
var notRun = map[string]string{
	"git clone https://github.com/sharetrail/sharetrail && cd sharetrail": "this test is of the clone at hand",
	"go test ./...": "this test is one of them",
}

// asInstalled are the programs that the README runs from their sources; building
// them is what this test's own main does.
var asInstalled = strings.NewReplacer("go run ./cmd/sharetrail-verify", "sharetrail-verify", "go run ./cmd/sharetrail", "sharetrail")

// block is a fenced block of a Markdown file.
type block struct {
	lang string
	text string
	line int
}

var fence = regexp.MustCompile("(?ms)^```([a-z]*)\n(.*?)^```$")

func blocksOf(t *testing.T, path string) (all []block) {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for _, at := range fence.FindAllSubmatchIndex(b, -1) {
		all = append(all, block{string(b[at[2]:at[3]]), string(b[at[4]:at[5]]), 1 + strings.Count(string(b[:at[0]]), "\n")})
	}
	return all
}

// TestReadme runs every command block of the README, one after the other in one
// empty directory, as a reader would, and wants what it shows of the output.
func TestReadme(t *testing.T) {
	t.Parallel()
	r := &reader{t: t, dir: t.TempDir()}
	said, ran := "", 0
	skipped := map[string]bool{}
	for _, b := range blocksOf(t, "../../README.md") {
		switch b.lang {
		case "":
			shows(t, b, said)
			continue
		case "sh":
		default:
			continue
		}
		var lines []string
		for line := range strings.Lines(b.text) {
			line = strings.TrimSuffix(line, "\n")
			if _, ok := notRun[line]; ok {
				skipped[line] = true
				continue
			}
			lines = append(lines, line)
		}
		if len(lines) == 0 {
			continue
		}
		said = r.run(b.line, lines)
		ran++
	}
	for line, why := range notRun {
		if !skipped[line] {
			t.Errorf("the README no longer has %q (%s): take it off the list", line, why)
		}
	}
	if ran < 4 {
		t.Errorf("only %d blocks were run", ran)
	}
}

// reader is somebody with a shell in an empty directory, and a second one for a
// server.
type reader struct {
	t   *testing.T
	dir string
	env []string // what was exported
}

const serveVerb = "sharetrail serve"

// run runs lines in a shell that stops at the first that fails, and returns what
// they say. A server, which a line starts or whose socket a line uses, runs until
// they are done. DIR is the ledger that an earlier block has made.
func (r *reader) run(line int, lines []string) string {
	r.t.Helper()
	var script []string
	var server []string // its arguments
	for _, l := range lines {
		switch {
		case strings.HasPrefix(l, serveVerb): // on a free port: the one it shows may be taken
			server = append([]string{}, strings.Fields(strings.ReplaceAll(l[len(serveVerb):], ":8080", ":0"))...)
			continue
		case strings.HasPrefix(l, "export "):
			r.env = append(r.env, strings.TrimPrefix(l, "export "))
		case strings.Contains(l, "DIR/") && server == nil:
			server = []string{}
		}
		script = append(script, asInstalled.Replace(strings.ReplaceAll(strings.ReplaceAll(l, "DIR/", "ledger/"), "curl ", "curl --fail --silent --show-error ")))
	}
	if server != nil {
		p := startServe(r.t, filepath.Join(r.dir, "ledger"), server...)
		defer func() {
			if err := p.signal(os.Interrupt); err != nil {
				r.t.Errorf("stopping the server: %v\n%s", err, &p.stderr)
			}
		}()
	}
	text := strings.Join(script, "\n") + "\n"
	if _, err := exec.LookPath("curl"); err != nil && strings.Contains(text, "curl ") && os.Getenv("SHARETRAIL_REQUIRE_BACKENDS") != "1" {
		r.t.Logf("README.md:%d is not run: %v", line, err)
		return ""
	}
	cmd := exec.CommandContext(r.t.Context(), "sh", "-eu")
	cmd.Dir, cmd.Env, cmd.Stdin = r.dir, append(os.Environ(), r.env...), strings.NewReader(text)
	out, err := cmd.CombinedOutput()
	if err != nil {
		r.t.Fatalf("README.md:%d: %v\n%s\n%s", line, err, text, out)
	}
	return string(out)
}

var figures = regexp.MustCompile(`\([0-9.]+(µs|ms|s)\)|[0-9]+`)

// plain is a text without its figures, of which the README shows an example, and
// without its lines, which the README breaks where they are long.
func plain(text string) string {
	return strings.Join(strings.Fields(strings.ReplaceAll(figures.ReplaceAllString(text, "#"), "|", "")), " ")
}

// shows wants each line of the README's output in what the commands before it said;
// "..." stands for any.
func shows(t *testing.T, b block, said string) {
	t.Helper()
	all := plain(said)
	for line := range strings.Lines(b.text) {
		if p := plain(line); p != "..." && !strings.Contains(all, p) {
			t.Errorf("README.md:%d shows %q, and the program says\n%s", b.line, strings.TrimSpace(line), said)
		}
	}
}
