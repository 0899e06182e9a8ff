package verifier_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/sharetrail/sharetrail/events"
	"github.com/sharetrail/sharetrail/verifier"
)

// refused demands that a damaged report is refused, in one of the two ways.
func refused(t *testing.T, r *reader, file []byte, what string) {
	t.Helper()
	v, err := r.check(file)
	var no *verifier.RefutedError
	if v != nil || !errors.As(err, &no) && !errors.Is(err, verifier.ErrReport) {
		t.Errorf("%s: verdict %v, error %v", what, v, err)
	}
}

// shortReport is the shortest golden report that has entries.
func shortReport(t *testing.T) ([]byte, *reader) {
	t.Helper()
	trust, err := verifier.ParseTrust(must(t)(os.ReadFile(filepath.Join(reportVectors, "trust.json"))))
	if err != nil {
		t.Fatal(err)
	}
	return must(t)(os.ReadFile(filepath.Join(reportVectors, "ada.sharetrail"))), &reader{role: events.RoleSubject, id: adaID, trust: trust}
}

// TestEveryBit flips each bit of a report: all of them when SHARETRAIL_LONG=1,
// else a sample that meets every byte of the signed part and every position in
// a byte.
func TestEveryBit(t *testing.T) {
	file, r := shortReport(t)
	stride := 97
	if os.Getenv("SHARETRAIL_LONG") == "1" {
		stride = 1
	}
	const parts = 8
	for part := range parts {
		t.Run(fmt.Sprint(part), func(t *testing.T) {
			t.Parallel()
			damaged := append([]byte(nil), file...)
			for bit := part * stride; bit < 8*len(file); bit += parts * stride {
				damaged[bit/8] ^= 1 << (bit % 8)
				refused(t, r, damaged, fmt.Sprintf("bit %d flipped", bit))
				damaged[bit/8] ^= 1 << (bit % 8)
			}
			signed := strings.Index(string(file), "===\n") + len("===\n")
			for i := part; i < signed; i += parts {
				damaged[i] ^= 1 << (i % 8)
				refused(t, r, damaged, fmt.Sprintf("a bit of byte %d flipped", i))
				damaged[i] ^= 1 << (i % 8)
			}
		})
	}
}

// TestTruncated cuts a report at every length, and lengthens it.
func TestTruncated(t *testing.T) {
	file, r := shortReport(t)
	for n := range file {
		refused(t, r, file[:n], fmt.Sprintf("cut to %d bytes", n))
	}
	for _, more := range []string{"\n", " ", "{}", "\x00", string(file)} {
		refused(t, r, append(file[:len(file):len(file)], more...), fmt.Sprintf("followed by %.9q", more))
	}
	refused(t, r, []byte(strings.ReplaceAll(string(file), "\n", "\r\n")), "with other line ends")
}

// TestDocumentSpelling: the document has one spelling, even when signed.
func TestDocumentSpelling(t *testing.T) {
	s := newStandard(t)
	file := string(s.sign(s.write(s.ada)))
	_, doc, _ := strings.Cut(file, "===\n")
	r := &reader{role: events.RoleSubject, id: adaID, trust: s.trust()}
	if _, err := r.check(s.signDocument(t, []byte(doc))); err != nil {
		t.Fatal(err)
	}
	for name, spelled := range map[string]string{
		"unknown member":   strings.Replace(doc, `"origin":`, `"more":1,"origin":`, 1),
		"doubled member":   strings.Replace(doc, `"role":"subject"`, `"role":"subject","role":"subject"`, 1),
		"other case":       strings.Replace(doc, `"role":`, `"Role":`, 1),
		"white space":      strings.Replace(doc, `"role":`, `"role": `, 1),
		"final newline":    doc + "\n",
		"escape":           strings.Replace(doc, `"subject"`, `"\u0073ubject"`, 1),
		"null":             strings.Replace(doc, `"generated_at":"2026-11-22T12:00:00Z"`, `"generated_at":null`, 1),
		"exponent":         strings.Replace(doc, `"number":0`, `"number":0e0`, 1),
		"negative":         strings.Replace(doc, `"number":0`, `"number":-0`, 1),
		"too large":        strings.Replace(doc, `"number":0`, `"number":18446744073709551616`, 1),
		"slot too large":   strings.Replace(doc, `"slot":1`, `"slot":65537`, 1),
		"two documents":    doc + doc,
		"upper case id":    strings.Replace(doc, `"event_id":"`, `"event_id":"ABCDEF00-`, 1),
		"base64 with line": strings.Replace(doc, `"leaf":"`, `"leaf":"\n`, 1),
		"empty VRF":        strings.Replace(doc, `"label":"entry","number":3,`, `"label":"entry","number":3,"vrf":"",`, 1),
		"array":            "[" + doc + "]",
	} {
		if spelled == doc {
			t.Fatalf("%s: the document has no such place", name)
		}
		refused(t, r, s.signDocument(t, []byte(spelled)), name)
	}
}

// TestTrust: what is pinned is strict, but for white space.
func TestTrust(t *testing.T) {
	s := newStandard(t)
	pinned := s.trust()
	file := string(pinned.Marshal())
	got, err := verifier.ParseTrust([]byte(file))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(pinned, got); diff != "" {
		t.Errorf("after Marshal and ParseTrust:\n%s", diff)
	}
	for _, spaced := range []string{
		string(pinned.Canonical()), strings.ReplaceAll(file, "\n", "\r\n"), "\n\t " + file + " \n", strings.ReplaceAll(file, `": `, "\" :\n"),
	} {
		got, err := verifier.ParseTrust([]byte(spaced))
		if err != nil || got.Fingerprint() != pinned.Fingerprint() {
			t.Errorf("white space: %v", err)
		}
	}
	// As on a letter that was sent: it never changes.
	const fingerprint = "ca24 0c9c 4c9d 4698 4611 1bb5 9898 6605 2f35 acea 85dc c512 8992 e12e ed86 cdba"
	golden, err := verifier.ParseTrust(must(t)(os.ReadFile(filepath.Join(reportVectors, "trust.json"))))
	if err != nil || golden.Fingerprint() != fingerprint {
		t.Errorf("the fingerprint of the golden trust file: %+v, %v", golden, err)
	}
	changed := func(change func(*verifier.Trust)) string {
		other := *pinned
		change(&other)
		return string(other.Marshal())
	}
	named := newSigner(t, "other.example", 1)
	same := newSigner(t, s.origin+"/report", 1)
	for name, bad := range map[string]string{
		"empty":            "",
		"null":             "null",
		"array":            "[]",
		"no members":       "{}",
		"unknown member":   strings.Replace(file, `"suite"`, `"more": 1, "suite"`, 1),
		"doubled member":   strings.Replace(file, `"suite": 1`, `"suite": 1, "suite": 1`, 1),
		"other case":       strings.Replace(file, `"suite"`, `"Suite"`, 1),
		"other order":      strings.Replace(strings.Replace(file, `"suite": 1,`, ``, 1), `"predecessors": []`, `"predecessors": [], "suite": 1`, 1),
		"something after":  file + "{}",
		"no predecessors":  strings.Replace(file, `"predecessors": []`, `"predecessors": null`, 1),
		"member left out":  strings.Replace(file, ",\n  \"predecessors\": []", "", 1),
		"suite 2":          changed(func(t *verifier.Trust) { t.Suite = 2 }),
		"a quorum":         changed(func(t *verifier.Trust) { t.Policy = strings.Replace(t.Policy, "none", "all", 1) }),
		"no policy":        changed(func(t *verifier.Trust) { t.Policy = "" }),
		"a witness":        changed(func(t *verifier.Trust) { t.Policy = "witness w " + t.Log + "\n" + t.Policy }),
		"another log":      changed(func(t *verifier.Trust) { t.Policy = verifier.NoQuorum(t.Report) }),
		"identity VRF key": changed(func(t *verifier.Trust) { t.VRF = events.Hash{} }),
		"no VRF key":       changed(func(t *verifier.Trust) { t.VRF = events.Hash{0: 0xff, 31: 0xff} }),
		"zero genesis":     changed(func(t *verifier.Trust) { t.Genesis = events.Hash{} }),
		"a predecessor":    changed(func(t *verifier.Trust) { t.Predecessors = []string{"x"} }),
		"another origin":   changed(func(t *verifier.Trust) { t.Origin = "other.example" }),
		"log named otherwise": changed(func(t *verifier.Trust) {
			t.Log, t.Policy = named.vkey, verifier.NoQuorum(named.vkey)
		}),
		"log key reports":        changed(func(t *verifier.Trust) { t.Report = t.Log }),
		"log key, renamed":       changed(func(t *verifier.Trust) { t.Report = same.vkey }),
		"no log key":             changed(func(t *verifier.Trust) { t.Log, t.Policy = "", verifier.NoQuorum("") }),
		"no report key":          changed(func(t *verifier.Trust) { t.Report = "" }),
		"log key in upper case":  changed(func(tr *verifier.Trust) { tr.Log = upperHash(t, tr.Log); tr.Policy = verifier.NoQuorum(tr.Log) }),
		"log key in two lines":   changed(func(t *verifier.Trust) { t.Log += "\n"; t.Policy = verifier.NoQuorum(t.Log) }),
		"report key, two lines":  changed(func(t *verifier.Trust) { t.Report += "\r\n" }),
		"report key, cut":        changed(func(t *verifier.Trust) { t.Report = t.Report[:len(t.Report)-4] }),
		"non-canonical VRF text": strings.Replace(file, "=\",\n  \"genesis\"", "\",\n  \"genesis\"", 1),
	} {
		if bad == file {
			t.Fatalf("%s: changed nothing", name)
		}
		if got, err := verifier.ParseTrust([]byte(bad)); !errors.Is(err, verifier.ErrTrust) || got != nil {
			t.Errorf("%s: %v, %v", name, got, err)
		}
	}
}

// upperHash writes a vkey's key hash in capitals, which the note library takes.
func upperHash(t *testing.T, vkey string) string {
	t.Helper()
	parts := strings.SplitN(vkey, "+", 3)
	parts[1] = strings.ToUpper(parts[1])
	upper := strings.Join(parts, "+")
	mustVerifier(t, upper)
	return upper
}

// TestCheckpointText: one checkpoint, one text.
func TestCheckpointText(t *testing.T) {
	good := verifier.Checkpoint{Origin: "ledger.example/2026", Size: 7, Root: events.Hash{1}}
	text := good.Format()
	if got, err := verifier.ParseCheckpoint(text); err != nil || got != good {
		t.Fatalf("%+v, %v", got, err)
	}
	for name, bad := range map[string]string{
		"empty": "", "no final newline": strings.TrimSuffix(text, "\n"), "a line more": text + "x\n", "an empty line more": text + "\n",
		"no origin":       strings.TrimPrefix(text, good.Origin),
		"a space":         " " + text,
		"bidi":            "\u202e" + text,
		"leading zero":    strings.Replace(text, "\n7\n", "\n07\n", 1),
		"plus":            strings.Replace(text, "\n7\n", "\n+7\n", 1),
		"negative":        strings.Replace(text, "\n7\n", "\n-7\n", 1),
		"hexadecimal":     strings.Replace(text, "\n7\n", "\n0x7\n", 1),
		"underscore":      strings.Replace(text, "\n7\n", "\n7_0\n", 1),
		"2^62":            strings.Replace(text, "\n7\n", "\n4611686018427387904\n", 1),
		"2^64":            strings.Replace(text, "\n7\n", "\n18446744073709551616\n", 1),
		"a short root":    strings.Replace(text, "AQAA", "", 1),
		"spare root bits": strings.Replace(text, "A=\n", "B=\n", 1),
		"carriage return": strings.ReplaceAll(text, "\n", "\r\n"),
	} {
		if bad == text {
			t.Fatalf("%s: changed nothing", name)
		}
		if got, err := verifier.ParseCheckpoint(bad); !errors.Is(err, verifier.ErrCheckpoint) {
			t.Errorf("%s: %+v, %v", name, got, err)
		}
	}
}
