package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/sharetrail/sharetrail/events"
	"github.com/sharetrail/sharetrail/internal/actor"
	"github.com/sharetrail/sharetrail/internal/api"
)

// gagMembers is a share as the members of a record that is to be sealed.
func gagMembers(share api.Record) map[string]any {
	text, err := json.Marshal(share.DisclosureRecorded)
	if err != nil {
		panic(err)
	}
	var members map[string]any
	if err := json.Unmarshal(text, &members); err != nil {
		panic(err)
	}
	return members
}

// note keeps what was said, without what is random.
func (w *gagWorld) note(who, what, said string) {
	w.said = append(w.said, w.plain(who+": "+what+"\n"+said))
}

var (
	gagBlob   = regexp.MustCompile(`[A-Za-z0-9+/_-]{40,}={0,2}`)
	gagHex    = regexp.MustCompile(`\b[0-9a-f]{16,}\b`)
	gagSlot   = regexp.MustCompile(`"slot":\d+`)
	gagBytes  = regexp.MustCompile(`\d+ bytes`)
	gagGroups = regexp.MustCompile(`([0-9a-f]{4} ){15}[0-9a-f]{4}`)
	gagKinds  = regexp.MustCompile(`"kind":[12],("beside":"[^"]*","value":"[^"]*",)?`)
	gagLogged = regexp.MustCompile(`("logged": ?|logged +|state="logged"} )\d+`)
	gagUntil  = regexp.MustCompile(`until \d{4}-\d\d-\d\dT[0-9:]+Z`) // a month after the real clock
	gagWhere  = regexp.MustCompile(`(?m)^(accepted|logged|published|projected): leaf`)
	gagState  = regexp.MustCompile(`"state":"(accepted|logged|published|projected)"`)
	gagLoop   = regexp.MustCompile(`127\.0\.0\.1:\d+`)
)

// plain takes out what is uniformly random or a hash of such: labels, commitments,
// openings, where a slot fell in the shuffle, how deep a label lies in the index.
// What is left must be the same: who, what, how many, at which leaf, of which size.
func (w *gagWorld) plain(text string) string {
	text = strings.ReplaceAll(text, w.dir, "DIR")
	text = gagLoop.ReplaceAllString(text, "HOST")
	text = gagUntil.ReplaceAllString(text, "until then")
	text = gagWhere.ReplaceAllString(text, "somewhere: leaf")
	text = gagLogged.ReplaceAllString(text, "logged")
	text = gagState.ReplaceAllString(text, `"state":"somewhere"`) // how far it has come when it is answered
	text = gagKinds.ReplaceAllString(text, `"kind":0,`)
	for _, sized := range []string{"leaf", "content", "fields", "opening", "seed", "vrf"} {
		text = regexp.MustCompile(`"`+sized+`":"([^"]*)"`).ReplaceAllStringFunc(text, func(s string) string {
			return fmt.Sprintf(`"%s":%d`, sized, len(s))
		})
	}
	text = regexp.MustCompile(`"(member|siblings)":"[^"]*"`).ReplaceAllString(text, `"$1":"PATH"`)
	text = gagBlob.ReplaceAllString(text, "BLOB")
	text = gagHex.ReplaceAllString(text, "HEX")
	text = gagGroups.ReplaceAllString(text, "HEX")
	text = gagSlot.ReplaceAllString(text, `"slot":0`)
	return gagBytes.ReplaceAllString(text, "some bytes")
}

// ask asks the ledger everything.
func (w *gagWorld) ask() {
	w.t.Helper()
	w.operations = w.documented()
	for _, id := range slices.Sorted(maps.Keys(w.operations)) {
		whole := true // the first role that may asks everything, the others one thing
		for _, r := range slices.Concat(actor.Roles(), []actor.Role{""}) {
			if r != actor.Keyholder {
				w.askAs(r, id, whole && api.Allowed(r, id))
				whole = whole && !api.Allowed(r, id)
			}
		}
	}
	for _, r := range []actor.Role{actor.Counsel, actor.Recorder} {
		w.pages(r)
	}
	w.verbs()
}

// documented are the operations of the OpenAPI document: method and path.
func (w *gagWorld) documented() map[string][2]string {
	raw, err := api.OpenAPI()
	if err != nil {
		w.t.Fatal(err)
	}
	var doc struct {
		Paths map[string]map[string]struct {
			OperationID string `json:"operationId"`
		}
	}
	if err := json.Unmarshal(raw, &doc); err != nil {
		w.t.Fatal(err)
	}
	all := map[string][2]string{}
	for path, methods := range doc.Paths {
		for method, op := range methods {
			all[op.OperationID] = [2]string{strings.ToUpper(method), path}
		}
	}
	return all
}

// askAs calls an operation in a role, with each body there is for it, and each id
// of a record that the caller may know.
func (w *gagWorld) askAs(r actor.Role, id string, whole bool) {
	w.t.Helper()
	bodies, known := gagBodies[id]
	if !known {
		w.t.Fatalf("nothing is known to ask %s: a new operation must not be able to show a seal", id)
	}
	op := w.operations[id]
	paths := []string{op[1]}
	if strings.Contains(op[1], "{") {
		paths = nil
		for _, of := range []string{"grace", "nothing"} {
			record := w.ids[of]
			if record == "" {
				record = "00112233-4455-6677-8899-aabbccddeeff"
			}
			record = strings.NewReplacer("{version}", "7", "{matter}", "M-1", "{id}", record).Replace(op[1])
			paths = append(paths, record)
		}
	}
	if len(bodies) == 0 {
		bodies = []string{""}
	}
	if strings.HasPrefix(op[1], "/log/") && strings.Contains(op[1], "{path}") {
		paths = w.logPaths(strings.TrimSuffix(op[1], "/{path}"))
	}
	if !whole {
		paths, bodies = paths[:1], bodies[:1]
	}
	for i, path := range paths {
		for k, body := range bodies {
			w.entropy()
			key := fmt.Sprintf("%s %s %d %d", id, r, i, k)
			w.call(r, op[0], path, key, body)
		}
	}
}

func (w *gagWorld) call(r actor.Role, method, path, key, body string) {
	w.t.Helper()
	req, err := http.NewRequestWithContext(w.t.Context(), method, w.network.URL+path, strings.NewReader(body))
	if err != nil {
		w.t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	if strings.HasSuffix(path, "disclosures:batch") || strings.HasSuffix(path, "disclosures:people") {
		req.Header.Set("Content-Type", "application/jsonl")
	}
	req.Header.Set("Idempotency-Key", key)
	if r != "" {
		req.Header.Set("Authorization", "Bearer "+w.tokens[r])
	}
	resp, err := w.network.Client().Do(req)
	if err != nil {
		w.t.Fatal(err)
	}
	answer := w.read(resp)
	if strings.HasPrefix(path, "/log/tile/") && resp.StatusCode == http.StatusOK {
		answer = tileSaid(path, answer)
	}
	if path == "/v1/recipients" && method == http.MethodGet {
		answer = withoutStrangers(answer)
	}
	w.note(string(r), method+" "+path, answer)
	var written api.WrittenReport
	if path == "/v1/reports" && json.Unmarshal([]byte(answer[strings.Index(answer, "{"):]), &written) == nil && written.ID != "" {
		w.call(r, http.MethodGet, "/v1/reports/"+written.ID, "", "")
	}
}

// logPaths are the files of the log under a path: the newest tiles, and the rules.
func (w *gagWorld) logPaths(under string) (paths []string) {
	w.t.Helper()
	root := filepath.Join(w.dir, "tiles", strings.TrimPrefix(under, "/log/"))
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			paths = append(paths, under+strings.TrimPrefix(path, root))
		}
		return err
	})
	if err != nil || len(paths) == 0 {
		w.t.Fatalf("no files under %s: %v", root, err)
	}
	slices.Sort(paths)
	return append(paths, under+"/nothing")
}

// tileSaid is what a tile says beside hashes: of leaves their kinds, times and sizes.
func tileSaid(path, answer string) string {
	head, body, _ := strings.Cut(answer, gagTile)
	said := fmt.Sprintf("%s%d bytes of tile\n", head, len(body))
	if !strings.HasPrefix(path, "/log/tile/entries/") {
		return said
	}
	for b := []byte(body); len(b) >= 2; {
		n := int(b[0])<<8 | int(b[1])
		leaf, err := events.ParseLeaf(b[2 : 2+n])
		if err != nil {
			return answer
		}
		said += fmt.Sprintf("kind %d at %d, %d slots, %d bytes of ext, length %d\n", leaf.Kind, leaf.TimeMS, len(leaf.Slots), len(leaf.Ext), n)
		b = b[2+n:]
	}
	return strings.ReplaceAll(said, " bytes", " octets")
}

// gagTile divides what an answer says in front of its body.
const gagTile = "\n--\n"

// read is an answer: status, headers and body.
func (w *gagWorld) read(resp *http.Response) string {
	w.t.Helper()
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		w.t.Fatal(err)
	}
	var b strings.Builder
	fmt.Fprintln(&b, resp.Status)
	for _, name := range slices.Sorted(maps.Keys(resp.Header)) {
		if name != "Date" && name != "Content-Length" { // proofs are as long as labels lie deep
			fmt.Fprintln(&b, name, resp.Header[name])
		}
	}
	if resp.Request != nil && strings.HasPrefix(resp.Request.URL.Path, "/log/tile/") {
		b.WriteString(gagTile)
	}
	return b.String() + string(body)
}

// withoutStrangers takes the one recipient out of the register whose shares are
// not the same in both ledgers.
func withoutStrangers(answer string) string {
	at := strings.Index(answer, "{")
	var register map[string]any
	if at < 0 || json.Unmarshal([]byte(answer[at:]), &register) != nil {
		return answer
	}
	all, _ := register["recipients"].([]any)
	register["recipients"] = slices.DeleteFunc(all, func(r any) bool {
		text, err := json.Marshal(r)
		return err == nil && bytes.Contains(text, []byte("org:stranger"))
	})
	text, err := json.Marshal(register)
	if err != nil {
		return answer
	}
	return answer[:at] + string(text)
}

const gagShareText = `{"occurred":{"at":"2026-01-05T00:00:00Z"},"reasons":["legal_process"],"recipient":{"id":"org:contoso","legal_name":"Contoso","country":"DE","category":"processor"},` +
	`"data":{"categories":["name"]},"promise":{"statement":"s/1"},"provenance":{"grade":"native"}`

const gagDocument = `{"document":{"version":"v/1","effective":"2026-01-05T00:00:00Z","sha256":"00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff","size":1,"media_type":"text/plain"}}`

const gagChange = `"change":{"effective":"2026-01-05T00:00:00Z"}`

// gagBodies are what is asked of each operation. Whoever adds one says here what a
// user without the role can ask of it.
var gagBodies = map[string][]string{
	"record-disclosure": {gagShareText + `,"subjects":[{"id":"email:ada@example.com"}]}`, gagShareText + `,"subjects":[{"id":"email:grace@example.com"}]}`,
		gagShareText + `,"links":{"parent":"00112233-4455-6677-8899-aabbccddeeff"},"subjects":[{"id":"email:ada@example.com"}]}`, `{}`},
	"record-people":          {gagShareText + "}\n" + `{"id":"email:ada@example.com"}`, gagShareText + "}\n" + `{"id":"email:grace@example.com"}` + "\n" + `{"id":"email:mary@example.com"}`},
	"record-disclosures":     {`{"key":"batch","share":` + gagShareText + `,"subjects":[{"id":"email:ada@example.com"}]}}`},
	"get-disclosure":         nil,
	"get-receipt":            nil,
	"get-record":             nil,
	"amend-disclosure":       {`{"kind":"correct","reason":"x","changes":{"data":{"categories":["email"]}}}`},
	"retract-disclosure":     {`{"ground":"duplicate","subjects":[{"id":"email:ada@example.com"}]}`},
	"reattribute-disclosure": {`{"from":"email:ada@example.com","to":{"id":"email:mary@example.com"}}`},
	"add-subjects":           {`{"subjects":[{"id":"email:ada@example.com"}]}`},
	"dispute-disclosure":     {`{"by":"subject","ground":"not_me","at":"2026-01-05T00:00:00Z","subject":{"id":"email:grace@example.com"}}`},
	"resolve-dispute":        {`{"outcome":"rejected","reason":"x","at":"2026-01-05T00:00:00Z"}`},
	"acknowledge-disclosure": {`{"outcome":"received","at":"2026-01-05T00:00:00Z"}`},
	"report-onward": {`{"onward":{"at":"2026-01-05T00:00:00Z"},"recipient":{"id":"org:tailspin","legal_name":"Tailspin","country":"IE","category":"processor"},` +
		`"reasons":["vendor_on_behalf"],"data":{"categories":["name"]}}`},
	"open-series":         {strings.Replace(gagShareText, `"occurred":{"at"`, `"series":{"first"`, 1) + `,"conveyance":{"recurrence":"monthly"},"subjects":[{"id":"email:ada@example.com"}]}`},
	"update-series":       {`{"progress":{"count":2,"last":"2026-01-05T00:00:00Z"}}`},
	"close-series":        {`{"progress":{"count":2,"last":"2026-01-05T00:00:00Z"},"closing":{"reason":"x"}}`},
	"record-possible":     {`{}`},
	"register-recipient":  {`{"recipient":{"id":"org:agency","legal_name":"Agency","country":"US","category":"law_enforcement"}}`},
	"change-recipient":    {`{"recipient":{"id":"org:contoso","legal_name":"Contoso","country":"DE","category":"processor"},` + gagChange + `}`},
	"merge-recipients":    {`{"merger":{"from":"org:agency","into":"org:contoso"},` + gagChange + `}`},
	"change-relationship": {`{"relationship":{"recipient":"org:contoso","was":"processor","is":"third_party"},` + gagChange + `}`},
	"add-subprocessor":    {`{"recipient":{"id":"org:tailspin","legal_name":"Tailspin","country":"IE","category":"processor"},"engagement":{"by":"org:contoso"},` + gagChange + `}`},
	"publish-statement":   {gagDocument},
	"release-taxonomy":    {gagDocument},
	"release-profile":     {gagDocument},
	"give-consent":        {`{"subject":{"id":"email:ada@example.com"},"choice":{"at":"2026-01-05T00:00:00Z"},"scope":{"purposes":["mail"]}}`},
	"refuse-consent":      {`{"subject":{"id":"email:ada@example.com"},"choice":{"at":"2026-01-05T00:00:00Z"},"scope":{"purposes":["mail"]}}`},
	"withdraw-consent":    {`{"choice":{"at":"2026-01-05T00:00:00Z"}}`},
	"expire-consent":      {`{"choice":{"at":"2026-01-05T00:00:00Z"}}`},
	"add-alias":           {`{}`},
	"request-closure":     {`{}`},
	"confirm-closure":     {`{}`},
	"decline-closure":     {`{}`},
	"list-closures":       nil,
	"get-erasure-receipt": {`{"subject":"email:ada@example.com"}`},
	"query-disclosures":   {`{"subject":"email:ada@example.com"}`, `{"subject":"email:grace@example.com"}`, `{"recipient":"org:contoso"}`, `{"recipient":"org:agency"}`},
	"query-consents":      {`{"subject":"email:ada@example.com"}`},
	"list-documents":      nil,
	"list-register":       nil,
	"write-report": {`{"subject":"email:ada@example.com"}`, `{"subject":"email:grace@example.com"}`, `{"recipient":"org:contoso"}`, `{"recipient":"org:agency"}`,
		`{"recipient":"org:court.example"}`, `{"controller":true}`, `{"authority":"org:court.example"}`},
	"get-report":          nil,
	"get-status":          nil,
	"get-checkpoint":      nil,
	"get-log-checkpoint":  nil,
	"get-tile":            nil,
	"get-rules":           nil,
	"get-policy":          nil,
	"get-metrics":         nil,
	"set-policy":          {`{"nobody": "sets it here"}`},
	"close-ledger":        {`{"nobody": "closes it here"}`},
	"get-trust":           nil,
	"put-recipients":      {`{"entries":[]}`},
	"list-recipients":     nil,
	"get-recipient":       nil,
	"list-views":          nil,
	"rebuild-views":       {`{}`},
	"retry-views":         nil,
	"drop-view":           nil,
	"add-actor":           {`{"name":"new","role":"reader"}`},
	"list-actors":         nil,
	"revoke-actor":        {`{"name":"nobody"}`},
	"confirm-actor":       {`{"name":"nobody"}`},
	"claim-token":         {`{}`},
	"seal-record":         {`{}`},
	"supplement-seal":     {`{}`},
	"extend-seal":         {`{}`},
	"review-seal":         {`{}`},
	"propose-lifting":     {`{}`},
	"lift-seal":           {`{}`},
	"list-seals":          nil,
	"place-hold":          {`{"matter":"M-1","ground":"litigation","reason":"x","subjects":["email:ada@example.com"]}`},
	"propose-release":     {`{"reason":"x"}`},
	"release-hold":        {`{}`},
	"list-holds":          nil,
	"show-hold":           nil,
	"write-seal-register": {`{"authority":"org:court.example"}`},
}

var gagHidden = regexp.MustCompile(`<input type="hidden" name="([^"]*)"[^>]* value="([^"]*)">`)

// pages reads the pages in a role.
func (w *gagWorld) pages(r actor.Role) {
	w.t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		w.t.Fatal(err)
	}
	browser := http.Client{Jar: jar}
	fetch := func(method, path string, form url.Values) string {
		w.t.Helper()
		w.entropy()
		req, err := http.NewRequestWithContext(w.t.Context(), method, w.network.URL+path, strings.NewReader(form.Encode()))
		if err != nil {
			w.t.Fatal(err)
		}
		if method == http.MethodPost {
			req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		}
		resp, err := browser.Do(req)
		if err != nil {
			w.t.Fatal(err)
		}
		page := w.read(resp)
		w.note("page for "+string(r), method+" "+path, page)
		return page
	}
	hidden := func(page string) url.Values {
		form := url.Values{}
		for _, m := range gagHidden.FindAllStringSubmatch(page, -1) {
			form.Set(m[1], m[2])
		}
		return form
	}
	form := hidden(fetch("GET", "/sign-in", nil))
	form.Set("token", w.tokens[r])
	fetch("POST", "/sign-in", form)
	for _, path := range []string{"/", "/record", "/recorded/" + w.ids["grace"], "/recorded/00112233-4455-6677-8899-aabbccddeeff", "/nothing"} {
		fetch("GET", path, nil)
	}
	for _, person := range []string{"ada", "grace", "nobody"} {
		form := hidden(fetch("GET", "/report", nil))
		form.Set("subject", "email:"+person+"@example.com")
		form.Set("id", "email:"+person+"@example.com")
		fetch("POST", "/report", form)
	}
}

// gagVerbs are the arguments of each verb that speaks to a ledger; a nil says that
// the verb is not run, because it makes a ledger of its own, measures one or ends it.
func (w *gagWorld) gagVerbs() map[string][][]string {
	id, missing := w.ids["grace"], "00112233-4455-6677-8899-aabbccddeeff"
	file := w.dir + "-document.txt"
	if err := os.WriteFile(file, []byte("text"), 0o600); err != nil {
		w.t.Fatal(err)
	}
	people := w.dir + "-people.jsonl"
	if err := os.WriteFile(people, []byte(`{"id":"email:ada@example.com"}`+"\n"), 0o600); err != nil {
		w.t.Fatal(err)
	}
	on := []string{"--at", "2026-01-05"}
	with := func(args ...string) []string { return append(args, on...) }
	subject := "email:ada@example.com"
	return map[string][][]string{
		"demo": nil, "init": nil, "serve": nil, "bench": nil, "generate": nil, "close": nil, "fsck": nil, // fsck runs at the end
		"status": {{}, {"--json"}},
		"record": {with("--subject", subject, "--recipient", "org:a", "--recipient-name", "A", "--country", "DE", "--category", "processor", "--reason", "consent", "--shared", "name", "--statement", "s/1"),
			with("--subjects-file", people, "--recipient", "org:a", "--recipient-name", "A", "--country", "DE", "--category", "processor", "--reason", "consent", "--shared", "name", "--statement", "s/1")},
		"amend": {{missing, "--reason", "x", "--set", `data.categories=["x"]`}}, "retract": {{missing, "--ground", "duplicate"}},
		"reattribute": {{missing, "--from", subject, "--to", "email:b@example.com"}}, "dispute": {with(missing, "--ground", "not_me", "--subject", subject)},
		"dispute resolve": {with(missing, "--outcome", "upheld", "--reason", "x")}, "acknowledge": {with(missing)},
		"consent give": {with("--subject", subject, "--purpose", "post")}, "consent refuse": {with("--subject", subject, "--purpose", "post")},
		"consent withdraw": {with(missing)}, "consent expire": {with(missing)}, "consent list": {{"--subject", subject}},
		"statement list": {{}}, "statement publish": {{file, "--version", "v/2", "--effective", "2026-01-05"}}, "statement taxonomy": {{file, "--version", "t/2", "--effective", "2026-01-05"}},
		"statement profile": {{file, "--version", "p/2", "--effective", "2026-01-05"}},
		"import jsonl":      {{file}}, "import csv": {{file, "--map", file}}, "import gvl": {{file}}, "import fields": {{}},
		"recipient list": {{}}, "recipient show": {{"org:agency"}}, "register": {{}, {"--json"}},
		"list":    {{"--id", subject}, {"--recipient", "org:contoso"}, {"--recipient", "org:agency"}},
		"report":  {{"--id", subject, "-o", "-", "--verify"}, {"--recipient", "org:contoso"}, {"--recipient", "org:court.example"}, {"--controller"}, {"--authority", "org:court.example"}},
		"receipt": {{id}, {missing}}, "trust": {{}},
		"actor add": {{"new-2", "--role", "reader"}}, "actor list": {{}}, "actor revoke": {{"nobody"}},
		"actor claim": {{"--token-file", file}}, "actor confirm": {{"nobody"}},
		"erase request": {{"--subject", subject}}, "erase confirm": {{missing}}, "erase decline": {{missing, "--reason", "x"}}, "erase list": {{}},
		"erase receipt":  {{"--subject", "email:nobody@example.com", "--out", file + ".receipt"}},
		"rotate request": {{"--subject", subject}}, "rotate confirm": {{missing}}, "rotate decline": {{missing, "--reason", "x"}}, "rotate list": {{}},
		"alias add":   {{"--subject", subject, "--alias", "email:countess@example.com"}},
		"policy show": {{}, {"--json"}}, "policy set": {{file}},
		"views list": {{}}, "views rebuild": {{}}, "views retry": {{}}, "views drop": {{"7"}},
		"seal record": {{"-"}}, "seal supplement": {{missing, "-", "--type", "DisclosureAcknowledged"}}, "seal extend": {{missing}}, "seal review": {{missing, "--reason", "x"}},
		"hold place": {{"M-1", "--subject", subject, "--ground", "litigation", "--reason", "x"}}, "hold list": {{}}, "hold show": {{"M-1"}}, "hold release": {{"M-1", "--confirm"}},
		"seal lift": {{missing, "--confirm"}}, "seal list": {{}}, "seal ripe": {{}},
	}
}

// verbs runs every verb there is, as the owner of the data directory.
func (w *gagWorld) verbs() {
	w.t.Helper()
	all := w.gagVerbs()
	var walk func(cmd *cobra.Command, path []string)
	walk = func(cmd *cobra.Command, path []string) {
		for _, sub := range cmd.Commands() {
			walk(sub, append(path[:len(path):len(path)], sub.Name()))
		}
		if !cmd.Runnable() {
			return
		}
		name := strings.Join(path, " ")
		runs, known := all[name]
		if !known {
			w.t.Fatalf("nothing is known to run %q with: a new verb must not be able to show a seal", name)
		}
		for i, args := range runs {
			args = append(slices.Clone(path), args...)
			if cmd.Flags().Lookup("data") != nil {
				args = append(args, "--data", w.dir)
			}
			if cmd.Flags().Lookup("key") != nil {
				args = append(args, "--key", fmt.Sprint(name, i))
			}
			w.verb(args...)
		}
	}
	walk(rootCommand(), nil)
}

// verb runs a verb in this process and notes what it says.
func (w *gagWorld) verb(args ...string) {
	w.t.Helper()
	w.entropy()
	root := rootCommand()
	var out, errs bytes.Buffer
	root.SetOut(&out)
	root.SetErr(&errs)
	root.SetIn(strings.NewReader(`{"a":1}`))
	root.SetArgs(args)
	// Some verbs write to the process's own stderr.
	stderr, file := os.Stderr, filepath.Join(w.t.TempDir(), "stderr")
	var err error
	if os.Stderr, err = os.Create(file); err != nil {
		w.t.Fatal(err)
	}
	err = root.ExecuteContext(w.t.Context())
	os.Stderr.Close()
	os.Stderr = stderr
	more, readErr := os.ReadFile(file)
	if readErr != nil {
		w.t.Fatal(readErr)
	}
	said := out.String()
	if args[0] == "register" {
		said = gagStrangerLines.ReplaceAllString(said, "")
	}
	w.note("owner", strings.Join(args, " "), fmt.Sprint(said, errs.String(), string(more), err))
}

// gagStrangerLines are what the register says of the one recipient whose shares are
// not the same in both ledgers.
var gagStrangerLines = regexp.MustCompile(`(?m)^.*org:stranger.*\n|\{[^{}]*\{[^{}]*"org:stranger"[^{}]*\}[^{}]*\}`)

// logged notes every line that the ledger logged. Their order is that of several
// goroutines.
func (w *gagWorld) logged() {
	var lines []string
	for _, e := range w.logs.All() {
		if slices.Contains([]string{"watermill", "esdb.client"}, e.LoggerName) || strings.HasSuffix(e.LoggerName, ".watermill") {
			continue // when a page came, and how a connection ended
		}
		fields, err := json.Marshal(e.ContextMap())
		if err != nil {
			w.t.Fatal(err)
		}
		lines = append(lines, fmt.Sprint(e.Level, " ", e.LoggerName, " ", e.Message, " ", string(fields)))
	}
	slices.Sort(lines)
	w.note("log", "all lines", strings.Join(lines, "\n"))
}
