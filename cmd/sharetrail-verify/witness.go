package main

import (
	"context"
	"crypto/rand"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"github.com/sharetrail/sharetrail/verifier"
	"github.com/sharetrail/sharetrail/verifier/witness"
)

// keygen makes the key of a cosigner, and prints its public half.
func keygen(args []string, stdout, stderr io.Writer) int {
	flags := flag.NewFlagSet("keygen", flag.ContinueOnError)
	flags.SetOutput(io.Discard)
	name := flags.String("name", "", "")
	file := flags.String("key", "", "")
	if err := flags.Parse(args); err != nil || flags.NArg() != 0 || *name == "" || *file == "" {
		return fail(stderr, errors.New("a name and a file must be given, as in: keygen --name witness.example.com/w1 --key w1.key"))
	}
	var seed [32]byte
	rand.Read(seed[:])
	key, err := verifier.NewCosignerKey(*name, seed)
	if err != nil {
		return fail(stderr, fmt.Errorf("--name: %q cannot be a key's name; use a host of yours and a path, without spaces and +", *name))
	}
	// Never over a key that may have signed.
	f, err := os.OpenFile(*file, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return fail(stderr, fmt.Errorf("--key: %w", err))
	}
	_, err = io.WriteString(f, key.Private()+"\n")
	if err := errors.Join(err, f.Sync(), f.Close()); err != nil {
		return fail(stderr, fmt.Errorf("--key: %w", err))
	}
	fmt.Fprintln(stdout, key)
	return verified
}

func readCosignerKey(path string) (*verifier.CosignerKey, error) {
	b, err := readFile(path, 1<<12)
	if err != nil {
		return nil, err
	}
	key, err := verifier.ParseCosignerKey(strings.TrimSpace(string(b)))
	if err != nil {
		return nil, fmt.Errorf("%s: %w; make one with sharetrail-verify keygen", path, err)
	}
	return key, nil
}

// witnessFlags is how a cosigner is started.
type witnessFlags struct {
	listen, key, state string
	logs               []string
	withStdin          bool
}

func parseWitness(args []string) (f witnessFlags, err error) {
	flags := flag.NewFlagSet("witness", flag.ContinueOnError)
	flags.SetOutput(io.Discard)
	flags.StringVar(&f.listen, "listen", "", "")
	flags.StringVar(&f.key, "key", "", "")
	flags.StringVar(&f.state, "state", "", "")
	flags.BoolVar(&f.withStdin, "with-stdin", false, "")
	flags.Func("log", "", func(path string) error { f.logs = append(f.logs, path); return nil })
	if err := flags.Parse(args); err != nil {
		return f, fmt.Errorf("%w; run sharetrail-verify help", err)
	}
	for name, value := range map[string]string{"--listen": f.listen, "--key": f.key, "--state": f.state, "--log": strings.Join(f.logs, "")} {
		if value == "" {
			return f, fmt.Errorf("%s: is required; run sharetrail-verify help", name)
		}
	}
	if flags.NArg() != 0 {
		return f, errors.New("only flags are taken; run sharetrail-verify help")
	}
	return f, nil
}

// config reads the files that the flags name.
func (f witnessFlags) config(stderr io.Writer) (witness.Config, error) {
	key, err := readCosignerKey(f.key)
	if err != nil {
		return witness.Config{}, fmt.Errorf("--key: %w", err)
	}
	cfg := witness.Config{Key: key, Dir: f.state, Logger: slog.New(slog.NewTextHandler(stderr, nil))}
	for _, path := range f.logs {
		trust, err := readTrust(path)
		if err != nil {
			return witness.Config{}, fmt.Errorf("--log: %w", err)
		}
		cfg.Logs = append(cfg.Logs, witness.Log{Origin: trust.Origin, Key: trust.Log})
	}
	return cfg, nil
}

// runWitness serves until it is stopped.
func runWitness(args []string, stdout, stderr io.Writer) int {
	f, err := parseWitness(args)
	if err != nil {
		return fail(stderr, err)
	}
	cfg, err := f.config(stderr)
	if err != nil {
		return fail(stderr, err)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if f.withStdin {
		go func() { io.Copy(io.Discard, os.Stdin); stop() }()
	}
	if err := serveWitness(ctx, f.listen, cfg, stdout); err != nil {
		return fail(stderr, err)
	}
	return verified
}

// serveWitness serves until ctx ends.
func serveWitness(ctx context.Context, address string, cfg witness.Config, stdout io.Writer) (err error) {
	s, err := witness.Open(cfg)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	listener, err := net.Listen("tcp", address)
	if err != nil {
		return fmt.Errorf("--listen: %w", err)
	}
	server := &http.Server{
		Handler: s.Handler(), ReadTimeout: 10 * time.Second, WriteTimeout: 10 * time.Minute, IdleTimeout: 2 * time.Minute, MaxHeaderBytes: 16 << 10,
	}
	fmt.Fprintf(stdout, "%s\nServing http://%s\n", cfg.Key, listener.Addr())
	stopped := make(chan error, 1)
	stop := context.AfterFunc(ctx, func() {
		grace, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
		defer cancel()
		stopped <- server.Shutdown(grace)
	})
	if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
		stop()
		return err
	}
	return <-stopped
}
