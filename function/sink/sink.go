// Package sink stores changes where they last: changes come in with the bytes
// they were read from, a verdict on each goes back. A nil verdict means durable:
// a message that Pub/Sub has given an id, an object that Cloud Storage has
// finalised. Of HTTP the package knows nothing.
package sink

import (
	"context"
	"fmt"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/aerosink/aerosink/connector/format"
)

// Sink is a place to store changes. Its methods may be called by several
// goroutines at once.
type Sink interface {
	// Put stores the changes of batch and returns when the last is durable or has
	// failed. It neither keeps nor writes to the batch and its bytes after that.
	Put(ctx context.Context, batch []format.Parsed) Verdicts

	// Close waits for nothing: all Puts must have returned.
	Close() error
}

// Verdicts are the verdicts on a batch, one for each change. Nil, or a nil one,
// means stored; an error marked by change.Permanent will be the same next time.
type Verdicts []error

// all returns the verdict err on each of n changes.
func all(n int, err error) Verdicts {
	if err == nil {
		return nil
	}
	v := make(Verdicts, n)
	for i := range v {
		v[i] = err
	}
	return v
}

// set makes err the verdict on change i of n.
func (v *Verdicts) set(n, i int, err error) {
	if err == nil {
		return
	}
	if *v == nil {
		*v = make(Verdicts, n)
	}
	(*v)[i] = err
}

// Spec says which sink to open and how. It is made by [Parse].
type Spec struct {
	name string
	open func(ctx context.Context, name string) (Sink, error)
}

// String returns the URL that the Spec was parsed from.
func (s Spec) String() string { return s.name }

// Open opens the sink. The context bounds the opening alone.
func (s Spec) Open(ctx context.Context) (Sink, error) {
	sink, err := s.open(ctx, s.name)
	if err != nil {
		return nil, fmt.Errorf("open sink %s: %w", s.name, err)
	}
	return sink, nil
}

// Options are what all sinks of a process share.
type Options struct {
	// Timeout bounds what a sink does for one Put.
	Timeout time.Duration

	// Log is where the sink log: writes. It gets whole lines.
	Log interface{ Write([]byte) (int, error) }
}

// Parse reads the URL of a sink:
//
//	pubsub://PROJECT/TOPIC?ordering=256
//	gs://BUCKET/PREFIX?format=ndjson&compression=gzip
//	log:
//
// Errors say what is wrong and never hold more than the URL.
func Parse(text string, o Options) (Spec, error) {
	u, err := url.Parse(text)
	if err != nil {
		return Spec{}, fmt.Errorf("%q is no URL; write log:, pubsub://PROJECT/TOPIC or gs://BUCKET/PREFIX", text)
	}
	q := query{values: u.Query()}
	var s Spec
	switch u.Scheme {
	case "pubsub":
		s, err = parsePubSub(u, &q, o)
	case "gs":
		s, err = parseArchive(u, &q, o)
	case "log":
		s, err = parseLog(u, &q, o)
	default:
		return Spec{}, fmt.Errorf("%q: unknown kind of sink; the kinds are log:, pubsub://PROJECT/TOPIC and gs://BUCKET/PREFIX", text)
	}
	if err == nil {
		err = q.end()
	}
	if err != nil {
		return Spec{}, fmt.Errorf("%q: %w", text, err)
	}
	s.name = text
	return s, nil
}

// query reads the parameters of a sink's URL and keeps the first fault.
type query struct {
	values url.Values
	asked  []string
	err    error
}

func (q *query) text(name, absent string) string {
	q.asked = append(q.asked, name)
	if !q.values.Has(name) {
		return absent
	}
	if len(q.values[name]) > 1 {
		q.fail("parameter %s twice", name)
	}
	return q.values.Get(name)
}

func (q *query) word(name, absent string, words ...string) string {
	word := q.text(name, absent)
	for _, w := range words {
		if w == word {
			return word
		}
	}
	q.fail("%s=%s is none of %s", name, word, strings.Join(words, ", "))
	return absent
}

func (q *query) integer(name string, absent, least, most int) int {
	text := q.text(name, strconv.Itoa(absent))
	i, err := strconv.Atoi(text)
	if err != nil || i < least || i > most {
		q.fail("%s=%s is no number between %d and %d", name, text, least, most)
		return absent
	}
	return i
}

func (q *query) fail(detail string, args ...any) {
	if q.err == nil {
		q.err = fmt.Errorf(detail, args...)
	}
}

func (q *query) end() error {
	for _, name := range q.asked {
		q.values.Del(name)
	}
	for name := range q.values {
		q.fail("unknown parameter %s; known are %s", name, strings.Join(q.asked, ", "))
	}
	return q.err
}
