package main

import (
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"net/http"
	"time"

	"github.com/spf13/cobra"

	"github.com/sharetrail/sharetrail/events"
)

// listenFlags open a ledger to the network.
type listenFlags struct{ listen, cert, key string }

func (f *listenFlags) register(cmd *cobra.Command) {
	cmd.Flags().StringVar(&f.listen, "listen", "", "also serve /v1 and the web pages on `host:port`, to actors with a token")
	cmd.Flags().StringVar(&f.cert, "tls-cert", "", "certificate `file` (PEM); needed where other machines can connect")
	cmd.Flags().StringVar(&f.key, "tls-key", "", "`file` with the certificate's private key (PEM)")
}

// check demands TLS on every address but a loopback one: a token sent in clear
// is everybody's.
func (f *listenFlags) check() error {
	if f.listen == "" {
		if f.cert != "" || f.key != "" {
			return &events.FieldError{Field: "--listen", Rule: "is required with --tls-cert and --tls-key", Next: "name an address such as 127.0.0.1:8080"}
		}
		return nil
	}
	host, _, err := net.SplitHostPort(f.listen)
	if err != nil {
		return &events.FieldError{Field: "--listen", Rule: "must be host:port", Next: "write it like 127.0.0.1:8080"}
	}
	if (f.cert == "") != (f.key == "") {
		return &events.FieldError{Field: "--tls-cert", Rule: "goes with --tls-key", Next: "name both files"}
	}
	if ip := net.ParseIP(host); f.cert == "" && (ip == nil || !ip.IsLoopback()) {
		return &events.FieldError{Field: "--listen", Rule: "must be a loopback address such as 127.0.0.1 without TLS, because tokens and reports would cross the network in clear",
			Next: "name --tls-cert and --tls-key, or put a server with TLS in front"}
	}
	return nil
}

// open listens; nil if nothing is to be opened.
func (f *listenFlags) open(ctx context.Context) (net.Listener, error) {
	if f.listen == "" {
		return nil, nil
	}
	var config *tls.Config
	if f.cert != "" {
		pair, err := tls.LoadX509KeyPair(f.cert, f.key)
		if err != nil {
			return nil, fmt.Errorf("reading the TLS certificate and its key: %w", err)
		}
		config = &tls.Config{Certificates: []tls.Certificate{pair}, MinVersion: tls.VersionTLS12, NextProtos: []string{"h2", "http/1.1"}}
	}
	l, err := new(net.ListenConfig).Listen(ctx, "tcp", f.listen)
	if err != nil {
		return nil, fmt.Errorf("--listen: %w", err)
	}
	if config != nil {
		l = tls.NewListener(l, config)
	}
	return l, nil
}

// url is where a browser finds the pages.
func (f *listenFlags) url(l net.Listener) string {
	if f.cert != "" {
		return "https://" + l.Addr().String() + "/"
	}
	return "http://" + l.Addr().String() + "/"
}

// networkServer is a server that strangers may connect to: nothing they do or
// leave undone holds a connection for ever. Writing has the longest time, since
// an answer may wait for a publication.
func networkServer(h http.Handler) *http.Server {
	return &http.Server{
		Handler:           h,
		ReadHeaderTimeout: 10 * time.Second,
		ReadTimeout:       2 * time.Minute,
		WriteTimeout:      3 * time.Minute,
		IdleTimeout:       2 * time.Minute,
		MaxHeaderBytes:    32 << 10,
	}
}
