package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/schollz/progressbar/v3"
	"golang.org/x/term"

	"github.com/sharetrail/sharetrail/ledger/tiles"
	"github.com/sharetrail/sharetrail/ledger/tiles/remote"
	"github.com/sharetrail/sharetrail/verifier/audit"
)

// openLog returns where a log's files are read: a URL or a directory.
func openLog(where, tokenFile string) (tiles.Source, error) {
	if !strings.Contains(where, "://") {
		if tokenFile != "" {
			return nil, errors.New("--token-file: is for a log on a server; leave it out for a directory")
		}
		if info, err := os.Stat(where); err != nil || !info.IsDir() {
			return nil, fmt.Errorf("%s: is neither a directory nor a URL; name the log's directory, or its address such as https://sharetrail.example.com/log", where)
		}
		return tiles.Dir(where), nil
	}
	cfg := remote.Config{URL: where}
	if tokenFile != "" {
		b, err := readFile(tokenFile, 1<<12)
		if err != nil {
			return nil, fmt.Errorf("--token-file: %w", err)
		}
		if cfg.Token = strings.TrimSpace(string(b)); cfg.Token == "" || strings.ContainsAny(cfg.Token, " \t\r\n") {
			return nil, fmt.Errorf("--token-file: %s must hold one token and nothing else", tokenFile)
		}
	}
	return remote.New(cfg)
}

// progress shows on a terminal how many leaves were read; elsewhere it is silent.
// The second function takes the bar away.
func progress(doing string) (show func(done, total uint64), end func()) {
	if !term.IsTerminal(int(os.Stderr.Fd())) {
		return nil, func() {}
	}
	var bar *progressbar.ProgressBar
	return func(done, total uint64) {
			if bar == nil {
				bar = progressbar.NewOptions64(int64(total),
					progressbar.OptionSetWriter(os.Stderr), progressbar.OptionSetDescription(doing),
					progressbar.OptionShowCount(), progressbar.OptionShowIts(), progressbar.OptionSetItsString("leaves"),
					progressbar.OptionSetPredictTime(true), progressbar.OptionFullWidth(),
					progressbar.OptionThrottle(100*time.Millisecond), progressbar.OptionClearOnFinish(),
				)
			}
			bar.Set64(int64(done))
		}, func() {
			if bar != nil {
				bar.Finish()
			}
		}
}

// logAnswer tells what reading a log has found wrong, and returns the exit code: a
// fault of the log refutes it, anything else is only unread.
func logAnswer(stdout, stderr io.Writer, err error) int {
	var f *audit.Fault
	if !errors.As(err, &f) {
		return fail(stderr, err)
	}
	fmt.Fprintf(stdout, "FAULT at leaf %d: %s.\nWhat to do: %s.\n", f.Index, f.Rule, f.Next)
	return refuted
}
