package deliver_test

import (
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aerosink/aerosink/connector/deliver/post"

	"pgregory.net/rapid"

	"github.com/aerosink/aerosink/connector/change"
	"github.com/aerosink/aerosink/connector/deliver"
	"github.com/aerosink/aerosink/connector/deliver/auth"
)

// randomServer is a server that responds at random, and records the changes that it
// accepted and those that it refused permanently.
type randomServer struct {
	url string

	mu       sync.Mutex
	random   *rand.Rand
	accepted map[int]bool
	refused  map[int]bool
}

func newRandomServer(t *testing.T, seed uint64) *randomServer {
	c := &randomServer{random: rand.New(rand.NewPCG(seed, 0)), accepted: map[int]bool{}, refused: map[int]bool{}}
	c.url = server(t, c.serve).URL
	return c
}

func (c *randomServer) draw(n int) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.random.IntN(n)
}

// record adds the changes in a body to set, and returns how many there are.
func (c *randomServer) record(set map[int]bool, body []byte) (n int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, line := range strings.Fields(string(body)) {
		id, _ := strconv.Atoi(strings.TrimRight(line, "-"))
		set[id] = true
		n++
	}
	return n
}

func (c *randomServer) serve(w http.ResponseWriter, r *http.Request) {
	if r.Method == http.MethodGet {
		w.WriteHeader([]int{200, 200, 404, 500}[c.draw(4)])
		return
	}
	choice := c.draw(20)
	if choice == 0 { // without reading the body
		w.WriteHeader(http.StatusServiceUnavailable)
		return
	}
	var from io.Reader = r.Body
	if r.Header.Get("Content-Encoding") == "gzip" {
		z, err := gzip.NewReader(r.Body)
		if err != nil {
			return
		}
		from = z
	}
	body, err := io.ReadAll(from)
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	switch choice {
	case 1:
		panic(http.ErrAbortHandler)
	case 2:
		<-r.Context().Done()
	case 3:
		w.WriteHeader(http.StatusTooManyRequests)
	case 4:
		w.WriteHeader(http.StatusInternalServerError)
	case 5:
		c.record(c.refused, body)
		w.WriteHeader(http.StatusUnprocessableEntity)
	case 6:
		w.WriteHeader(http.StatusRequestEntityTooLarge)
		c.record(c.refused, body)
	case 7: // accepts all but the first change
		n := c.record(map[int]bool{}, body)
		_, rest, _ := strings.Cut(string(body), "\n")
		c.record(c.accepted, []byte(rest))
		w.Header().Set("Content-Type", "application/vnd.aerosink.report+json")
		w.WriteHeader(http.StatusServiceUnavailable)
		fmt.Fprintf(w, `{"changes":%d,"retry":[0]}`, n)
	case 8:
		w.WriteHeader(http.StatusUnauthorized)
	default:
		c.record(c.accepted, body)
	}
}

// recipient counts the verdicts on one change.
type recipient struct {
	times   atomic.Int64
	verdict error
	all     *sync.WaitGroup
}

// Done implements change.Recipient.
func (s *recipient) Done(err error) {
	s.verdict = err
	if s.times.Add(1) == 1 {
		s.all.Done()
	}
}

// Every recipient gets exactly one verdict, and it is true.
func TestDestination_oneVerdictPerItem(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		there := newRandomServer(t, rapid.Uint64().Draw(rt, "seed"))
		d := deliver.New(randomConfig(t, rt, there.url))
		streams := []*deliver.Stream{alone, batches(7, 1<<20), batches(100, 500), {Envelope: lines{}, MaxRecords: 20, MaxBytes: 1 << 20, Interval: time.Millisecond}}
		recipients := make([]recipient, rapid.IntRange(1, 400).Draw(rt, "changes"))
		all := new(sync.WaitGroup)
		all.Add(len(recipients))
		abrupt := rapid.Bool().Draw(rt, "closed abruptly")
		var senders sync.WaitGroup
		for s := range 2 {
			senders.Go(func() {
				for i := s; i < len(recipients); i += 2 {
					recipients[i].all = all
					d.Send(deliver.Item{
						Stream: streams[there.draw(len(streams))], Record: []byte(strconv.Itoa(i) + strings.Repeat("-", there.draw(50)) + "\n"),
						Partition: there.draw(4096), Namespace: "ns", Deadline: time.Now().Add(time.Duration(there.draw(200)) * time.Millisecond), To: &recipients[i],
					})
				}
			})
		}
		if !abrupt {
			senders.Wait()
			all.Wait()
		}
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		d.Close(ctx)
		senders.Wait()
		all.Wait()
		if d.Queued() != 0 {
			rt.Errorf("%d changes still queued", d.Queued())
		}
		for i := range recipients {
			there.checkVerdict(rt, i, &recipients[i])
		}
	})
}

// checkVerdict compares a verdict with what the server recorded.
func (c *randomServer) checkVerdict(rt *rapid.T, i int, s *recipient) {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case s.times.Load() != 1:
		rt.Errorf("change %d has %d verdicts", i, s.times.Load())
	case s.verdict == nil && !c.accepted[i]:
		rt.Errorf("change %d: verdict delivered, but the server has not accepted it", i)
	case change.IsPermanent(s.verdict) && !c.refused[i]:
		rt.Errorf("change %d: permanent verdict, but the server has not refused it: %v", i, s.verdict)
	}
}

func randomConfig(t *testing.T, rt *rapid.T, url string) deliver.Config {
	c := config(t, url, url+"/other")
	if rapid.Bool().Draw(rt, "HTTP/1.1") {
		c.Protocol = post.HTTP1
	}
	c.Streams = rapid.IntRange(1, 50).Draw(rt, "streams")
	c.Connections = rapid.IntRange(1, 3).Draw(rt, "connections")
	c.Queue = rapid.SampledFrom([]int{10, 10_000}).Draw(rt, "queue")
	c.CallTimeout = 50 * time.Millisecond
	c.Gzip = rapid.Bool().Draw(rt, "gzip")
	c.Auth = fixedOrUnreliable(rapid.Bool().Draw(rt, "unreliable auth"))
	if rapid.Bool().Draw(rt, "short-lived connections") {
		c.ConnectionTTL = 5 * time.Millisecond
	}
	if rapid.Bool().Draw(rt, "checked") {
		c.Health = &deliver.HealthConfig{Interval: 10 * time.Millisecond, CallTimeout: 50 * time.Millisecond, HealthyThreshold: 1, UnhealthyThreshold: 2}
	}
	return c
}

// unreliableAuth is an auth.Source that fails every fifth time.
type unreliableAuth struct{ n atomic.Int64 }

func fixedOrUnreliable(unreliable bool) auth.Source {
	if unreliable {
		return &unreliableAuth{}
	}
	return fixedAuth("Bearer x")
}

// Authorization implements auth.Source.
func (f *unreliableAuth) Authorization(context.Context) (string, error) {
	n := f.n.Add(1)
	if n%5 == 0 {
		return "", errors.New("no token")
	}
	return fmt.Sprint("Bearer ", n), nil
}

// Rejected implements auth.Source.
func (f *unreliableAuth) Rejected(string) {}
