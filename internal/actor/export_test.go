package actor

import "encoding/hex"

// HashOf is what is kept of a token, in hexadecimal digits.
func HashOf(token string) string {
	hash, _ := hashToken(token)
	return hex.EncodeToString(hash[:])
}
