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
	dir := t.TempDir()
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
		said = runBlock(t, dir, b.line, strings.Join(lines, "\n"))
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

// runBlock runs lines in a shell that stops at the first that fails, and returns
// what they say. DIR is the ledger that an earlier block has made; a block that uses
// its socket gets a server.
func runBlock(t *testing.T, dir string, line int, script string) string {
	t.Helper()
	ledger := filepath.Join(dir, "ledger")
	if strings.Contains(script, "DIR/") {
		if _, err := exec.LookPath("curl"); err != nil && strings.Contains(script, "curl") && os.Getenv("SHARETRAIL_REQUIRE_BACKENDS") != "1" {
			t.Logf("README.md:%d is not run: %v", line, err)
			return ""
		}
		p := startServe(t, ledger)
		defer func() {
			if err := p.signal(os.Interrupt); err != nil {
				t.Errorf("stopping the server: %v\n%s", err, &p.stderr)
			}
		}()
		script = strings.ReplaceAll(script, "DIR/", "ledger/")
		script = strings.ReplaceAll(script, "curl ", "curl --fail --silent --show-error ")
	}
	cmd := exec.CommandContext(t.Context(), "sh", "-eu")
	cmd.Dir, cmd.Stdin = dir, strings.NewReader(asInstalled.Replace(script)+"\n")
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("README.md:%d: %v\n%s\n%s", line, err, script, out)
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
