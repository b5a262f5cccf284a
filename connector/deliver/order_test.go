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

// strict is a server that fails in every way after which it can be told what it
// has, and watches over the order of versions in a partition.
type strict struct {
	mu       sync.Mutex
	random   *rand.Rand
	here     map[int]bool   // partitions of which there is a request
	newest   map[int]int    // version of each partition
	accepted map[[2]int]int // times, by partition and version
	wrong    []string
	merged   int // requests with several partitions
}

func (s *strict) draw(n int) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.random.IntN(n)
}

func (s *strict) serve(w http.ResponseWriter, r *http.Request) {
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

func (s *strict) arrive(records [][2]int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	own := map[int]bool{}
	for _, r := range records {
		if s.here[r[0]] && !own[r[0]] {
			s.wrong = append(s.wrong, fmt.Sprintf("partition %d is in two requests", r[0]))
		}
		s.here[r[0]], own[r[0]] = true, true
	}
	if len(own) > 1 {
		s.merged++
	}
}

func (s *strict) depart(records [][2]int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, r := range records {
		delete(s.here, r[0])
	}
}

// poisoned is what the server never takes.
func poisoned(version int) bool { return version%40 == 39 }

// decide accepts what it likes, and returns the status, which is 0 for none, and
// the changes that a report is to name.
func (s *strict) decide(records [][2]int) (status int, retry []int) {
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
	case choice == 5: // has it, and does not say so
		return 0, nil
	}
	return http.StatusOK, nil
}

// accept enters all records but some.
func (s *strict) accept(records [][2]int, but []int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i, r := range records {
		if len(but) > 0 && but[0] == i {
			but = but[1:]
			continue
		}
		if newest, ok := s.newest[r[0]]; ok && newest >= r[1] {
			s.wrong = append(s.wrong, fmt.Sprintf("partition %d: version %d after %d", r[0], r[1], newest))
		}
		s.newest[r[0]] = r[1]
		s.accepted[r]++
	}
}

// ship sends versions of each partition in order, of several senders, and returns
// their verdicts by partition. Some are late already.
func (s *strict) ship(d *deliver.Destination, partitions, versions int) [][]verdict {
	told := make([][]verdict, partitions)
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
					told[p] = append(told[p], v)
				}
			}
		})
	}
	sending.Wait()
	return told
}

// Versions of one partition never overtake each other, and never are in two
// requests at once: however requests are put together of lanes, cut, or fail,
// wherever they go.
func TestOrder(t *testing.T) {
	merged := 0
	rapid.Check(t, func(rt *rapid.T) {
		there := &strict{
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
		told := there.ship(d, partitions, versions)
		for p := range told {
			for version, v := range told[p] {
				if err := v.wait(t); err == nil && there.times(p, version) != 1 {
					rt.Errorf("version %d of partition %d is said to be delivered, and is so %d times", version, p, there.times(p, version))
				}
			}
		}
		there.mu.Lock()
		defer there.mu.Unlock()
		merged += there.merged
		for _, fault := range there.wrong {
			rt.Error(fault)
		}
	})
	if merged == 0 {
		t.Error("no request had changes of several lanes")
	}
}

func (s *strict) times(partition, version int) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.accepted[[2]int{partition, version}]
}
