package index_test

import (
	"bytes"
	"encoding/binary"
	"os"
	"path/filepath"
	"testing"

	"github.com/sharetrail/sharetrail/ledger/index"
)

// FuzzGeneration: a file is refused, or is a tree that can be walked; nothing
// panics, and no root comes out that the entries do not give.
func FuzzGeneration(f *testing.F) {
	dir, _, _ := small(f, 60)
	files, err := filepath.Glob(filepath.Join(dir, "*.gen"))
	if err != nil || len(files) != 1 {
		f.Fatal(files, err)
	}
	whole, err := os.ReadFile(files[0])
	if err != nil {
		f.Fatal(err)
	}
	f.Add(whole)
	f.Add(whole[:len(whole)-1])
	f.Fuzz(func(t *testing.T, b []byte) {
		path := filepath.Join(t.TempDir(), filepath.Base(files[0]))
		if err := os.WriteFile(path, b, 0o600); err != nil {
			t.Fatal(err)
		}
		s, err := index.Open(index.Config{Dir: filepath.Dir(path), ReadOnly: true})
		if err != nil {
			return
		}
		defer s.Close()
		if s.Tree().Check() != nil {
			return
		}
		// Who knows the format can make another file that is right in itself: then its
		// root is that of its entries.
		var es []index.Entry
		for raw := b[64 : 64+64*s.Tree().Len()]; len(raw) > 0; raw = raw[64:] {
			es = append(es, index.Entry{Label: [32]byte(raw), Value: [32]byte(raw[32:])})
		}
		if s.Tree().Root() != naiveRoot(es, 0) {
			t.Error("the root is not that of the entries")
		}
	})
}

// FuzzTable: whatever the table says, it makes a tree or an error.
func FuzzTable(f *testing.F) {
	f.Add([]byte{0, 3})
	f.Add(append(append([]byte{1, 16}, make([]byte, 32)...), 1, 16))
	f.Add([]byte{255, 0, 255, 0})
	f.Fuzz(func(t *testing.T, table []byte) {
		tree, size, err := index.ParseTable(table)
		if err != nil {
			return
		}
		if again := index.Table(tree); !bytes.Equal(again, table) || tree.Len() != size {
			t.Errorf("%x is read, and written as %x", table, again)
		}
	})
}

// FuzzLog: the commits that are read are the file's bytes, up to where it ends.
func FuzzLog(f *testing.F) {
	dir, _, _ := small(f, 60)
	files, err := filepath.Glob(filepath.Join(dir, "*.log"))
	if err != nil || len(files) != 2 {
		f.Fatal(files, err)
	}
	for _, file := range files {
		whole, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(whole[108:], binary.BigEndian.Uint64(whole[64:]))
	}
	f.Fuzz(func(t *testing.T, commits []byte, size uint64) {
		again, err := index.ReadCommits(commits, size)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.HasPrefix(commits, again) {
			t.Error("what was read is not what is there")
		}
	})
}
