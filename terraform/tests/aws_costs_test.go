package tests

import (
	"fmt"
	"math"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// What the table of costs in aws/README.md assumes, and says there.
const (
	changes     = 1e9
	changeBytes = 1024
	recordBytes = 1331   // of a change in a record of Kinesis, about 1.3 KiB
	compressed  = 5.0    // by zstd, before Base64
	shards      = 16     // of packed messages
	memory      = 0.5    // GB
	invocation  = 0.020  // seconds, in addition to
	perChange   = 0.0002 // seconds for each change
)

// prices returns the prices in the README, by their name there.
func prices(t *testing.T, readme string) map[string]float64 {
	t.Helper()
	_, table, _ := strings.Cut(readme, "| price | US$ | for |\n|---|---|---|\n")
	table, _, _ = strings.Cut(table, "\n\n")
	all := map[string]float64{}
	for _, row := range regexp.MustCompile(`(?m)^\| ([^|]+) \| ([\d.]+) \|`).FindAllStringSubmatch(table, -1) {
		price, err := strconv.ParseFloat(row[2], 64)
		if err != nil {
			t.Fatal(err)
		}
		all[row[1]] = price
	}
	return all
}

// costRow returns the row of the table for requests with so many changes.
func costRow(t *testing.T, of map[string]float64, batch int) string {
	t.Helper()
	price := func(name string) float64 {
		p, ok := of[name]
		if !ok {
			t.Fatalf("the README has no price of %s", name)
		}
		return p
	}
	requests := changes / float64(batch)
	chunks := func(bytes float64, size int) float64 { return math.Ceil(bytes / float64(size)) }
	bytes := float64(batch * changeBytes)

	seconds := requests * (invocation + perChange*float64(batch))
	single := requests * math.Ceil(float64(batch)/10)
	messages := min(batch, shards)
	packed := 0.0
	for left := messages; left > 0; left -= 10 {
		packed += requests * chunks(bytes/compressed*4/3*float64(min(left, 10))/float64(messages), 64<<10)
	}
	row := fmt.Sprintf("| %d ", batch)
	for _, dollars := range []float64{
		requests / 1e6 * chunks(bytes, 512<<10) * price("HTTP API"),
		requests / 1e6 * price("REST API"),
		requests/1e6*price("Lambda, invocations") + seconds*memory*price("Lambda, time"),
		single / 1e6 * price("SQS FIFO"),
		packed / 1e6 * price("SQS FIFO"),
		changes * chunks(recordBytes, 1024) * 1024 / (1 << 30) * price("Kinesis, on demand"),
		changes / 1e6 * price("Kinesis, shards"),
		requests / 1e6 * price("S3, PUT"),
	} {
		text := fmt.Sprintf("%.1f", dollars)
		if dollars >= 10 {
			text = fmt.Sprintf("%.0f", dollars)
		}
		row += "| " + text + " "
	}
	return row + "|\n"
}

// The costs in the README are what its prices make.
func TestAWSCosts(t *testing.T) {
	readme := read(t, "aws/README.md")
	of, want := prices(t, readme), ""
	for _, batch := range []int{1, 10, 100, 500} {
		want += costRow(t, of, batch)
	}
	_, got, _ := strings.Cut(readme, "| changes in a request |")
	_, got, _ = strings.Cut(got, "---|\n")
	got, _, _ = strings.Cut(got, "\n\n")
	if diff := cmp.Diff(want, got+"\n"); diff != "" {
		t.Errorf("(-computed +README)\n%s", diff)
	}
}
