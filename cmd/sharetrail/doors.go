package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"path/filepath"
	"time"

	"go.uber.org/zap"
	"golang.org/x/sync/errgroup"

	"github.com/sharetrail/sharetrail/internal/actor"
	"github.com/sharetrail/sharetrail/internal/api"
	"github.com/sharetrail/sharetrail/internal/ui"
	"github.com/sharetrail/sharetrail/projections"
)

// door is one way into the ledger: a server and where it listens.
type door struct {
	server   *http.Server
	listener net.Listener
}

// openAPI opens the actors' file, and the socket for the owner.
func (in *instance) openAPI(ctx context.Context, reports *projections.Reports) (err error) {
	if in.actors, err = actor.Open(ctx, filepath.Join(in.dir, "actors.db"), in.now); err != nil {
		return err
	}
	in.onClose(in.actors.Close)
	files := &api.Files{Dir: filepath.Join(in.dir, "reports"), Keys: reports.Rows}
	if err := files.Sweep(ctx); err != nil {
		return err
	}
	in.handler = api.Handler(api.Config{
		Ledger: in.ledger, Runner: in.runner, Reports: reports, Events: in.events,
		Files:  files,
		Book:   &api.AddressBook{Path: filepath.Join(in.dir, "recipients.json")},
		Actors: in.actors,
		Logger: in.log.Named("api"),
	})
	listener, err := api.Listen(ctx, in.socket)
	if err != nil {
		return err
	}
	in.addDoor(&http.Server{Handler: api.Owner(in.handler, in.actors, in.log.Named("api")), ReadHeaderTimeout: 10 * time.Second}, listener)
	return nil
}

// openNetwork opens the door for everybody else, if there is to be one.
func (in *instance) openNetwork(ctx context.Context, f listenFlags) error {
	listener, err := f.open(ctx)
	if listener == nil || err != nil {
		return err
	}
	log := in.log.Named("network")
	server := networkServer(ui.Handler(ui.Config{
		API: in.handler, Actors: in.actors, Logger: log, Now: in.now, Secure: f.cert != "",
	}))
	// What strangers do wrong is their affair, and nobody's name is in it.
	server.ErrorLog, err = zap.NewStdLogAt(log, zap.DebugLevel)
	in.url = f.url(listener)
	in.addDoor(server, listener)
	return err
}

func (in *instance) addDoor(server *http.Server, listener net.Listener) {
	in.doors = append(in.doors, door{server, listener})
	// The server closes it when it ran. The directory is still locked here, so the
	// socket is nobody else's.
	in.onClose(func() error {
		if err := listener.Close(); !errors.Is(err, net.ErrClosed) {
			return err
		}
		return nil
	})
}

// serve works until ctx ends; then no door takes new requests.
func (d door) serve(ctx context.Context, g *errgroup.Group) {
	g.Go(func() error {
		if err := d.server.Serve(d.listener); !errors.Is(err, http.ErrServerClosed) {
			return fmt.Errorf("serving the API: %w", err)
		}
		return nil
	})
	g.Go(func() error {
		<-ctx.Done()
		stopping, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
		defer cancel()
		return d.server.Shutdown(stopping)
	})
}

// run works until ctx ends, then stops in order: no new requests, no new
// events, no page half projected.
func (in *instance) run(ctx context.Context) error {
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error { return in.ledger.Run(ctx) })
	g.Go(func() error { return in.runner.Run(ctx) })
	for _, d := range in.doors {
		d.serve(ctx, g)
	}
	return g.Wait()
}
