package connector

import (
	"fmt"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aerosink/aerosink/connector/deliver/post"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/aerosink/aerosink/connector/change"
	"github.com/aerosink/aerosink/connector/change/changetest"
	"github.com/aerosink/aerosink/connector/deliver"
	"github.com/aerosink/aerosink/connector/deliver/auth"
	"github.com/aerosink/aerosink/connector/xdr"
)

// catalogue is a registerer that records what is registered.
type catalogue struct {
	*prometheus.Registry
	rows map[string]bool // as in the table in the README
}

var desc = regexp.MustCompile(`fqName: "([^"]+)", help: "([^"]+)", unit: "[^"]*", constLabels: \{([^}]*)\}, variableLabels: \{([^}]*)\}`)

func (c *catalogue) Register(collector prometheus.Collector) error {
	descs := make(chan *prometheus.Desc, 10)
	collector.Describe(descs)
	close(descs)
	for d := range descs {
		c.note(d.String())
	}
	return c.Registry.Register(collector)
}

func (c *catalogue) note(d string) {
	found := desc.FindStringSubmatch(d)
	labels := strings.Fields(strings.ReplaceAll(found[4], ",", " "))
	for _, pair := range strings.Split(found[3], ",") {
		name, _, _ := strings.Cut(pair, "=")
		labels = append(labels, name)
	}
	slices.Sort(labels)
	i, ok := slices.BinarySearch(labels, "cluster_name")
	if !ok {
		panic("no label cluster_name: " + d)
	}
	for i, l := range slices.Delete(labels, i, i+1) {
		labels[i] = "`" + l + "`"
	}
	c.rows[fmt.Sprintf("| `%s` | %s | %s |", found[1], strings.Join(labels[:len(labels)-1], ", "), found[2])] = true
}

func (c *catalogue) MustRegister(collectors ...prometheus.Collector) {
	for _, collector := range collectors {
		if err := c.Register(collector); err != nil {
			panic(err)
		}
	}
}

// The table of metrics in the README has every metric, with its labels and help.
func TestMetrics_readmeTable(t *testing.T) {
	readme, err := os.ReadFile(filepath.Join(changetest.Testdata(t), "..", "connector", "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	c := &catalogue{prometheus.NewRegistry(), map[string]bool{}}
	m := NewMetrics(c, "test")
	m.Certificates(nil, nil)
	New(Config{Metrics: m})
	d := deliver.New(deliver.Config{
		Name: "there", URLs: []*url.URL{{Scheme: "http", Host: "there"}}, Config: post.Config{Connections: 1, Streams: 1, Auth: auth.NewGoogleIDToken("there")},
		Metrics: deliver.NewMetrics(c, "test"),
	})
	defer d.Close(t.Context())
	for row := range c.rows {
		if !strings.Contains(string(readme), row+"\n") {
			t.Errorf("the README has no row %s", row)
		}
	}
	if n := strings.Count(string(readme), "\n| `aerospike_") + strings.Count(string(readme), "\n| `aerosink_connector_"); n != len(c.rows) {
		t.Errorf("the README has %d rows of metrics, the code %d", n, len(c.rows))
	}
}

// The lag is never negative: the clock of the database may be ahead of the connector's.
func TestMetrics_lagOfClockAhead(t *testing.T) {
	r := start(t, allSets(Pipeline{}), nil)
	n := r.dial(t)
	for _, tt := range []struct{ age, least, most time.Duration }{
		{time.Hour, time.Hour, 2 * time.Hour},
		{-time.Hour, 0, 0},
	} {
		c := change.Change{Namespace: "test", LUT: time.Now().Add(-tt.age).UnixMilli()}
		f, err := xdr.AppendMessage(nil, &c, changetest.Receipt)
		if err != nil {
			t.Fatal(err)
		}
		n.ship(t, f)
		n.wantReplies(t, xdr.OK)
		if lag := time.Duration(testutil.ToFloat64(r.server.metrics.lag)) * time.Millisecond; lag < tt.least || lag > tt.most {
			t.Errorf("the lag of a change of %s ago is %s", tt.age, lag)
		}
	}
}

// Bounds in JSON are plain decimals without an exponent.
func TestJSONMetrics_bounds(t *testing.T) {
	r := prometheus.NewRegistry()
	h := prometheus.NewHistogram(prometheus.HistogramOpts{Name: "bytes", Buckets: []float64{0.000001, 0.5, 1 << 20, 1 << 40}})
	r.MustRegister(h)
	h.Observe(1000)
	w := httptest.NewRecorder()
	jsonMetrics{r}.ServeHTTP(w, nil)
	want := `{"bytes":[{"labels":{},"count":1,"sum":1000,"buckets":{"0.000001":0,"0.5":0,"1048576":1,"1099511627776":1}}]}` + "\n"
	if got := w.Body.String(); got != want {
		t.Errorf("%s, want %s", got, want)
	}
}
