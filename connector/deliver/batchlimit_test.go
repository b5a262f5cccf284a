package deliver_test

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/aerosink/aerosink/connector/change/changetest"
	"github.com/aerosink/aerosink/connector/deliver"
	"github.com/aerosink/aerosink/connector/deliver/post"
)

// slowPerChange is a server that needs some time for each change of a request, and
// processes all of a request even if nobody waits for the response any more.
type slowPerChange struct {
	url       string
	needs     atomic.Int64 // nanoseconds for each change
	processed atomic.Int64 // changes
	largest   atomic.Int64 // changes in the last request
}

func newSlowPerChange(t *testing.T, needs time.Duration) *slowPerChange {
	s := &slowPerChange{}
	s.needs.Store(int64(needs))
	s.url = server(t, func(_ http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		n := int64(bytes.Count(body, []byte("\n")))
		s.processed.Add(n)
		s.largest.Store(n)
		pause(r, time.Duration(n*s.needs.Load()))
	}).URL
	return s
}

// sendUntilDelivered sends n changes of so many partitions, and again those that fail, as a
// database does. It returns how many were sent, and the errors.
func sendUntilDelivered(t *testing.T, d *deliver.Destination, s *deliver.Stream, n, partitions int) (sent int, failures []error) {
	t.Helper()
	var mu sync.Mutex
	var wg sync.WaitGroup
	for i := range n {
		wg.Go(func() {
			for {
				err := send(d, s, i%partitions, fmt.Sprint(i, "\n")).wait(t)
				mu.Lock()
				sent++
				if err != nil {
					failures = append(failures, err)
				}
				mu.Unlock()
				if err == nil || t.Failed() {
					return
				}
			}
		})
	}
	wg.Wait()
	return sent, failures
}

// A destination that needs longer for a full batch than a call may take gets smaller ones,
// and full ones again when it is faster.
func TestBatchLimit_slowDestination(t *testing.T) {
	for _, protocol := range []post.Protocol{post.HTTP1, post.HTTP2} {
		t.Run(fmt.Sprint(protocol), func(t *testing.T) {
			t.Parallel()
			const n, maxRecords = 3000, 500
			there := newSlowPerChange(t, time.Millisecond)
			c := config(t, there.url)
			c.Protocol, c.Connections, c.Streams = protocol, 4, 4
			c.CallTimeout = 100 * time.Millisecond // for 100 changes
			r := prometheus.NewRegistry()
			c.Metrics = deliver.NewMetrics(r, "cluster")
			d := open(t, c)
			s := batches(maxRecords, 1<<20)
			sent, failures := sendUntilDelivered(t, d, s, n, n)
			if sent == n || sent > 10*n {
				t.Errorf("%d changes were sent to deliver %d, want more, and at most ten times as many", sent, n)
			}
			if !slices.ContainsFunc(failures, func(err error) bool {
				return strings.Contains(err.Error(), " changes; requests carry at most ") && strings.Contains(err.Error(), " for now, max-records is 500")
			}) {
				t.Errorf("no error says how many changes requests carry: %v", failures[0])
			}
			there.needs.Store(0)
			changetest.WaitFor(t, "full batches again", func() bool {
				sendUntilDelivered(t, d, s, n, 1)
				limit := samples(t, r, "batch_limit")
				return len(limit) == 1 && strings.HasSuffix(limit[0], " 500")
			})
		})
	}
}

// A destination that needs nearly a whole call for one change gets them one by one.
func TestBatchLimit_oneByOne(t *testing.T) {
	there := newSlowPerChange(t, 60*time.Millisecond)
	c := config(t, there.url)
	c.CallTimeout = 100 * time.Millisecond
	d := open(t, c)
	if sent, _ := sendUntilDelivered(t, d, batches(20, 1<<20), 40, 40); sent > 1000 {
		t.Errorf("%d changes were sent to deliver 40", sent)
	}
	if n := there.largest.Load(); n > 2 {
		t.Errorf("the last request had %d changes, want 1, or 2 that were tried", n)
	}
}
