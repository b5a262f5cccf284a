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
)

// defaultPath is the template of folders that Hive, BigQuery, Spark and DuckDB recognise
// as partitions.
const defaultPath = "namespace={namespace}/set={set}/dt={date}/hour={hour}"

// hiveNull stands in a path for a missing set or last update time. Hive, BigQuery and DuckDB
// read it as NULL. DuckDB does the same with sqlNull in any case.
const (
	hiveNull = "__HIVE_DEFAULT_PARTITION__"
	sqlNull  = "NULL"
)

// maxName is the maximum length of an object's name in bytes
// (https://cloud.google.com/storage/docs/objects#naming), and maxFolder that of the folder
// in it.
const (
	maxName   = 1024
	maxFolder = maxName - len("9223372036854775807-") - 2*hashBytes - len(".ndjson.zst")
)

// maxTemplate is the maximum length of a template with its prefix, in bytes. It is low
// because escaped names are long.
const maxTemplate = 400

// template is the path of folders, with fields.
type template []segment

// segment is a part of a template: text or a field.
type segment struct {
	text  string
	field func(dst []byte, p *folderValues) []byte // nil for text
}

// folderValues has the values of the fields.
type folderValues struct {
	c    *change.Change
	time int64 // Unix milliseconds; 0 is unknown
}

// fields are the fields of templates, in the order in which errors list them. Times are in
// UTC.
var fields = []struct {
	name   string
	append func(dst []byte, p *folderValues) []byte
}{
	{"namespace", func(dst []byte, p *folderValues) []byte { return appendEscaped(dst, p.c.Namespace) }},
	{"set", func(dst []byte, p *folderValues) []byte { return appendEscaped(dst, p.c.Set) }},
	{"date", func(dst []byte, p *folderValues) []byte { return p.appendTime(dst, time.DateOnly) }},
	{"hour", func(dst []byte, p *folderValues) []byte { return p.appendTime(dst, "15") }},
	{"minute", func(dst []byte, p *folderValues) []byte { return p.appendTime(dst, "04") }},
	{"op", func(dst []byte, p *folderValues) []byte { return p.appendKnown(dst, p.c.Op.String()) }},
	{"partition", shards(change.Partitions)},
}

// parseTemplate parses a template, under a prefix that may be empty.
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
		return nil, fmt.Errorf("path=%s has an empty part, or one that is only dots", text)
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
		t = append(t, segment{text: literal}, segment{field: field})
		rest = after
	}
	t = append(t, segment{text: literal + "/"})
	for _, p := range t[1:] {
		if strings.ContainsFunc(p.text, isOdd) {
			return nil, fmt.Errorf("path=%s: want only letters, digits and %s between fields", text, plain)
		}
	}
	if n := len(t.appendFolder(nil, &folderValues{c: &change.Change{}})); n > maxFolder {
		return nil, fmt.Errorf("path=%s: the folder of a change without metadata has %d bytes; want at most %d", text, n, maxFolder)
	}
	return t, nil
}

// plain has the characters that are allowed between fields besides letters and digits.
const plain = "-_.=/~"

func isOdd(r rune) bool {
	return (r < '0' || r > '9') && (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && !strings.ContainsRune(plain, r)
}

func fieldNamed(name string) (func([]byte, *folderValues) []byte, error) {
	if digits, ok := strings.CutPrefix(name, "shard:"); ok {
		n, err := strconv.Atoi(digits)
		if err != nil || n < 1 || n > change.Partitions {
			return nil, fmt.Errorf("invalid field {%s}: want a number of shards from 1 to %d", name, change.Partitions)
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
	return nil, errors.New("unknown field {" + name + "}; the fields are " + strings.Join(names, ", ") + " and {shard:N}")
}

// shards returns the field that divides the partitions of the database into n shards. Its
// values are decimal numbers of the same width.
func shards(n int) func([]byte, *folderValues) []byte {
	width := len(strconv.Itoa(n - 1))
	return func(dst []byte, p *folderValues) []byte {
		return p.appendKnown(dst, fmt.Sprintf("%0*d", width, p.c.Digest.Partition()%n))
	}
}

// appendFolder appends the folder of a change, with a slash at its end. It appends nothing
// if all objects are at the top of the bucket.
func (t template) appendFolder(dst []byte, p *folderValues) []byte {
	for _, s := range t {
		if s.field == nil {
			dst = append(dst, s.text...)
		} else {
			dst = s.field(dst, p)
		}
	}
	return dst
}

// folder appends the folder of a change, or of a dead letter, to dst. A dead letter whose
// folder would be too long goes into the folder of those without metadata.
func (t template) folder(dst []byte, p *folderValues, dead bool) ([]byte, error) {
	folder := t.appendFolder(dst, p)
	if len(folder) <= maxFolder {
		return folder, nil
	}
	if dead {
		return t.appendFolder(dst, &folderValues{c: &change.Change{}, time: p.time}), nil
	}
	return dst, change.Permanent(fmt.Errorf("the folder for its namespace and set has %d bytes, and names have at most %d", len(folder), maxName))
}

func (p *folderValues) appendTime(dst []byte, layout string) []byte {
	if p.time <= 0 {
		return append(dst, hiveNull...)
	}
	return time.UnixMilli(p.time).UTC().AppendFormat(dst, layout)
}

// appendKnown appends text, unless it is a dead letter whose change could not be read.
func (p *folderValues) appendKnown(dst []byte, text string) []byte {
	if p.c.Namespace == "" {
		return append(dst, hiveNull...)
	}
	return append(dst, text...)
}

// appendEscaped appends a name as a part of a path. Everything but letters, digits, dots,
// dashes, underscores and tildes is percent-encoded, and so are names that are dots only, and
// the first byte of those that would be read as NULL.
func appendEscaped(dst []byte, name string) []byte {
	switch {
	case name == "":
		return append(dst, hiveNull...)
	case name == ".", name == "..":
		return append(dst, strings.ReplaceAll(name, ".", "%2E")...)
	case strings.EqualFold(name, sqlNull), strings.EqualFold(name, hiveNull):
		return append(fmt.Appendf(dst, "%%%02X", name[0]), name[1:]...)
	}
	return append(dst, strings.ReplaceAll(url.QueryEscape(name), "+", "%20")...)
}
