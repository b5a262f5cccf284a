package main

import (
	"bytes"
	stdjson "encoding/json"
	"fmt"
	"io"
	"maps"
	"math"
	"slices"
	"strings"

	"github.com/aerosink/aerosink/connector/change"
	"github.com/aerosink/aerosink/function/pipeline"
)

// result is what a command did, or found.
type result struct {
	record     *record
	verb       string // "" for a record that was read
	generation uint32 // 0 for a deleted record
	ttl        uint32 // seconds; math.MaxUint32 is never
	bins       map[string]stdjson.RawMessage
}

// write prints the result.
func (r *result) write(w io.Writer, form string) error {
	var out bytes.Buffer
	if form == "json" {
		if err := r.writeJSON(&out); err != nil {
			return err
		}
	} else {
		r.writeText(&out)
	}
	_, err := w.Write(out.Bytes())
	return err
}

func (r *result) writeText(out *bytes.Buffer) {
	var facts []string
	if r.verb != "" {
		facts = append(facts, r.verb+" "+r.record.name)
	}
	if r.generation > 0 {
		facts = append(facts, fmt.Sprintf("generation %d", r.generation))
		if r.ttl == math.MaxUint32 {
			facts = append(facts, "never expires")
		} else {
			facts = append(facts, fmt.Sprintf("expires in %ds", r.ttl))
		}
	}
	fmt.Fprintln(out, strings.Join(facts, ", "))
	for _, name := range slices.Sorted(maps.Keys(r.bins)) {
		fmt.Fprintln(out, "  "+pipeline.BinText(name, r.bins[name]))
	}
}

// writeJSON prints one object, without what does not apply: a TTL, in seconds, only of a
// record that expires.
func (r *result) writeJSON(out *bytes.Buffer) error {
	key := r.record.key
	object := struct {
		Namespace  string                        `json:"namespace"`
		Set        string                        `json:"set"`
		Key        any                           `json:"key"`
		Digest     string                        `json:"digest"`
		Done       string                        `json:"done,omitempty"`
		Generation uint32                        `json:"generation,omitempty"`
		Expires    *bool                         `json:"expires,omitempty"`
		TTL        uint32                        `json:"ttl,omitempty"`
		Bins       map[string]stdjson.RawMessage `json:"bins,omitempty"`
	}{
		Namespace: key.Namespace(), Set: key.SetName(), Key: key.Value().GetObject(), Digest: change.Digest(key.Digest()).String(),
		Done: r.verb, Generation: r.generation, Bins: r.bins,
	}
	if r.generation > 0 {
		expires := r.ttl != math.MaxUint32
		object.Expires = &expires
		if expires {
			object.TTL = r.ttl
		}
	}
	e := stdjson.NewEncoder(out)
	e.SetEscapeHTML(false)
	return e.Encode(object)
}
