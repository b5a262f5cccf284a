package sink

import (
	"fmt"
	"math"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// Query reads the parameters of a sink's URL. The first fault stays; End returns it.
type Query struct {
	values url.Values
	asked  []string
	err    error
}

// NewQuery returns the Query of u.
func NewQuery(u *url.URL) *Query { return &Query{values: u.Query()} }

// Text returns the parameter, or absent.
func (q *Query) Text(name, absent string) string {
	q.asked = append(q.asked, name)
	if !q.values.Has(name) {
		return absent
	}
	if len(q.values[name]) > 1 {
		q.Fail("parameter %s twice", name)
	}
	return q.values.Get(name)
}

// Word returns the parameter, which is one of words, or absent.
func (q *Query) Word(name, absent string, words ...string) string {
	word := q.Text(name, absent)
	for _, w := range words {
		if w == word {
			return word
		}
	}
	q.Fail("invalid %s=%s: want one of %s", name, word, strings.Join(words, ", "))
	return absent
}

// Integer returns the parameter, a number from least to most, or absent.
func (q *Query) Integer(name string, absent, least, most int) int {
	text := q.Text(name, strconv.Itoa(absent))
	i, err := strconv.Atoi(text)
	if err != nil || i < least || i > most {
		q.Fail("invalid number %s=%s: want %d to %d", name, text, least, most)
		return absent
	}
	return i
}

// Duration returns the parameter, a duration from least to most, or absent.
func (q *Query) Duration(name string, absent, least, most time.Duration) time.Duration {
	text := q.Text(name, absent.String())
	d, err := time.ParseDuration(text)
	if err != nil || d < least || d > most {
		q.Fail("invalid duration %s=%s: want %s to %s", name, text, least, most)
		return absent
	}
	return d
}

// Size returns the parameter, a number of bytes as [ParseSize] reads it, from least
// to most, or absent.
func (q *Query) Size(name string, absent, least, most int64) int64 {
	text := q.Text(name, strconv.FormatInt(absent, 10))
	n, err := ParseSize(text)
	if err != nil || n < least || n > most {
		q.Fail("invalid size %s=%s: want %d to %d bytes", name, text, least, most)
		return absent
	}
	return n
}

// Fail notes a fault.
func (q *Query) Fail(detail string, args ...any) {
	if q.err == nil {
		q.err = fmt.Errorf(detail, args...)
	}
}

// End returns the first fault. A parameter that was not asked for is one.
func (q *Query) End() error {
	for _, name := range q.asked {
		q.values.Del(name)
	}
	for name := range q.values {
		q.Fail("unknown parameter %s; known are %s", name, strings.Join(q.asked, ", "))
	}
	return q.err
}

// ParseSize reads a number of bytes, or one with KiB, MiB or GiB behind it.
func ParseSize(text string) (int64, error) {
	digits, shift := text, 0
	for suffix, by := range map[string]int{"KiB": 10, "MiB": 20, "GiB": 30} {
		if d, ok := strings.CutSuffix(text, suffix); ok {
			digits, shift = d, by
		}
	}
	n, err := strconv.ParseInt(strings.TrimSpace(digits), 10, 64)
	if err != nil || n <= 0 || n > math.MaxInt64>>shift {
		return 0, fmt.Errorf("invalid size %q: want for example 32MiB", text)
	}
	return n << shift, nil
}
