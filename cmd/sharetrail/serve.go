package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/sync/errgroup"
)

func serveCommand() *cobra.Command {
	var f dataFlags
	var network listenFlags
	var eventStore, logServer, views, nodeListen string
	var tick time.Duration
	cmd := &cobra.Command{
		Use:   "serve",
		Short: "Run the ledger of a data directory and serve /v1 on its socket",
		Long: `Runs the ledger until it is stopped. /v1 is served on the Unix socket api.sock in
the data directory, which only its owner can open. Every other verb uses it.

With --listen, /v1 and the web pages are served to others too, who need a token
("sharetrail actor add"): on a loopback address as it is, elsewhere with TLS.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := network.check(); err != nil {
				return err
			}
			cfg, err := f.config()
			if err != nil {
				return err
			}
			if cmd.Flags().Changed("eventstore") {
				cfg.eventStore = eventStore
			}
			if cmd.Flags().Changed("trillian") {
				cfg.logServer = logServer
			}
			if tick < 10*time.Millisecond {
				return errors.New("--tick: must be at least 10ms; leave it out for one second")
			}
			if cmd.Flags().Changed("views") {
				cfg.views = views
			}
			if nodeListen != "" && cfg.eventStore != "" {
				return errors.New("--node-listen: is for the event store in this process, and the ledger uses another one; leave one of the two out")
			}
			cfg.tick, cfg.network, cfg.nodeListen = tick, network, nodeListen
			return serveLedger(cmd.Context(), cmd.OutOrStdout(), cfg)
		},
	}
	f.register(cmd)
	network.register(cmd)
	f.registerClock(cmd)
	cmd.Flags().StringVar(&eventStore, "eventstore", "", "`connection` string of an EventStoreDB, instead of what init was told")
	cmd.Flags().StringVar(&logServer, "trillian", "", "`host:port` of a Trillian log server, instead of what init was told")
	cmd.Flags().StringVar(&nodeListen, "node-listen", "", "loopback `host:port` at which other programs on this machine read the event store with clients of their own; they cannot append to the ledger's streams")
	cmd.Flags().StringVar(&views, "views", "", "`URL` of a PostgreSQL for the read models, instead of what init was told")
	cmd.Flags().DurationVar(&tick, "tick", time.Second, "time between publications")
	return cmd
}

func serveLedger(ctx context.Context, out io.Writer, cfg instanceConfig) error {
	defer cfg.log.Sync()
	in, err := openInstance(ctx, cfg)
	if err != nil {
		return err
	}
	g, running := errgroup.WithContext(ctx)
	g.Go(func() error { return in.run(running) })
	if in.url != "" {
		fmt.Fprintf(out, "Pages and /v1, for actors with a token: %s\n", in.url)
	}
	if in.nodeAddress != "" {
		fmt.Fprintf(out, "Event store for other programs: esdb://%s?tls=false\n", in.nodeAddress)
	}
	fmt.Fprintf(out, "Serving %s: /v1 on %s. Stop with Ctrl-C.\n", in.ledger.Origin(), filepath.Join(cfg.dir, "api.sock"))
	return errors.Join(g.Wait(), in.close())
}
