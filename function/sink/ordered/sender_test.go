package ordered

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aerosink/aerosink/connector/change"
	"github.com/aerosink/aerosink/function/sink"
	"github.com/aerosink/aerosink/function/sink/failures"
)

// text is the entry of the messages of these tests: record and version, as in "a1". A message
// of several changes has several, as in "a1 b2".
type text = string

// messageOf returns the message of an entry, which takes one byte.
func messageOf(entry text) Message[text] {
	m := Message[text]{Entry: entry, Size: 1, Content: failures.Hash([]byte(entry))}
	for field := range strings.FieldsSeq(entry) {
		m.IDs = append(m.IDs, failures.ID{Record: uint64(field[0]), Content: failures.Hash([]byte(field))})
	}
	return m
}

func messagesOf(entries ...text) []Message[text] {
	var all []Message[text]
	for _, e := range entries {
		all = append(all, messageOf(e))
	}
	return all
}

// service is what the Sender of a test sends to. It takes everything, after a second, unless
// fault says otherwise.
type service struct {
	mu    sync.Mutex
	calls [][]text
	taken []text // in order
	fault func(call int, entry text) Result
	hang  func(call int) bool // until the call is cancelled
}

var errFault = errors.New("a fault")

func (s *service) call(ctx context.Context, entries []text, results []Result) {
	s.mu.Lock()
	number := len(s.calls)
	s.calls = append(s.calls, slices.Clone(entries))
	s.mu.Unlock()
	wait := time.After(time.Second)
	if s.hang != nil && s.hang(number) {
		wait = nil
	}
	select {
	case <-ctx.Done():
		for i := range results {
			results[i] = Result{Failed, ctx.Err()}
		}
		return
	case <-wait:
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for i, e := range entries {
		if s.fault != nil {
			results[i] = s.fault(number, e)
		}
		if results[i].Status == Taken {
			s.taken = append(s.taken, e)
		}
	}
}

func (s *service) sender() *Sender[text] {
	return New(Config[text]{
		Name: "test:", Call: s.call, Messages: 10, Bytes: 100, Calls: 4, MaxMessages: 1000, MaxBytes: 1000, Timeout: 30 * time.Second, Pause: 2 * time.Second,
	})
}

func verdictsOf(errs []error, n int) string {
	var words []string
	for i := range n {
		word := "ok"
		if errs != nil && errs[i] != nil {
			word = "retry"
			if change.IsPermanent(errs[i]) {
				word = "never"
			}
		}
		words = append(words, word)
	}
	return strings.Join(words, " ")
}

func wantVerdicts(t *testing.T, errs []error, want string) {
	t.Helper()
	if got := verdictsOf(errs, len(strings.Fields(want))); got != want {
		t.Errorf("verdicts %s, want %s: %v", got, want, errs)
	}
}

func wantTaken(t *testing.T, s *service, want ...text) {
	t.Helper()
	if !slices.Equal(s.taken, want) {
		t.Errorf("taken %q, want %q", s.taken, want)
	}
}

// wantIdle checks that nothing is queued, in flight or delayed any more.
func wantIdle(t *testing.T, s *Sender[text]) {
	t.Helper()
	s.Close()
	if messages, bytes := s.Queued(); messages != 0 || bytes != 0 || s.calls != 0 || len(s.records) != 0 || len(s.ready.turns) != 0 || len(s.ready.groups) != 0 || len(s.delayed) != 0 || s.timer.Stop() {
		t.Errorf("%d messages, %d bytes, %d calls, %d records, %d groups, %d delayed", messages, bytes, s.calls, len(s.records), len(s.ready.turns), len(s.delayed))
	}
}

// Versions of a record are never in one call; others fill it.
func TestPut_versionsInTurn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		service := &service{}
		s := service.sender()
		wantVerdicts(t, s.Put(t.Context(), messagesOf("a1", "a2", "b1", "a3", "c1", "b2")), "ok ok ok ok ok ok")
		if got := fmt.Sprint(service.calls); got != "[[a1 b1 c1] [a2 b2] [a3]]" {
			t.Errorf("calls %s", got)
		}
		wantIdle(t, s)
	})
}

// A call takes what is ready of one group before that of others, and no more than fits.
func TestPut_groups(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		service := &service{}
		s := service.sender()
		s.Messages, s.Bytes, s.Calls = 3, 10, 1
		messages := messagesOf("a1", "b1", "c1", "d1", "e1", "f1", "g1")
		for i := range messages {
			messages[i].Group = i % 2
		}
		messages[6].Size = 50 // more than a call: it goes alone
		wantVerdicts(t, s.Put(t.Context(), messages), "ok ok ok ok ok ok ok")
		if got := fmt.Sprint(service.calls); got != "[[a1 c1 e1] [b1 d1 f1] [g1]]" {
			t.Errorf("calls %s", got)
		}
		wantIdle(t, s)
	})
}

// A group that always has more than a call takes does not keep the others waiting.
func TestPut_busyGroup(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		service := &service{}
		s := service.sender()
		s.Messages, s.Calls = 1, 1
		messages := messagesOf("a1", "b1", "c1", "d1", "x1")
		messages[4].Group = 1
		wantVerdicts(t, s.Put(t.Context(), messages), "ok ok ok ok ok")
		wantTaken(t, service, "a1", "x1", "b1", "c1", "d1")
		wantIdle(t, s)
	})
}

// While a message is repeated, those behind it wait, and others go on.
func TestPut_oneFails(t *testing.T) {
	for _, status := range []Status{Failed, Throttled} {
		synctest.Test(t, func(t *testing.T) {
			service := &service{fault: func(call int, e text) Result {
				if e == "a1" && call < 3 {
					return Result{status, errFault}
				}
				return Result{}
			}}
			s := service.sender()
			wantVerdicts(t, s.Put(t.Context(), messagesOf("a1", "b1", "a2", "b2", "b3")), "ok ok ok ok ok")
			wantTaken(t, service, "b1", "b2", "b3", "a1", "a2")
			wantIdle(t, s)
		})
	}
}

// A message of several changes waits for all its records, and holds all of them back.
func TestPut_severalRecords(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		service := &service{fault: func(call int, e text) Result {
			if e == "a1 b1" && call < 2 {
				return Result{Failed, errFault}
			}
			return Result{}
		}}
		s := service.sender()
		wantVerdicts(t, s.Put(t.Context(), messagesOf("a1 b1", "c1", "b2 c2", "c3 c4", "a2")), "ok ok ok ok ok")
		wantTaken(t, service, "c1", "a1 b1", "a2", "b2 c2", "c3 c4")
		wantIdle(t, s)
	})
}

// When the time is up, what is not taken is to be retried, and with it what waits behind.
func TestPut_timeIsUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		service := &service{fault: func(_ int, e text) Result {
			if e == "a1" {
				return Result{Failed, errFault}
			}
			return Result{}
		}}
		s := service.sender()
		began := time.Now()
		errs := s.Put(t.Context(), messagesOf("a1", "b1", "a2"))
		wantVerdicts(t, errs, "retry ok retry")
		if took := time.Since(began); took != s.Timeout {
			t.Errorf("Put took %s, want %s", took, s.Timeout)
		}
		if !errors.Is(errs[0], errFault) || !errors.Is(errs[0], context.DeadlineExceeded) {
			t.Errorf("verdict %v, want one with the last answer", errs[0])
		}
		wantIdle(t, s)
	})
}

// A call that hangs is cancelled after a third of the time, and repeated.
func TestPut_callHangs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		service := &service{hang: func(call int) bool { return call == 0 }}
		s := service.sender()
		began := time.Now()
		wantVerdicts(t, s.Put(t.Context(), messagesOf("a1", "a2")), "ok ok")
		if took := time.Since(began); took < s.Timeout/3 || took > s.Timeout/2 {
			t.Errorf("Put took %s", took)
		}
		wantTaken(t, service, "a1", "a2")
		wantIdle(t, s)
	})
}

// A sender that goes away ends its Put at once, and its calls.
func TestPut_cancelled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		service := &service{}
		s := service.sender()
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(time.Second/2, cancel)
		began := time.Now()
		wantVerdicts(t, s.Put(ctx, messagesOf("a1", "a2")), "retry retry")
		if took := time.Since(began); took != time.Second/2 {
			t.Errorf("Put took %s", took)
		}
		wantIdle(t, s)
		wantTaken(t, service)
		wantVerdicts(t, s.Put(t.Context(), messagesOf("a2", "b1")), "retry ok")
		wantVerdicts(t, s.Put(t.Context(), messagesOf("a1", "a2")), "ok ok")
		wantTaken(t, service, "b1", "a1", "a2")
	})
}

// A Put that shares a call with one that goes away still gets its verdict.
func TestPut_sharedCall(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		service := &service{}
		s := service.sender()
		s.Calls = 1
		var putting sync.WaitGroup
		putting.Go(func() { wantVerdicts(t, s.Put(t.Context(), messagesOf("x1")), "ok") })
		synctest.Wait()
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(1500*time.Millisecond, cancel)
		putting.Go(func() { wantVerdicts(t, s.Put(ctx, messagesOf("a1")), "retry") })
		synctest.Wait()
		putting.Go(func() { wantVerdicts(t, s.Put(t.Context(), messagesOf("b1", "a2")), "ok retry") })
		putting.Wait()
		if got := fmt.Sprint(service.calls); got != "[[x1] [a1 b1]]" {
			t.Errorf("calls %s", got)
		}
		wantIdle(t, s)
		if n := s.Owed(); n != 1 {
			t.Errorf("%d records owed, want 1", n)
		}
	})
}

// Nothing of a record overtakes what failed before it, until the pause is over.
func TestPut_pause(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		down := true
		service := &service{fault: func(int, text) Result {
			if down {
				return Result{Unavailable, errFault}
			}
			return Result{}
		}}
		s := service.sender()
		wantVerdicts(t, s.Put(t.Context(), messagesOf("a1", "b1")), "retry retry")
		down = false
		wantVerdicts(t, s.Put(t.Context(), messagesOf("a2", "b1", "c1")), "retry ok ok")
		wantVerdicts(t, s.Put(t.Context(), messagesOf("a1")), "ok")
		wantVerdicts(t, s.Put(t.Context(), messagesOf("a2")), "ok")
		wantTaken(t, service, "b1", "c1", "a1", "a2")

		down = true
		wantVerdicts(t, s.Put(t.Context(), messagesOf("a3")), "retry")
		down = false
		time.Sleep(s.Pause)
		wantVerdicts(t, s.Put(t.Context(), messagesOf("a4")), "ok")
		wantIdle(t, s)
	})
}

// What waited behind a failed message has to come again too, before anything newer.
func TestPut_pauseOfThoseBehind(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		down := true
		service := &service{fault: func(int, text) Result {
			if down {
				return Result{Unavailable, errFault}
			}
			return Result{}
		}}
		s := service.sender()
		wantVerdicts(t, s.Put(t.Context(), messagesOf("a1", "a2", "a3")), "retry retry retry")
		down = false
		wantVerdicts(t, s.Put(t.Context(), messagesOf("a1")), "ok")
		wantVerdicts(t, s.Put(t.Context(), messagesOf("a4")), "retry")
		wantVerdicts(t, s.Put(t.Context(), messagesOf("a3")), "retry")
		wantVerdicts(t, s.Put(t.Context(), messagesOf("a2", "a3", "a4")), "ok ok ok")
		wantTaken(t, service, "a1", "a2", "a3", "a4")
		wantIdle(t, s)
	})
}

// What the service refuses is refused for good only with evidence.
func TestPut_refused(t *testing.T) {
	refuse := func(which string) func(int, text) Result {
		return func(_ int, e text) Result {
			if strings.Contains(which, e) {
				return Result{Refused, errFault}
			}
			return Result{}
		}
	}
	for _, tt := range []struct {
		name, refused string
		puts          []string
		verdicts      []string
	}{
		{"others of the call are taken", "a1", []string{"a1 b1"}, []string{"never ok"}},
		{"nothing else was sent", "a1", []string{"a1", "a1"}, []string{"retry", "retry"}},
		{"everything is refused", "a1 b1 c1", []string{"a1 b1 c1"}, []string{"retry retry retry"}},
		{"others are taken in between", "a1", []string{"a1", "b1", "a1", "c1", "a1"}, []string{"retry", "ok", "retry", "ok", "never"}},
		{"those behind go on", "a1", []string{"a1 b1 a2"}, []string{"never ok ok"}},
		{"those behind are taken", "a1", []string{"a1 a2"}, []string{"retry retry"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				service := &service{fault: refuse(tt.refused)}
				s := service.sender()
				for i, entries := range tt.puts {
					wantVerdicts(t, s.Put(t.Context(), messagesOf(strings.Fields(entries)...)), tt.verdicts[i])
					time.Sleep(time.Millisecond) // what is sent later has a later time
				}
				wantIdle(t, s)
			})
		})
	}
}

// A message that is refused in a call of its own, while others go in other calls.
func TestPut_refusedWhileOthersGo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		service := &service{fault: func(_ int, e text) Result {
			if e == "a1" {
				return Result{Refused, errFault}
			}
			return Result{}
		}}
		s := service.sender()
		s.Messages, s.Calls = 1, 1
		wantVerdicts(t, s.Put(t.Context(), messagesOf("a1", "b1", "c1")), "never ok ok")
		wantIdle(t, s)
	})
}

// Over the limits, messages are refused at once; a message larger than the limit goes alone.
func TestPut_overload(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		service := &service{}
		s := service.sender()
		s.MaxMessages, s.MaxBytes = 3, 5
		began := time.Now()
		errs := s.Put(t.Context(), messagesOf("a1", "b1", "c1", "d1", "a2"))
		wantVerdicts(t, errs, "ok ok ok retry retry")
		if !errors.Is(errs[3], sink.ErrOverloaded) || !errors.Is(errs[4], sink.ErrOverloaded) {
			t.Errorf("verdicts %v", errs)
		}
		if took := time.Since(began); took != time.Second {
			t.Errorf("Put took %s", took)
		}
		varied := messagesOf("a1", "a2", "a3", "b1")
		varied[1].Size = 5 // after it a3 would fit, and overtake it
		wantVerdicts(t, s.Put(t.Context(), varied), "ok retry retry retry")
		large := messagesOf("a1", "b1")
		large[0].Size = 10
		wantVerdicts(t, s.Put(t.Context(), large), "ok retry")
		wantIdle(t, s)
	})
}

// A call that panics makes the Puts of its messages panic, once they have their verdicts.
func TestPut_panic(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		service := &service{fault: func(call int, _ text) Result {
			if call == 0 {
				panic("made for the test")
			}
			return Result{}
		}}
		s := service.sender()
		func() {
			defer func() {
				if p, ok := recover().(*sink.Panic); !ok || p.Value != "made for the test" || !strings.Contains(string(p.Stack), "TestPut_panic") {
					t.Errorf("recovered %v", p)
				}
			}()
			s.Put(t.Context(), messagesOf("a1", "a2"))
		}()
		wantIdle(t, s)
		wantVerdicts(t, s.Put(t.Context(), messagesOf("a1", "a2")), "ok ok")
	})
}

// A call that panics after the Put of its messages has returned leaves that Put alone.
func TestPut_panicAfterEnd(t *testing.T) {
	for range 20 {
		s := (&service{}).sender()
		called := make(chan struct{})
		s.Call = func(ctx context.Context, _ []text, _ []Result) {
			close(called)
			<-ctx.Done() // the Put is about to return
			panic("made for the test")
		}
		ctx, cancel := context.WithCancel(t.Context())
		go func() { <-called; cancel() }()
		wantVerdicts(t, s.Put(ctx, messagesOf("a1", "b1")), "retry retry")
		wantIdle(t, s)
	}
}

// Without messages there is nothing to do.
func TestPut_empty(t *testing.T) {
	if errs := (&service{}).sender().Put(t.Context(), nil); errs != nil {
		t.Errorf("verdicts %v", errs)
	}
}

// A call has as many messages as fit, and the rest goes in others at the same time.
func TestPut_fullCalls(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		service := &service{}
		s := service.sender()
		s.Bytes, s.MaxBytes = 20, 10_000
		var messages []Message[text]
		for record := range 25 {
			messages = append(messages, messageOf(string(rune('a'+record))+"1"))
		}
		began := time.Now()
		if errs := s.Put(t.Context(), messages); errs != nil {
			t.Error(errs)
		}
		if took := time.Since(began); took != time.Second {
			t.Errorf("Put took %s", took)
		}
		var sizes []int
		for _, c := range service.calls {
			sizes = append(sizes, len(c))
		}
		slices.Sort(sizes)
		if !slices.Equal(sizes, []int{5, 10, 10}) {
			t.Errorf("calls of %v messages", sizes)
		}
		wantIdle(t, s)
	})
}

// When one call makes several others possible, they are made at once.
func TestPut_callsAfterOne(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		service := &service{}
		s := service.sender()
		messages := messagesOf("a1", "b1", "c1", "d1", "a2", "b2", "c2", "d2")
		for i := range messages[4:] {
			messages[4+i].Size = 100 // a call of its own
		}
		began := time.Now()
		wantVerdicts(t, s.Put(t.Context(), messages), "ok ok ok ok ok ok ok ok")
		if took := time.Since(began); took != 2*time.Second {
			t.Errorf("Put took %s", took)
		}
		wantIdle(t, s)
	})
}

// What failed together goes again together, in order, before newer messages.
func TestPut_againInOneCall(t *testing.T) {
	for _, status := range []Status{Failed, Throttled} {
		synctest.Test(t, func(t *testing.T) {
			service := &service{fault: func(call int, _ text) Result {
				if call == 0 {
					return Result{status, errFault}
				}
				return Result{}
			}}
			s := service.sender()
			s.Messages, s.Calls = 3, 1
			wantVerdicts(t, s.Put(t.Context(), messagesOf("a1", "b1", "c1", "d1", "e1", "f1", "g1", "h1", "i1")), "ok ok ok ok ok ok ok ok ok")
			if got := fmt.Sprint(service.calls); got != "[[a1 b1 c1] [d1 e1 f1] [a1 b1 c1] [g1 h1 i1]]" {
				t.Errorf("calls %s", got)
			}
			wantIdle(t, s)
		})
	}
}

// A message of several changes that is held back for one of them holds back the later changes
// of the others.
func TestPut_heldBackWithOthers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		down := true
		service := &service{fault: func(int, text) Result {
			if down {
				return Result{Unavailable, errFault}
			}
			return Result{}
		}}
		s := service.sender()
		wantVerdicts(t, s.Put(t.Context(), messagesOf("a1")), "retry")
		down = false
		wantVerdicts(t, s.Put(t.Context(), messagesOf("a2 b1", "b2 c1", "d1")), "retry retry ok")
		wantVerdicts(t, s.Put(t.Context(), messagesOf("a1", "a2 b1", "b2 c1")), "ok ok ok")
		wantIdle(t, s)
	})
}

// A Put that ends while its messages wait for a call, or for their pause, leaves nothing of
// them, and what others have queued goes on.
func TestPut_endsWhileWaiting(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		service := &service{fault: func(_ int, e text) Result {
			if e == "a1" {
				return Result{Throttled, errFault}
			}
			return Result{}
		}}
		s := service.sender()
		s.Messages, s.Calls = 1, 1
		ctx, cancel := context.WithTimeout(t.Context(), 2050*time.Millisecond)
		defer cancel()
		var putting sync.WaitGroup
		putting.Go(func() {
			// a1 fails after 1 s and waits for 200 ms at most; b1 takes until 2 s; a1 is sent again.
			wantVerdicts(t, s.Put(ctx, messagesOf("a1", "b1", "c1", "d1")), "retry ok retry retry")
		})
		synctest.Wait()
		putting.Go(func() { wantVerdicts(t, s.Put(t.Context(), messagesOf("x1", "y1")), "ok ok") })
		putting.Wait()
		wantIdle(t, s)
	})
}

// A Put that ends while all it has waits for a pause stops the timer.
func TestPut_endsInPause(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		service := &service{fault: func(int, text) Result { return Result{Throttled, errFault} }}
		s := service.sender()
		ctx, cancel := context.WithTimeout(t.Context(), 1050*time.Millisecond) // the first pause is 100 ms at least
		defer cancel()
		wantVerdicts(t, s.Put(ctx, messagesOf("a1", "b1")), "retry retry")
		wantIdle(t, s)
	})
}

// The refusals of a message that is taken in between do not count.
func TestPut_refusedAndTaken(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		refusing := true
		service := &service{fault: func(_ int, e text) Result {
			if e == "a1" && refusing {
				return Result{Refused, errFault}
			}
			return Result{}
		}}
		s := service.sender()
		others := 0
		put := func(want string) {
			t.Helper()
			wantVerdicts(t, s.Put(t.Context(), messagesOf("a1")), want)
			time.Sleep(time.Millisecond) // what is sent later has a later time
			others++
			wantVerdicts(t, s.Put(t.Context(), messagesOf(fmt.Sprint("b", others))), "ok")
		}
		put("retry")
		put("retry")
		refusing = false
		put("ok")
		refusing = true
		put("retry")
		put("retry")
		put("never")
		wantIdle(t, s)
	})
}

// A Put that ends while its message waits behind that of one Put takes those of a third with
// it, which would overtake it.
func TestPut_endsBetweenOthers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		service := &service{}
		s := service.sender()
		var putting sync.WaitGroup
		putting.Go(func() { wantVerdicts(t, s.Put(t.Context(), messagesOf("a1")), "ok") })
		synctest.Wait()
		ctx, cancel := context.WithCancel(t.Context())
		putting.Go(func() { wantVerdicts(t, s.Put(ctx, messagesOf("a2")), "retry") })
		synctest.Wait()
		putting.Go(func() { wantVerdicts(t, s.Put(t.Context(), messagesOf("a3")), "retry") })
		synctest.Wait()
		cancel()
		putting.Wait()
		wantVerdicts(t, s.Put(t.Context(), messagesOf("a3")), "retry")
		wantVerdicts(t, s.Put(t.Context(), messagesOf("a2", "a3")), "ok ok")
		wantTaken(t, service, "a1", "a2", "a3")
		wantIdle(t, s)
	})
}
