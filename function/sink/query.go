package sink

import (
	"fmt"
	"math"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// Query reads the parameters of a sink's URL. It keeps the first error, which End
// returns.
type Query struct {
	values url.Values
	asked  []string
	err    error
}

// NewQuery returns the Query of u.
func NewQuery(u *url.URL) *Query { return &Query{values: u.Query()} }

// Text returns the value of a parameter, or absent if the URL does not have it.
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

// Word returns the value of a parameter, which must be one of words, or absent.
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

// Integer returns the value of a parameter, an integer from least to most, or absent.
func (q *Query) Integer(name string, absent, least, most int) int {
	text := q.Text(name, strconv.Itoa(absent))
	i, err := strconv.Atoi(text)
	if err != nil || i < least || i > most {
		q.Fail("invalid number %s=%s: want %d to %d", name, text, least, most)
		return absent
	}
	return i
}

// Duration returns the value of a parameter, a duration from least to most, or absent.
func (q *Query) Duration(name string, absent, least, most time.Duration) time.Duration {
	text := q.Text(name, absent.String())
	d, err := time.ParseDuration(text)
	if err != nil || d < least || d > most {
		q.Fail("invalid duration %s=%s: want %s to %s", name, text, least, most)
		return absent
	}
	return d
}

// Size returns the value of a parameter, a number of bytes from least to most, or absent.
// [ParseSize] describes its form.
func (q *Query) Size(name string, absent, least, most int64) int64 {
	text := q.Text(name, strconv.FormatInt(absent, 10))
	n, err := ParseSize(text)
	if err != nil || n < least || n > most {
		q.Fail("invalid size %s=%s: want %d to %d bytes", name, text, least, most)
		return absent
	}
	return n
}

// Fail records an error, unless there is one already.
func (q *Query) Fail(detail string, args ...any) {
	if q.err == nil {
		q.err = fmt.Errorf(detail, args...)
	}
}

// End returns the first error. A parameter that no method has read is an error.
func (q *Query) End() error {
	for _, name := range q.asked {
		q.values.Del(name)
	}
	for name := range q.values {
		q.Fail("unknown parameter %s; known are %s", name, strings.Join(q.asked, ", "))
	}
	return q.err
}

// ParseSize parses a number of bytes, which may have the suffix KiB, MiB or GiB.
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
