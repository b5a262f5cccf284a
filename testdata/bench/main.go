// Command bench measures the connector beside Aerospike's own Go receiver of XDR,
// in one run and with the same stream: what github.com/aerospike/backup-go merely
// reads and acknowledges, and what the connector encodes, POSTs over HTTP/2 and
// answers when the destination has it. Source, connector and destination share
// the machine.
//
//	cd testdata/bench && go run .
package main

import (
	"cmp"
	"flag"
	"fmt"
	"os"
	"runtime"
	"slices"
	"text/tabwriter"
	"time"

	"github.com/aerosink/aerosink/connector/format"
	jsonformat "github.com/aerosink/aerosink/connector/format/json"
	"github.com/aerosink/aerosink/connector/format/raw"
)

func main() {
	b := bench{}
	flag.DurationVar(&b.long, "long", 5*time.Second, "how long each measurement takes")
	flag.IntVar(&b.rounds, "rounds", 3, "measurements of each kind, in turns; the median counts")
	flag.IntVar(&b.connections, "connections", 4, "XDR connections")
	flag.Parse()
	if err := b.run(); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

// bench is what is measured with.
type bench struct {
	long        time.Duration
	rounds      int
	connections int
	stream      *stream
}

// subject is a receiver of XDR. Open starts it and says where it listens.
type subject struct {
	name string
	open func() (address string, closeIt func(), err error)
}

func (b *bench) run() error {
	var err error
	if b.stream, err = newStream(); err != nil {
		return err
	}
	json := jsonformat.Format{StringifyMapKeys: true}
	connector := func(f format.Format, records int) func() (string, func(), error) {
		return func() (string, func(), error) { return openConnector(f, records) }
	}
	subjects := []subject{
		{"backup-go v0.11.0: read and acknowledge", openPeer},
		{"connector: JSON, batches of 500, HTTP/2", connector(json, 500)},
		{"connector: XDR as it came, batches of 500, HTTP/2", connector(raw.Format{}, 500)},
		{"connector: JSON, one by one, HTTP/2", connector(json, 1)},
	}
	rates := make([][]float64, len(subjects))
	for range b.rounds {
		for i, s := range subjects {
			r, err := b.measure(s, 0)
			if err != nil {
				return fmt.Errorf("%s: %w", s.name, err)
			}
			rates[i] = append(rates[i], r.rate())
		}
	}
	fmt.Printf("%s, %s/%s, GOMAXPROCS %d; messages of %d bytes, %d connections, %d times %v, source and destination on the same machine\n\n",
		runtime.Version(), runtime.GOOS, runtime.GOARCH, runtime.GOMAXPROCS(0), b.stream.size(), b.connections, b.rounds, b.long)
	out := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(out, "\tchanges/s, median\tlowest\thighest\tto the first\tat half of it: p50\tp99\tcores\t")
	for i, s := range subjects {
		half, err := b.measure(s, median(rates[i])/2)
		if err != nil {
			return fmt.Errorf("%s at half load: %w", s.name, err)
		}
		fmt.Fprintf(out, "%s\t%.0f\t%.0f\t%.0f\t%.2f\t%v\t%v\t%.1f\t\n", s.name, median(rates[i]), slices.Min(rates[i]), slices.Max(rates[i]),
			median(rates[i])/median(rates[0]), half.quantile(0.5), half.quantile(0.99), half.cores)
	}
	return out.Flush()
}

// measure loads a subject with rate changes a second, or with all it takes when
// the rate is 0.
func (b *bench) measure(s subject, rate float64) (result, error) {
	address, closeIt, err := s.open()
	if err != nil {
		return result{}, err
	}
	defer closeIt()
	return load{address: address, stream: b.stream, connections: b.connections, rate: rate, long: b.long}.run()
}

func median[T cmp.Ordered](values []T) T {
	sorted := slices.Sorted(slices.Values(values))
	return sorted[len(sorted)/2]
}
