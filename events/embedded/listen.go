package embedded

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
)

// maxSocketPath is what every supported system takes (sun_path, less its zero).
const maxSocketPath = 103

// listenTCP opens a port for programs on this machine. There is no TLS and no
// password on it, so an address that others could reach is refused.
func listenTCP(ctx context.Context, address string) (net.Listener, error) {
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return nil, fmt.Errorf("listening on %s: %w", address, err)
	}
	if host == "localhost" {
		host = "127.0.0.1"
	}
	if ip := net.ParseIP(host); ip == nil || !ip.IsLoopback() {
		return nil, fmt.Errorf("listening on %s: it is no loopback address, and the port has no lock: name 127.0.0.1:%s", address, port)
	}
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", net.JoinHostPort(host, port))
	if err != nil {
		return nil, fmt.Errorf("listening on %s: %w", address, err)
	}
	return listener, nil
}

// listen opens the socket, readable by its owner alone.
func listen(ctx context.Context, path string) (net.Listener, func() error, error) {
	cleanup := func() error { return nil }
	if path == "" {
		dir, err := privateDir()
		if err != nil {
			return nil, nil, err
		}
		path = filepath.Join(dir, "es.sock")
		cleanup = func() error { return os.RemoveAll(dir) }
	} else {
		var err error
		if path, err = takeOver(path); err != nil {
			return nil, nil, err
		}
	}
	listener, err := new(net.ListenConfig).Listen(ctx, "unix", path)
	if err != nil {
		return nil, nil, errors.Join(fmt.Errorf("listening on %s: %w", path, err), cleanup())
	}
	if err := os.Chmod(path, 0o600); err != nil {
		return nil, nil, errors.Join(fmt.Errorf("closing %s to others: %w", path, err), listener.Close(), cleanup())
	}
	return listener, cleanup, nil
}

// privateDir makes a directory of mode 0700 whose path is short enough to hold
// a socket, whatever TMPDIR says.
func privateDir() (string, error) {
	for _, parent := range []string{os.TempDir(), "/tmp"} {
		dir, err := os.MkdirTemp(parent, "st-")
		if err != nil {
			return "", fmt.Errorf("making a directory for the socket: %w", err)
		}
		if len(dir)+len("/es.sock") <= maxSocketPath {
			return dir, nil
		}
		if err := os.Remove(dir); err != nil {
			return "", fmt.Errorf("making a directory for the socket: %w", err)
		}
	}
	return "", errors.New("making a directory for the socket: the path of every temporary directory is too long: set TMPDIR")
}

// takeOver makes the path of a named socket absolute, checks its place and
// removes a socket that a crash has left there. One that answers belongs to a
// running node.
func takeOver(path string) (string, error) {
	path, err := filepath.Abs(path)
	if err != nil {
		return "", fmt.Errorf("listening: %w", err)
	}
	if len(path) > maxSocketPath {
		return "", fmt.Errorf("listening on %s: the path has %d bytes, a socket takes %d: choose a shorter one", path, len(path), maxSocketPath)
	}
	dir, err := os.Stat(filepath.Dir(path))
	if err != nil {
		return "", fmt.Errorf("listening on %s: %w", path, err)
	}
	if dir.Mode().Perm()&0o077 != 0 {
		return "", fmt.Errorf("listening on %s: other users can enter its directory: chmod 700 it", path)
	}
	switch there, err := os.Lstat(path); {
	case errors.Is(err, os.ErrNotExist):
		return path, nil
	case err != nil:
		return "", fmt.Errorf("listening on %s: %w", path, err)
	case there.Mode()&os.ModeSocket == 0:
		return "", fmt.Errorf("listening on %s: there is something else than a socket", path)
	}
	if conn, err := net.Dial("unix", path); err == nil {
		conn.Close()
		return "", fmt.Errorf("listening on %s: another node is running there", path)
	}
	if err := os.Remove(path); err != nil {
		return "", fmt.Errorf("listening on %s: %w", path, err)
	}
	return path, nil
}
