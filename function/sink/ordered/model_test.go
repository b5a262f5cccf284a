package ordered

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"github.com/aerosink/aerosink/connector/change"
)

// model is a service that misbehaves in every way that one may, and what it has taken.
type model struct {
	mu     sync.Mutex
	random *rand.Rand
	faulty bool
	taken  []text // in order; a message may be there twice
	poison map[text]bool
	wrong  []string // what must not happen
}

func (m *model) call(ctx context.Context, entries []text, results []Result) {
	m.mu.Lock()
	m.check(entries)
	dice := func(sides int) bool { return m.faulty && m.random.IntN(sides) == 0 }
	wait := time.Duration(m.random.IntN(300)) * time.Millisecond
	hangs, lost, none := dice(12), dice(12), dice(12)
	whole := Result{}
	if none {
		whole = []Result{{Failed, errFault}, {Throttled, errFault}, {Unavailable, errFault}}[m.random.IntN(3)]
	}
	m.mu.Unlock()
	if hangs {
		<-ctx.Done()
	}
	select {
	case <-ctx.Done():
		fill(results, Result{Failed, ctx.Err()})
		return
	case <-time.After(wait):
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if none {
		fill(results, whole)
		return
	}
	for _, i := range m.random.Perm(len(entries)) { // no order is promised within a call
		e := entries[i]
		switch {
		case m.poison[e]:
			results[i] = Result{Refused, errFault}
		case dice(8):
			results[i] = Result{Failed, errFault}
		case dice(16):
			results[i] = Result{Throttled, errFault}
		default:
			m.taken = append(m.taken, e)
		}
		if lost {
			results[i] = Result{Failed, errFault}
		}
	}
}

func fill(results []Result, r Result) {
	for i := range results {
		results[i] = r
	}
}

// check notes a call that has two messages of a record.
func (m *model) check(entries []text) {
	seen := map[byte]int{}
	for i, e := range entries {
		for field := range strings.FieldsSeq(e) {
			if at, ok := seen[field[0]]; ok && at != i {
				m.wrong = append(m.wrong, fmt.Sprintf("record %c twice in the call %q", field[0], entries))
			}
			seen[field[0]] = i
		}
	}
}

// sourceLane sends the versions of some records, like the lane of a connector: it puts them
// again until they are taken, those that failed first.
type sourceLane struct {
	records string
	version int
	pending []text
}

// draw adds messages to those that are pending.
func (l *sourceLane) draw(random *rand.Rand, several bool) {
	for range 1 + random.IntN(8) {
		var fields []string
		for range 1 + random.IntN(2) {
			l.version++
			fields = append(fields, fmt.Sprintf("%c%d", l.records[random.IntN(len(l.records))], l.version))
			if !several {
				break
			}
		}
		l.pending = append(l.pending, strings.Join(fields, " "))
	}
}

// Whatever the service does, no message has a nil verdict that the service does not have, the
// first copies of the versions of a record are in the order in which they were put, and
// everything ends in its time.
func TestPut_anyFaults(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		seed := rapid.Uint64().Draw(r, "seed")
		several := rapid.Bool().Draw(r, "several changes in a message")
		poison := rapid.Bool().Draw(r, "poison")
		shape := rapid.SampledFrom([][2]int{{10, 32}, {3, 2}, {500, 4}, {1, 1}}).Draw(r, "calls")
		synctest.Test(t, func(t *testing.T) {
			random := rand.New(rand.NewPCG(seed, 1))
			m := &model{random: rand.New(rand.NewPCG(seed, 2)), faulty: true, poison: map[text]bool{}}
			s := New(Config[text]{
				Name: "test:", Call: m.call, Messages: shape[0], Bytes: 100, Calls: shape[1],
				MaxMessages: 1000, MaxBytes: 1000, Timeout: 9 * time.Second, Pause: time.Hour,
			})
			lanes := []*sourceLane{{records: "abc"}, {records: "de"}, {records: "f"}}
			refused := map[text]bool{}
			for round := range 20 { // in the last ones, what is pending is put again, without faults
				m.mu.Lock()
				m.faulty = round < 9
				m.mu.Unlock()
				var putting sync.WaitGroup
				for _, l := range lanes {
					if round < 9 {
						l.draw(random, several)
					}
					if poison && random.IntN(4) == 0 && len(l.pending) > 0 {
						m.mu.Lock()
						m.poison[l.pending[0]] = true
						m.mu.Unlock()
					}
					timeout := time.Duration(1+random.IntN(12)) * time.Second
					if round >= 9 {
						timeout = time.Minute
					}
					putting.Go(func() {
						ctx, cancel := context.WithTimeout(t.Context(), timeout)
						defer cancel()
						began := time.Now()
						errs := s.Put(ctx, messagesOf(l.pending...))
						if took, most := time.Since(began), min(timeout, s.Timeout); took > most {
							t.Errorf("Put took %s, want at most %s", took, most)
						}
						m.mu.Lock()
						defer m.mu.Unlock()
						var again []text
						for i, e := range l.pending {
							switch {
							case errs == nil || errs[i] == nil:
								if !slices.Contains(m.taken, e) {
									t.Errorf("%q has a nil verdict, but the service does not have it", e)
								}
							case change.IsPermanent(errs[i]):
								if !m.poison[e] {
									t.Errorf("%q is refused for good: %v", e, errs[i])
								}
								refused[e] = true
							default:
								again = append(again, e)
							}
						}
						l.pending = again
					})
				}
				putting.Wait()
			}
			for _, l := range lanes {
				for _, e := range l.pending {
					if !m.poison[e] && !poison {
						t.Errorf("%q is still pending", e)
					}
				}
			}
			checkOrder(t, m.taken)
			for _, wrong := range m.wrong {
				t.Error(wrong)
			}
			wantIdle(t, s)
		})
	})
}

// checkOrder checks that the first copies of the versions of a record are in order.
func checkOrder(t *testing.T, taken []text) {
	t.Helper()
	newest, seen := map[byte]int{}, map[string]bool{}
	for _, e := range taken {
		for field := range strings.FieldsSeq(e) {
			if seen[field] {
				continue
			}
			seen[field] = true
			var version int
			if _, err := fmt.Sscan(field[1:], &version); err != nil {
				t.Fatal(err)
			}
			if version < newest[field[0]] {
				t.Errorf("%s came after version %d of its record, in %q", field, newest[field[0]], taken)
			}
			newest[field[0]] = max(newest[field[0]], version)
		}
	}
}
