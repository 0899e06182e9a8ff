package api

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
)

// socketName is the Unix socket in the data directory. Its permissions are the
// access control: 0600, the owner of the directory.
const socketName = "api.sock"

// Listen opens the socket of a data directory. The caller must hold the
// directory's lock: a socket left by a crash is replaced.
func Listen(ctx context.Context, dataDir string) (net.Listener, error) {
	path, cleanup, err := shortPath(dataDir)
	if err != nil {
		return nil, err
	}
	defer cleanup()
	if err := os.Remove(filepath.Join(dataDir, socketName)); err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("replacing an old socket: %w", err)
	}
	l, err := new(net.ListenConfig).Listen(ctx, "unix", path)
	if err != nil {
		return nil, fmt.Errorf("listening on %s: %w", filepath.Join(dataDir, socketName), err)
	}
	l.(*net.UnixListener).SetUnlinkOnClose(false) // the path is the short one
	if err := os.Chmod(path, 0o600); err != nil {
		return nil, errors.Join(fmt.Errorf("closing the socket to others: %w", err), l.Close())
	}
	return &listener{l, filepath.Join(dataDir, socketName)}, nil
}

type listener struct {
	net.Listener
	path string
}

// Close also removes the socket's file.
func (l *listener) Close() error { return errors.Join(l.Listener.Close(), os.Remove(l.path)) }

// dial connects to the socket of a data directory.
func dial(ctx context.Context, dataDir string) (net.Conn, error) {
	path, cleanup, err := shortPath(dataDir)
	if err != nil {
		return nil, err
	}
	defer cleanup()
	return new(net.Dialer).DialContext(ctx, "unix", path)
}

// shortPath names the socket through a link in a temporary directory: a socket's
// path is limited to 108 bytes, a data directory's is not.
func shortPath(dataDir string) (path string, cleanup func(), err error) {
	abs, err := filepath.Abs(dataDir)
	if err != nil {
		return "", nil, fmt.Errorf("naming the socket: %w", err)
	}
	tmp, err := os.MkdirTemp("", "st-")
	if err != nil {
		return "", nil, fmt.Errorf("naming the socket: %w", err)
	}
	cleanup = func() { os.RemoveAll(tmp) }
	if err := os.Symlink(abs, filepath.Join(tmp, "d")); err != nil {
		cleanup()
		return "", nil, fmt.Errorf("naming the socket: %w", err)
	}
	return filepath.Join(tmp, "d", socketName), cleanup, nil
}
