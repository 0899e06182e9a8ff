package main

import (
	"crypto/rand"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/google/uuid"
	"github.com/rogpeppe/go-internal/testscript"
)

// TestMain lets tests and scripts run this program as a process: the test binary
// is sharetrail when it is called so. sharetrail-verify is built once.
func TestMain(m *testing.M) {
	testscript.Main(withVerifier{m}, map[string]func(){"sharetrail": main})
}

type withVerifier struct{ *testing.M }

func (m withVerifier) Run() int {
	dir, err := os.MkdirTemp("", "st-test-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	// Now, as nothing may read them while they are set.
	rand.Reader = &entropy
	uuid.SetRand(&entropy)
	build := exec.Command("go", "build", "-o", filepath.Join(dir, verifierName), "../"+verifierName)
	if out, err := build.CombinedOutput(); err != nil {
		fmt.Fprintf(os.Stderr, "building %s: %v\n%s", verifierName, err, out)
		return 1
	}
	os.Setenv("PATH", dir+string(filepath.ListSeparator)+os.Getenv("PATH"))
	return m.M.Run()
}

func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir: "testdata/script", RequireExplicitExec: true, RequireUniqueNames: true,
	})
}
