package archive

import (
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/aerosink/aerosink/connector/change"
	"github.com/aerosink/aerosink/function/sink"
)

// defaultPath is the template of folders that Hive, BigQuery, Spark and DuckDB take
// for partitions.
const defaultPath = "namespace={namespace}/set={set}/dt={date}/hour={hour}"

// none stands in a path where a change has no set or no last update time. It is
// what Hive, and BigQuery after it, read as NULL.
const none = "__HIVE_DEFAULT_PARTITION__"

// longestName is the most bytes of an object's name (https://cloud.google.com/storage/docs/objects#naming),
// and longestFolder what of it a folder may have.
const (
	longestName   = 1024
	longestFolder = longestName - len("9223372036854775807-") - 2*hashBytes - len(".ndjson.zst")
)

// maxTemplate bounds a template with its prefix, in bytes: the names of a namespace
// and a set are long when escaped.
const maxTemplate = 400

// template makes the folder of a change.
type template []piece

// piece is a part of a template: text as it is, or a field.
type piece struct {
	text  string
	field func(dst []byte, p *place) []byte // nil is text
}

// place is what a folder is made of.
type place struct {
	c    *change.Change
	time int64 // Unix milliseconds; 0 is unknown
}

// fields are the fields of templates, in the order that errors name them in. Times
// are in UTC.
var fields = []struct {
	name   string
	append func(dst []byte, p *place) []byte
}{
	{"namespace", func(dst []byte, p *place) []byte { return appendEscaped(dst, p.c.Namespace) }},
	{"set", func(dst []byte, p *place) []byte { return appendEscaped(dst, p.c.Set) }},
	{"date", func(dst []byte, p *place) []byte { return p.appendTime(dst, time.DateOnly) }},
	{"hour", func(dst []byte, p *place) []byte { return p.appendTime(dst, "15") }},
	{"minute", func(dst []byte, p *place) []byte { return p.appendTime(dst, "04") }},
	{"op", func(dst []byte, p *place) []byte { return p.appendKnown(dst, p.c.Op.String()) }},
	{"partition", shards(change.Partitions)},
}

// parseTemplate reads what stands in a URL, under a prefix that may be empty.
func parseTemplate(prefix, text string) (template, error) {
	if prefix != "" {
		prefix += "/"
	}
	if len(prefix)+len(text) > maxTemplate {
		return nil, fmt.Errorf("prefix and path have more than %d bytes", maxTemplate)
	}
	t := template{{text: prefix}}
	if text == "" {
		return t, nil
	}
	if slices.ContainsFunc(strings.Split(text, "/"), func(part string) bool { return part == "" || part == "." || part == ".." }) {
		return nil, fmt.Errorf("path=%s has a part that is empty or dots alone", text)
	}
	literal, rest, more := strings.Cut(text, "{")
	for ; more; literal, rest, more = strings.Cut(rest, "{") {
		name, after, closed := strings.Cut(rest, "}")
		field, err := fieldNamed(name)
		switch {
		case !closed:
			return nil, fmt.Errorf("path=%s: {%s has no }", text, name)
		case err != nil:
			return nil, fmt.Errorf("path=%s: %w", text, err)
		}
		t = append(t, piece{text: literal}, piece{field: field})
		rest = after
	}
	t = append(t, piece{text: literal + "/"})
	for _, p := range t[1:] {
		if strings.ContainsFunc(p.text, isOdd) {
			return nil, fmt.Errorf("path=%s: between fields stand letters, digits and any of %s", text, plain)
		}
	}
	if n := len(t.appendFolder(nil, &place{c: &change.Change{}})); n > longestFolder {
		return nil, fmt.Errorf("path=%s: a change of which nothing is known has a folder of %d bytes, and there is room for %d", text, n, longestFolder)
	}
	return t, nil
}

// plain is what may stand between fields beside letters and digits.
const plain = "-_.=/~"

func isOdd(r rune) bool {
	return (r < '0' || r > '9') && (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && !strings.ContainsRune(plain, r)
}

func fieldNamed(name string) (func([]byte, *place) []byte, error) {
	if digits, ok := strings.CutPrefix(name, "shard:"); ok {
		n, err := strconv.Atoi(digits)
		if err != nil || n < 1 || n > change.Partitions {
			return nil, fmt.Errorf("{%s} is no number of shards between 1 and %d", name, change.Partitions)
		}
		return shards(n), nil
	}
	var names []string
	for _, f := range fields {
		if f.name == name {
			return f.append, nil
		}
		names = append(names, "{"+f.name+"}")
	}
	return nil, errors.New("{" + name + "} is no field; the fields are " + strings.Join(names, ", ") + " and {shard:N}")
}

// shards returns the field that parts the partitions of the database into n, as
// decimals of one width.
func shards(n int) func([]byte, *place) []byte {
	width := len(strconv.Itoa(n - 1))
	return func(dst []byte, p *place) []byte {
		return p.appendKnown(dst, fmt.Sprintf("%0*d", width, p.c.Digest.Partition()%n))
	}
}

// appendFolder appends the folder of a change, with a slash at its end, unless it is
// that of the whole bucket.
func (t template) appendFolder(dst []byte, p *place) []byte {
	for _, piece := range t {
		if piece.field == nil {
			dst = append(dst, piece.text...)
		} else {
			dst = piece.field(dst, p)
		}
	}
	return dst
}

// folderOf appends the folder of a change to dst, or that of the letter about it. A
// letter whose change has no room there is where those are of which nothing is known.
func (s *settings) folderOf(dst []byte, p *place, letter *sink.DeadLetter) ([]byte, error) {
	folder := s.path.appendFolder(dst, p)
	if len(folder) <= longestFolder {
		return folder, nil
	}
	if letter != nil {
		return s.path.appendFolder(dst, &place{c: &change.Change{}, time: p.time}), nil
	}
	return dst, change.Permanent(fmt.Errorf("a folder of %d bytes for namespace and set, and Cloud Storage has names of %d at most", len(folder), longestName))
}

func (p *place) appendTime(dst []byte, layout string) []byte {
	if p.time <= 0 {
		return append(dst, none...)
	}
	return time.UnixMilli(p.time).UTC().AppendFormat(dst, layout)
}

// appendKnown appends what a dead letter has only where its change could be read.
func (p *place) appendKnown(dst []byte, text string) []byte {
	if p.c.Namespace == "" {
		return append(dst, none...)
	}
	return append(dst, text...)
}

// appendEscaped makes a name a part of a path: what is no letter, digit, dot, dash,
// underscore or tilde is percent-encoded, and so is a dot that would mean a folder.
func appendEscaped(dst []byte, name string) []byte {
	switch name {
	case "":
		return append(dst, none...)
	case ".", "..":
		return append(dst, strings.ReplaceAll(name, ".", "%2E")...)
	}
	return append(dst, strings.ReplaceAll(url.QueryEscape(name), "+", "%20")...)
}
