package deliver_test

import (
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/aerosink/aerosink/connector/deliver"
)

// orderServer is a server that fails at random, in ways that do not hide which changes it
// has accepted, and checks the order of versions in a partition.
type orderServer struct {
	mu       sync.Mutex
	random   *rand.Rand
	here     map[int]bool   // partitions with a request in progress
	newest   map[int]int    // version of each partition
	accepted map[[2]int]int // how often, by partition and version
	errors   []string
	merged   int // requests with several partitions
}

func (s *orderServer) draw(n int) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.random.IntN(n)
}

func (s *orderServer) serve(w http.ResponseWriter, r *http.Request) {
	if r.Method == http.MethodGet {
		w.WriteHeader([]int{200, 200, 500}[s.draw(3)])
		return
	}
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return
	}
	records := parse(body)
	s.arrive(records)
	pause(r, time.Duration(s.draw(200))*time.Microsecond)
	status, retry := s.decide(records)
	s.depart(records)
	switch {
	case status == 0:
		panic(http.ErrAbortHandler)
	case len(retry) > 0:
		w.Header().Set("Content-Type", "application/vnd.aerosink.report+json")
		w.WriteHeader(status)
		fmt.Fprintf(w, `{"changes":%d,"retry":%s}`, len(records), strings.ReplaceAll(fmt.Sprint(retry), " ", ","))
	default:
		w.WriteHeader(status)
	}
}

// parse returns the partition and the version of each change in a body.
func parse(body []byte) (records [][2]int) {
	for line := range strings.Lines(string(body)) {
		var r [2]int
		_, _ = fmt.Sscan(line, &r[0], &r[1])
		records = append(records, r)
	}
	return records
}

// arrive checks that none of the partitions is in another request.
func (s *orderServer) arrive(records [][2]int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	own := map[int]bool{}
	for _, r := range records {
		if s.here[r[0]] && !own[r[0]] {
			s.errors = append(s.errors, fmt.Sprintf("partition %d is in two requests", r[0]))
		}
		s.here[r[0]], own[r[0]] = true, true
	}
	if len(own) > 1 {
		s.merged++
	}
}

func (s *orderServer) depart(records [][2]int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, r := range records {
		delete(s.here, r[0])
	}
}

// poisoned reports whether the server never accepts the version.
func poisoned(version int) bool { return version%40 == 39 }

// decide accepts all, some or none of the records, at random. It returns the status of the
// response, 0 for no response, and the indexes for the report's retry list.
func (s *orderServer) decide(records [][2]int) (status int, retry []int) {
	choice := s.draw(30)
	switch choice {
	case 0:
		return http.StatusServiceUnavailable, nil
	case 1:
		return http.StatusInternalServerError, nil
	case 2:
		return 0, nil
	case 3:
		return http.StatusRequestEntityTooLarge, nil
	}
	for i, r := range records {
		switch {
		case poisoned(r[1]):
			return http.StatusUnprocessableEntity, nil
		case choice == 4 && s.draw(3) == 0:
			retry = append(retry, i)
		}
	}
	s.accept(records, retry)
	switch {
	case len(retry) > 0:
		return http.StatusServiceUnavailable, retry
	case choice == 5: // accepted, but without a response
		return 0, nil
	}
	return http.StatusOK, nil
}

// accept records all but the records with the given indexes as accepted.
func (s *orderServer) accept(records [][2]int, but []int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i, r := range records {
		if len(but) > 0 && but[0] == i {
			but = but[1:]
			continue
		}
		if newest, ok := s.newest[r[0]]; ok && newest >= r[1] {
			s.errors = append(s.errors, fmt.Sprintf("partition %d: version %d after %d", r[0], r[1], newest))
		}
		s.newest[r[0]] = r[1]
		s.accepted[r]++
	}
}

// ship sends versions of each partition in order, from several senders, and returns their
// verdicts by partition. Some deadlines have already passed.
func (s *orderServer) ship(d *deliver.Destination, partitions, versions int) [][]verdict {
	verdicts := make([][]verdict, partitions)
	streams := []*deliver.Stream{alone, batches(30, 1<<20), batches(100, 300), {Envelope: lines{}, MaxRecords: 60, MaxBytes: 1 << 20, Interval: time.Millisecond}}
	const senders = 3
	var sending sync.WaitGroup
	for sender := range senders {
		sending.Go(func() {
			for version := range versions {
				for p := sender; p < partitions; p += senders {
					v := make(verdict, 1)
					left := []time.Duration{time.Minute, time.Minute, time.Minute, -time.Second}[s.draw(4)]
					d.Send(deliver.Item{
						Stream: streams[version/8%len(streams)], Record: fmt.Appendf(nil, "%d %d\n", p, version), Partition: p, Deadline: time.Now().Add(left), To: v,
					})
					verdicts[p] = append(verdicts[p], v)
				}
			}
		})
	}
	sending.Wait()
	return verdicts
}

// Versions of one partition never overtake each other, and are never in two requests at
// once, even if requests are merged from lanes, split, or fail, and go to several endpoints.
func TestDestination_order(t *testing.T) {
	merged := 0
	rapid.Check(t, func(rt *rapid.T) {
		there := &orderServer{
			random: rand.New(rand.NewPCG(rapid.Uint64().Draw(rt, "seed"), 0)),
			here:   map[int]bool{}, newest: map[int]int{}, accepted: map[[2]int]int{},
		}
		url := server(t, there.serve).URL
		c := config(t, url, url+"/other", url+"/third")
		c.Streams = rapid.IntRange(1, 20).Draw(rt, "streams")
		if rapid.Bool().Draw(rt, "checked") {
			c.Health = &deliver.HealthConfig{Interval: 5 * time.Millisecond, CallTimeout: time.Minute, HealthyThreshold: 1, UnhealthyThreshold: 2}
		}
		d := deliver.New(c)
		defer d.Close(t.Context())
		partitions, versions := rapid.IntRange(1, 20).Draw(rt, "partitions"), rapid.IntRange(1, 50).Draw(rt, "versions")
		verdicts := there.ship(d, partitions, versions)
		for p := range verdicts {
			for version, v := range verdicts[p] {
				if err := v.wait(t); err == nil && there.times(p, version) != 1 {
					rt.Errorf("version %d of partition %d: verdict delivered, accepted %d times, want 1", version, p, there.times(p, version))
				}
			}
		}
		there.mu.Lock()
		defer there.mu.Unlock()
		merged += there.merged
		for _, text := range there.errors {
			rt.Error(text)
		}
	})
	if merged == 0 {
		t.Error("no request had changes of several lanes")
	}
}

func (s *orderServer) times(partition, version int) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.accepted[[2]int{partition, version}]
}
