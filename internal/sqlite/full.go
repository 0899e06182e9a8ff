package sqlite

import (
	"errors"
	"syscall"

	driver "modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"
)

// IsFull reports whether an error says that the disk, or the quota on it, has no
// space left. The transaction is undone, nothing is damaged, and the same may be
// tried again when there is space.
func IsFull(err error) bool {
	var refused *driver.Error
	if errors.As(err, &refused) {
		switch code := refused.Code(); {
		case code&0xff == sqlite3.SQLITE_FULL:
			return true
		case code == sqlite3.SQLITE_IOERR_SHMSIZE: // the index of the WAL could not grow
			return true
		}
	}
	return errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT)
}
