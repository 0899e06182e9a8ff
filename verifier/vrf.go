package verifier

import (
	"errors"

	vrf "filippo.io/mostly-harmless/vrf-r255"

	"github.com/sharetrail/sharetrail/events"
)

// ErrVRF says that a VRF proof does not hold.
var ErrVRF = errors.New("the VRF proof does not hold")

// validVRFKey refuses what is no key, and the all-zero one: it is the group's
// identity, the library accepts it, and every input would give the same label.
func validVRFKey(key events.Hash) bool {
	_, err := vrf.NewPublicKey(key[:])
	return err == nil && !key.IsZero()
}

// CheckVRF checks that proof is the VRF's for an input and returns the label,
// and the opening that a close slot uses.
func CheckVRF(key events.Hash, input, proof []byte) (label, opening events.Hash, err error) {
	if !validVRFKey(key) {
		return label, opening, ErrVRF
	}
	pk, err := vrf.NewPublicKey(key[:])
	if err != nil {
		return label, opening, ErrVRF
	}
	pi, err := vrf.NewProof(proof)
	if err != nil {
		return label, opening, ErrVRF
	}
	out, err := pk.Verify(pi, input)
	if err != nil {
		return label, opening, ErrVRF
	}
	label, opening = events.VRFLabel(out)
	return label, opening, nil
}
