package audit

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/aerosink/aerosink/connector/change"
)

func findings() []Finding {
	digest := change.Digest{1, 2, 3}
	state := &State{Digest: digest, Set: "orders", Version: change.Version{LUT: 1764000000123, Generation: 2}, Expiry: 1764003600, Object: "changes/x.ndjson", Position: 7}
	deleted := &State{Digest: digest, Set: "orders", Version: change.Version{LUT: 1764000000123, Generation: 3, Op: change.DurableDelete}, Object: "changes/x.ndjson", Position: 8}
	record := &Record{Digest: digest, Set: "orders", Generation: 3, LUT: 1764000060000}
	return []Finding{
		newFinding(Missing, "shop", pair{Record: record}),
		newFinding(Stale, "shop", pair{state, record}),
		newFinding(Unexpected, "shop", pair{State: state}),
		newFinding(Revived, "shop", pair{deleted, record}),
	}
}

// A finding has values of its own: a comparison overwrites what it was made from.
func TestNewFinding_ownsItsValues(t *testing.T) {
	p := pair{&State{Version: change.Version{LUT: 1}, Expiry: 2}, &Record{LUT: 3, Expiry: 4}}
	f := newFinding(Stale, "shop", p)
	*p.State, *p.Record = State{}, Record{}
	if *f.Archive.Expiry != 2 || *f.Database.Expiry != 4 {
		t.Errorf("expiry %d in the archive and %d in the database, want 2 and 4", *f.Archive.Expiry, *f.Database.Expiry)
	}
}

func summary() *Summary {
	s := &Summary{
		Watermark: time.Date(2026, 11, 30, 12, 0, 0, 0, time.UTC), Database: 1000, Archive: 998, Deleted: 5, Same: 990, UnderWay: 6, Outside: 3, Read: 12,
	}
	s.add(Missing, &Record{LUT: 1764000060000})
	s.add(Stale, &Record{LUT: 1764000050000})
	s.add(Unexpected, nil)
	s.add(Revived, &Record{LUT: 1})
	return s
}

func TestReport_text(t *testing.T) {
	var out, all bytes.Buffer
	r := Report{Out: &out, Most: 3, All: &all}
	for _, f := range findings() {
		if err := r.Finding(f); err != nil {
			t.Fatal(err)
		}
	}
	if err := r.Summary(summary()); err != nil {
		t.Fatal(err)
	}
	const want = `missing     set="orders" digest=AQIDAAAAAAAAAAAAAAAAAAAAAAA=  database: write generation 3 of 2025-11-24T16:01:00.000Z  archive: nothing
stale       set="orders" digest=AQIDAAAAAAAAAAAAAAAAAAAAAAA=  database: write generation 3 of 2025-11-24T16:01:00.000Z  archive: write generation 2 of 2025-11-24T16:00:00.123Z until 2025-11-24T17:00:00Z
unexpected  set="orders" digest=AQIDAAAAAAAAAAAAAAAAAAAAAAA=  database: nothing  archive: write generation 2 of 2025-11-24T16:00:00.123Z until 2025-11-24T17:00:00Z
and 1 finding more in the file of findings

compared what changed up to 2026-11-30T12:00:00Z: 1000 records in the database, 998 in the archive
         990  the same, or deleted in both
           6  changed later, so not compared
           3  expired, or changed before, so not compared
           1  missing: in the database, not in the archive
           1  stale: newer in the database than in the archive
           1  unexpected: alive in the archive, not in the database
           1  revived: deleted in the archive, alive in the database in a version from before the delete
`
	if diff := cmp.Diff(want, out.String()); diff != "" {
		t.Error(diff)
	}
	if n := strings.Count(all.String(), "\n"); n != 4 {
		t.Errorf("%d lines of findings, want 4:\n%s", n, &all)
	}
}

// Without a file of all findings, the summary says how to have one.
func TestReport_moreThanPrinted(t *testing.T) {
	var out bytes.Buffer
	r := Report{Out: &out, Most: 3}
	for _, f := range findings() {
		if err := r.Finding(f); err != nil {
			t.Fatal(err)
		}
	}
	if err := r.Summary(summary()); err != nil || !strings.Contains(out.String(), "\nand 1 finding more; with -findings FILE all are kept\n") {
		t.Errorf("error %v:\n%s", err, &out)
	}
}

func TestReport_rewinds(t *testing.T) {
	rewinds := []Rewind{{DC: "a", Command: "set-config:…;dc=a", Nodes: []string{"h:1", "h:2"}}, {DC: "b", Command: "set-config:…;dc=b", Nodes: []string{"h:1"}}}
	const dropped = "the function drops what it has stored in the last 10 minutes as repeated, and a fence what it has recorded as stale, even if the archive has lost it\n"
	for performed, want := range map[bool]string{
		false: "to ship them again within the hour, run on h:1, h:2: asinfo -v 'set-config:…;dc=a'\n" +
			"to ship them again within the hour, run on h:1: asinfo -v 'set-config:…;dc=b'\n" + dropped +
			"if the archive has lost it, give the fence another set, and restart the function, before you run the commands\n",
		true: "rewound on h:1, h:2: asinfo -v 'set-config:…;dc=a'\nrewound on h:1: asinfo -v 'set-config:…;dc=b'\n" + dropped +
			"when XDR has shipped all that, audit again; if the same is found, give the fence another set, restart the function, and rewind again\n",
	} {
		var out bytes.Buffer
		if err := (&Report{Out: &out}).Rewinds(summary(), rewinds, performed); err != nil {
			t.Fatal(err)
		}
		want += "a rewind ships records and tombstones, so it does not repair 2 findings of other kinds\n"
		if diff := cmp.Diff(want, out.String()); diff != "" {
			t.Error(diff)
		}
	}
}

// If a rewind repairs none of the findings, the report says that too.
func TestReport_nothingToRewind(t *testing.T) {
	const note = "a rewind ships records and tombstones, so it does not repair 2 findings of other kinds"
	s := &Summary{Findings: map[Kind]int64{Unexpected: 2}}
	for json, want := range map[bool]string{
		false: note + "\n",
		true:  `{"repair":{"performed":true,"rewinds":[],"notes":["` + note + "\"]}}\n",
	} {
		var out bytes.Buffer
		if err := (&Report{Out: &out, JSON: json}).Rewinds(s, nil, true); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, out.String()); diff != "" {
			t.Error(diff)
		}
	}
}

func TestReport_json(t *testing.T) {
	var out bytes.Buffer
	r := Report{Out: &out, JSON: true}
	for _, f := range findings() {
		if err := r.Finding(f); err != nil {
			t.Fatal(err)
		}
	}
	if err := r.Summary(summary()); err != nil {
		t.Fatal(err)
	}
	if err := r.Rewinds(summary(), []Rewind{{DC: "d", Command: "c", Nodes: []string{"a:1"}}}, true); err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSpace(out.String()), "\n")
	if len(lines) != 6 {
		t.Fatalf("%d lines, want 4 findings, the summary and the repair:\n%s", len(lines), &out)
	}
	const want = `{"kind":"stale","namespace":"shop","set":"orders","digest":"AQIDAAAAAAAAAAAAAAAAAAAAAAA=","partition":513,` +
		`"database":{"op":"write","generation":3,"lut":1764000060000,"expiry":0},` +
		`"archive":{"op":"write","generation":2,"lut":1764000000123,"expiry":1764003600,"object":"changes/x.ndjson","position":7}}`
	if lines[1] != want {
		t.Errorf("%s, want\n%s", lines[1], want)
	}
	var last struct {
		Summary struct {
			Complete  bool
			Database  int
			Since     *int64
			Watermark int64
			Oldest    int64
			Findings  map[Kind]int
		}
	}
	if err := json.Unmarshal([]byte(lines[4]), &last); err != nil {
		t.Fatal(err)
	}
	s := last.Summary
	if !s.Complete || s.Database != 1000 || s.Since != nil || s.Watermark != 1796040000000 || s.Oldest != 1764000050000 || len(s.Findings) != len(Kinds) || s.Findings[Missing] != 1 {
		t.Errorf("%s", lines[4])
	}
	if want := `{"repair":{"performed":true,"rewinds":[{"dc":"d","command":"c","nodes":["a:1"]}],"notes":["the function drops `; !strings.HasPrefix(lines[5], want) {
		t.Errorf("%s, want %s…", lines[5], want)
	}
}

// An archive that cannot be read completely must not look as if it were whole.
func TestReport_incomplete(t *testing.T) {
	var out bytes.Buffer
	s := &Summary{Watermark: time.Unix(1764000000, 0), Since: time.Unix(1763000000, 0), Damaged: 1, Unreadable: 2}
	if err := (&Report{Out: &out}).Summary(s); err != nil {
		t.Fatal(err)
	}
	if text := out.String(); !strings.Contains(text, "\nINCOMPLETE: 1 object and 2 lines of the archive") || !strings.Contains(text, " from 2025-11-13T02:13:20Z up to ") {
		t.Error(text)
	}
	out.Reset()
	if err := (&Report{Out: &out, JSON: true}).Summary(s); err != nil || !strings.Contains(out.String(), `"complete":false`) {
		t.Errorf("%s, error %v", &out, err)
	}
}
