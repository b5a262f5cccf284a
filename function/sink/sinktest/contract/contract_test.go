package contract_test

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aerosink/aerosink/connector/change"
	"github.com/aerosink/aerosink/connector/format"
	"github.com/aerosink/aerosink/function/sink"
	"github.com/aerosink/aerosink/function/sink/sinktest/contract"
)

// A simple sink without mistakes passes.
func TestRun(t *testing.T) { contract.Run(t, simple("")) }

// bug is set in the environment of a process that tests a sink with a mistake.
const bug = "CONTRACT_BUG"

// TestBroken is run by TestRun_findsMistakes, and fails.
func TestBroken(t *testing.T) {
	if os.Getenv(bug) == "" {
		t.Skip("only in a process that TestRun_findsMistakes has started")
	}
	contract.Run(t, simple(os.Getenv(bug)))
}

// Each mistake makes the test fail that is about it.
func TestRun_findsMistakes(t *testing.T) {
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	for mistake, test := range map[string]string{
		"drops a change":                     "stored",
		"does not wait for the answer":       "no_early_answer",
		"acknowledges what failed":           "failure_of_one",
		"never refuses for good":             "refused",
		"refuses everything for good":        "all_refused",
		"acknowledges what is forbidden":     "forbidden",
		"takes throttling for good":          "throttled",
		"gives up at the first throttling":   "throttled",
		"acknowledges what hangs":            "hang",
		"takes a lost answer for good":       "lost_answer",
		"acknowledges what is cancelled":     "cancelled",
		"looks at the batch later":           "batch_changed_after_Put",
		"takes everything into memory":       "overload",
		"sends versions at the same time":    "order",
		"lets a later version go first":      "order",
		"drops dead letters":                 "dead_letters",
		"cannot be opened again":             "opened_twice",
		"fails when there is nothing to put": "empty_batch",
		"loses changes of Puts side by side": "concurrent_Puts",
	} {
		t.Run(mistake, func(t *testing.T) {
			process := exec.CommandContext(t.Context(), self, "-test.run", "^TestBroken$/^"+test+"$", "-test.v")
			process.Env = append(os.Environ(), bug+"="+mistake)
			out, err := process.CombinedOutput()
			var failed *exec.ExitError
			if !errors.As(err, &failed) || !strings.Contains(string(out), "--- FAIL: TestBroken/"+test) {
				t.Errorf("%s does not fail: %v\n%s", test, err, out)
			}
		})
	}
}

// memory is a service that stores changes in memory.
type memory struct {
	mu     sync.Mutex
	fault  func(contract.Request) contract.Fault
	stored []string
	taken  int // requests
}

// simple returns a kind of sink that sends each change in a request of its own, with a mistake.
func simple(mistake string) contract.Sink {
	return contract.Sink{Ordered: true, Refuses: true, Overload: "most=20", Start: func(testing.TB) contract.Service {
		m := &memory{}
		var opened atomic.Int32
		return contract.Service{
			Spec: func(_ testing.TB, parameters string, o sink.Options) sink.Spec {
				s := &simpleSink{memory: m, mistake: mistake, timeout: o.Timeout, refused: map[string]int{}}
				if parameters != "" && mistake != "takes everything into memory" {
					s.most = 20
				}
				return sink.Spec{URL: "memory:", New: func(context.Context) (sink.Sink, error) {
					if mistake == "cannot be opened again" && opened.Add(1) > 1 {
						return nil, errors.New("it is open")
					}
					return s, nil
				}}
			},
			Fail: func(fault func(contract.Request) contract.Fault) {
				m.mu.Lock()
				defer m.mu.Unlock()
				m.fault = fault
			},
			Stored: func(testing.TB) []string {
				m.mu.Lock()
				defer m.mu.Unlock()
				return slices.Clone(m.stored)
			},
		}
	}}
}

var (
	errPasses    = errors.New("in a moment")
	errThrottled = errors.New("too many")
	errForbidden = errors.New("not you")
	errRefused   = errors.New("not that")
)

// send stores a change, unless a fault has it otherwise.
func (m *memory) send(ctx context.Context, data string) error {
	m.mu.Lock()
	fault := m.fault
	m.mu.Unlock()
	var f contract.Fault
	if fault != nil {
		f = fault(contract.Request{data})
	}
	if f.Entries != nil && len(f.Entries) == 0 {
		f = contract.Fault{}
	}
	switch f.Kind {
	case contract.Unavailable:
		return errPasses
	case contract.Throttled:
		return errThrottled
	case contract.Forbidden:
		return errForbidden
	case contract.Refused:
		return errRefused
	case contract.Hang:
		<-ctx.Done()
		return ctx.Err()
	}
	m.mu.Lock()
	m.stored = append(m.stored, data)
	m.taken++
	m.mu.Unlock()
	switch f.Kind {
	case contract.Lost:
		return errPasses
	case contract.Held:
		select {
		case <-f.Hold:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}

type simpleSink struct {
	*memory
	mistake  string
	timeout  time.Duration
	most     int32 // changes at a time; 0 is no limit
	inFlight atomic.Int32

	mu      sync.Mutex
	refused map[string]int // m.taken when a change was refused first
	late    []format.Parsed
}

func (s *simpleSink) Close() error { return nil }

func (s *simpleSink) Put(ctx context.Context, b sink.Batch) sink.Verdicts {
	ctx, cancel := context.WithTimeout(ctx, s.timeout)
	defer cancel()
	n := len(b.Changes)
	if n == 0 && s.mistake == "fails when there is nothing to put" {
		return sink.Verdicts{}
	}
	if b.DeadLetters != nil && s.mistake == "drops dead letters" {
		return nil
	}
	if all := s.inFlight.Add(int32(n)); s.most > 0 && all > s.most {
		s.inFlight.Add(-int32(n))
		return sink.All(n, sink.ErrOverloaded)
	} else if s.mistake == "loses changes of Puts side by side" && all > 15 {
		s.inFlight.Add(-int32(n))
		return nil
	}
	defer s.inFlight.Add(-int32(n))
	if s.mistake == "looks at the batch later" {
		s.flush(ctx, b)
	}
	byRecord := map[change.Digest][]int{}
	for i := range b.Changes {
		d := b.Changes[i].Change.Digest
		byRecord[d] = append(byRecord[d], i)
	}
	verdicts := make(sink.Verdicts, n)
	var sending sync.WaitGroup
	for _, record := range byRecord {
		sending.Go(func() { s.putRecord(ctx, b, record, verdicts) })
	}
	if s.mistake == "does not wait for the answer" {
		return nil
	}
	sending.Wait()
	if !slices.ContainsFunc(verdicts, func(err error) bool { return err != nil }) {
		return nil
	}
	return verdicts
}

// putRecord sends changes of a record one after another.
func (s *simpleSink) putRecord(ctx context.Context, b sink.Batch, record []int, verdicts sink.Verdicts) {
	if s.mistake == "lets a later version go first" {
		record = slices.Clone(record)
		slices.Reverse(record)
	}
	var sending sync.WaitGroup
	for at, i := range record {
		if s.mistake == "drops a change" && i == 7 {
			continue
		}
		if s.mistake == "sends versions at the same time" {
			sending.Go(func() { verdicts[i] = s.put(ctx, string(b.Changes[i].Data)) })
			continue
		}
		if verdicts[i] = s.put(ctx, string(b.Changes[i].Data)); verdicts[i] != nil && !change.IsPermanent(verdicts[i]) {
			for _, later := range record[at+1:] {
				verdicts[later] = fmt.Errorf("behind another: %w", verdicts[i])
			}
			break
		}
	}
	sending.Wait()
}

// put sends a change until it is stored or the time is over.
func (s *simpleSink) put(ctx context.Context, data string) error {
	for {
		err := s.send(ctx, data)
		switch {
		case errors.Is(err, errForbidden):
			if s.mistake == "acknowledges what is forbidden" {
				return nil
			}
			return err
		case errors.Is(err, errRefused):
			return s.refuse(data)
		case errors.Is(err, errThrottled) && s.mistake == "takes throttling for good", errors.Is(err, errPasses) && s.mistake == "takes a lost answer for good":
			return change.Permanent(err)
		case errors.Is(err, errThrottled) && s.mistake == "gives up at the first throttling":
			return err
		case errors.Is(err, errPasses) && s.mistake == "acknowledges what failed":
			return nil
		case errors.Is(err, context.DeadlineExceeded) && s.mistake == "acknowledges what hangs", errors.Is(err, context.Canceled) && s.mistake == "acknowledges what is cancelled":
			return nil
		case err == nil || ctx.Err() != nil:
			return err
		}
		select {
		case <-ctx.Done():
		case <-time.After(time.Millisecond):
		}
	}
}

// refuse returns the verdict on a change that the service refuses: for good once it has taken
// another one since.
func (s *simpleSink) refuse(data string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.memory.mu.Lock()
	taken := s.taken
	s.memory.mu.Unlock()
	first, before := s.refused[data]
	if !before {
		s.refused[data] = taken
	}
	if s.mistake == "refuses everything for good" || before && taken > first && s.mistake != "never refuses for good" {
		return change.Permanent(errRefused)
	}
	return errRefused
}

// flush sends batches of before again, and remembers this one.
func (s *simpleSink) flush(ctx context.Context, b sink.Batch) {
	s.mu.Lock()
	late := s.late
	s.late = b.Changes
	s.mu.Unlock()
	for i := range late {
		_ = s.put(ctx, string(late[i].Data)) // a mistake
	}
}

// Spec adds parameters to those of the URL.
func TestParse_parameters(t *testing.T) {
	parse := contract.Parse(func(u *url.URL, _ sink.Options) (sink.Spec, error) { return sink.Spec{URL: u.String()}, nil })
	for _, tt := range []struct{ url, parameters, want string }{
		{"a://b/c", "", "a://b/c"}, {"a://b/c?d=1", "", "a://b/c?d=1"}, {"a://b/c", "e=2", "a://b/c?e=2"}, {"a://b/c?d=1", "e=2", "a://b/c?d=1&e=2"},
	} {
		if got := parse.Spec(tt.url)(t, tt.parameters, sink.Options{}).URL; got != tt.want {
			t.Errorf("%s, want %s", got, tt.want)
		}
	}
}
