package main

import (
	"flag"
	"io"
	"slices"
	"strings"
	"testing"
)

func TestParse(t *testing.T) {
	for in, want := range map[string]string{
		"--id a file":          "a file",
		"file --id a":          "a file",
		"one --id a two":       "a one two",
		"--id a -- --id b":     "a --id b",
		"one -- two --id b":    " one two --id b",
		"--id a":               "a",
		"file --nothing there": "error",
		"file --id":            "error",
	} {
		flags := flag.NewFlagSet("test", flag.ContinueOnError)
		flags.SetOutput(io.Discard)
		id := flags.String("id", "", "")
		names, err := parse(flags, strings.Fields(in))
		got := strings.Join(slices.Concat([]string{*id}, names), " ")
		if err != nil {
			got = "error"
		}
		if got != want {
			t.Errorf("%q gives %q, want %q", in, got, want)
		}
	}
}
