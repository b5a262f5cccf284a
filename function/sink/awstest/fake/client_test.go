package fake_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/smithy-go"

	"github.com/aerosink/aerosink/function/sink/awsconfig"
	"github.com/aerosink/aerosink/function/sink/awstest/fake"
)

// config returns what AWS's clients are made from. A test of a client that hangs fails by
// its context.
func config(t testing.TB) aws.Config {
	t.Helper()
	c, err := awsconfig.Load(t.Context(), fake.Region)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// code returns the code of the error that a service has responded, "" for no error, and what
// went wrong if the service has not responded.
func code(err error) string {
	var e smithy.APIError
	switch {
	case err == nil:
		return ""
	case errors.As(err, &e):
		return e.ErrorCode()
	}
	return "no answer: " + err.Error()
}

// results describes what became of the entries of a call, such as "a+ b:InvalidMessageContents".
type results map[string]string

func (r results) String() string {
	var all []string
	for _, id := range slices.Sorted(maps.Keys(r)) {
		all = append(all, id+r[id])
	}
	return strings.Join(all, " ")
}

// clock is a clock that a test sets.
type clock struct{ now time.Time }

func newClock() *clock { return &clock{time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)} }

func (c *clock) read() time.Time { return c.now }

func (c *clock) advance(d time.Duration) { c.now = c.now.Add(d) }

// untilReached returns the context of a client that gives up once its call has come as far as
// reached says.
func untilReached(t testing.TB, reached func() bool) context.Context {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	t.Cleanup(cancel)
	go func() {
		defer cancel()
		look := time.NewTicker(time.Millisecond)
		defer look.Stop()
		for !reached() {
			select {
			case <-look.C:
			case <-ctx.Done():
				return
			}
		}
	}()
	return ctx
}

// text returns n characters.
func text(n int) string { return strings.Repeat("x", n) }

func ptr(format string, args ...any) *string { return aws.String(fmt.Sprintf(format, args...)) }
