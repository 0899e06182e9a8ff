package witness

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/mod/sumdb/note"
)

// notePath is the file of a log in a witness' directory.
func notePath(dir, origin string) string {
	return filepath.Join(dir, originHash(origin)+".checkpoint")
}

// readNote returns what was signed last of a log, "" if nothing was.
func readNote(dir, origin string) (string, error) {
	b, err := os.ReadFile(notePath(dir, origin))
	if errors.Is(err, os.ErrNotExist) {
		return "", nil
	}
	if err != nil {
		return "", fmt.Errorf("reading what was signed last of %s: %w", origin, err)
	}
	if len(b) == 0 { // a disk or a restore lost it; "nothing was signed" has no file
		return "", fmt.Errorf("reading what was signed last of %s: %s is empty; restore it, for without it a second history could be signed", origin, notePath(dir, origin))
	}
	return string(b), nil
}

// writeNote replaces it in one step; when it returns nil, that is durable. After an
// error the old one or the new one is there: the new one was not answered yet, and
// having it stored only makes the witness ask for a proof from it.
func writeNote(dir, origin, text string) error {
	path := notePath(dir, origin)
	f, err := os.OpenFile(path+".new", os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	_, err = io.WriteString(f, text)
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return err
	}
	if err := os.Rename(path+".new", path); err != nil {
		return err
	}
	return syncDir(dir)
}

func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// signatures are the signature lines of a note.
func signatures(text string) string {
	at := strings.LastIndex(text, "\n\n")
	if at < 0 {
		return ""
	}
	return text[at+2:]
}

// logLine is the log's own signature line in a note that was checked: what others
// signed is not passed on.
func logLine(text, vkey string) string {
	v, err := note.NewVerifier(vkey)
	if err != nil {
		return ""
	}
	n, err := note.Open([]byte(text), note.VerifierList(v))
	if err != nil {
		return ""
	}
	return "— " + n.Sigs[0].Name + " " + n.Sigs[0].Base64 + "\n"
}
