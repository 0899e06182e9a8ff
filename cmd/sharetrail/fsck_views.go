package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/sharetrail/sharetrail/events"
	"github.com/sharetrail/sharetrail/internal/keystore"
	"github.com/sharetrail/sharetrail/internal/sqlite"
	"github.com/sharetrail/sharetrail/ledger"
	"github.com/sharetrail/sharetrail/projections"
	viewstore "github.com/sharetrail/sharetrail/projections/sqlite"
)

// pageOfEvents is how many events are projected by one transaction.
const pageOfEvents = 500

// compareViews projects the stream into a new file, as far as the read model says
// it is, and compares the files.
func compareViews(ctx context.Context, dir string, keys *keystore.Store, store ledger.Store, stream string) (rows uint64, err error) {
	tmp, err := os.MkdirTemp("", "sharetrail-fsck-")
	if err != nil {
		return 0, fmt.Errorf("projecting again: %w", err)
	}
	defer os.RemoveAll(tmp)
	views := filepath.Join(dir, "views")
	next, version, err := projectTo(ctx, views, keys, nil)
	if err != nil {
		return 0, err
	}
	again, fresh, err := projectTo(ctx, tmp, keys, func(m *projections.ReadModel) error {
		return projectAgain(ctx, m, store, stream, next)
	})
	if err != nil {
		return 0, err
	}
	if again != next {
		return 0, fmt.Errorf("the read model has projected %d events, and the stream has %d: %w", next, again, ledger.ErrCorrupt)
	}
	// How often rows were committed, and the schema's history, are no content.
	rows, err = sqlite.Same(ctx, viewFile(views, version), viewFile(tmp, fresh), "progress", "goose_db_version")
	if err != nil {
		return rows, fmt.Errorf("the read model and the stream: %w. Delete the directory views: the next start projects it again", err)
	}
	return rows, nil
}

func viewFile(dir string, version int) string {
	return filepath.Join(dir, fmt.Sprintf("%s-v%d.db", projections.Name, version))
}

// projectTo opens the read model, does something with it, and tells how far it is.
func projectTo(ctx context.Context, dir string, keys *keystore.Store, do func(*projections.ReadModel) error) (next uint64, version int, err error) {
	secrets, err := keys.Secrets(ctx)
	if err != nil {
		return 0, 0, err
	}
	views, err := viewstore.Open(ctx, dir, secrets.Log.Name())
	if err != nil {
		return 0, 0, err
	}
	defer func() { err = errors.Join(err, views.Close()) }()
	m, err := projections.OpenReadModel(ctx, views, keys)
	if err != nil {
		return 0, 0, err
	}
	defer func() { err = errors.Join(err, m.Close()) }()
	if do != nil {
		if err := do(m); err != nil {
			return 0, 0, err
		}
	}
	next, err = m.Position(ctx)
	return next, m.Version(), err
}

// projectAgain projects the first events of the stream.
func projectAgain(ctx context.Context, m *projections.ReadModel, store ledger.Store, stream string, count uint64) error {
	m.ReadHeaders(store, stream)
	var page []events.Recorded
	for e, err := range store.Read(ctx, stream, 0, count) {
		if err != nil {
			return fmt.Errorf("projecting again: %w", err)
		}
		if page = append(page, e); len(page) < pageOfEvents {
			continue
		}
		if err := m.Apply(ctx, page); err != nil {
			return err
		}
		page = nil
	}
	if len(page) == 0 {
		return nil
	}
	return m.Apply(ctx, page)
}
