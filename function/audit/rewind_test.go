package audit_test

import (
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"cloud.google.com/go/storage"
	as "github.com/aerospike/aerospike-client-go/v7"

	"github.com/aerosink/aerosink/connector/change"
	"github.com/aerosink/aerosink/connector/devnode"
	"github.com/aerosink/aerosink/function"
	"github.com/aerosink/aerosink/function/audit"
	"github.com/aerosink/aerosink/function/google"
	"github.com/aerosink/aerosink/function/settings"
	"github.com/aerosink/aerosink/function/sink/sinktest"
)

// instance is the function with an archive in a fake bucket.
type instance struct {
	receiver atomic.Pointer[function.Receiver]
}

// replace replaces the instance by a new one, which remembers nothing.
func (i *instance) replace(t testing.TB) {
	t.Helper()
	variables := map[string]string{"SINKS": sinktest.ArchiveSink}
	e := settings.Environment{Getenv: func(name string) string { return variables[name] }, Sinks: google.Sinks()}
	r := function.New(e, slog.New(slog.DiscardHandler))
	t.Cleanup(func() { _ = r.Close() }) // every request was answered
	i.receiver.Store(r)
}

func (i *instance) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	i.receiver.Load().ServeHTTP(w, r)
}

// info has a node carry out info commands.
func info(t testing.TB, c *cluster, commands ...string) {
	t.Helper()
	for _, command := range commands {
		for _, node := range c.client.GetNodes() {
			answers, err := node.RequestInfo(as.NewInfoPolicy(), command)
			if err != nil || answers[command] != "ok" {
				t.Fatalf("%s: %q, error %v", command, answers[command], err)
			}
		}
	}
}

// What the archive has lost is there again after a rewind: a second audit finds only the
// delete that left no tombstone.
func TestPlanRewind_repairs(t *testing.T) {
	cloud := sinktest.New(t)
	i := &instance{}
	i.replace(t)
	server := httptest.NewUnstartedServer(i)
	server.Config.Protocols = new(http.Protocols)
	server.Config.Protocols.SetUnencryptedHTTP2(true)
	server.Start()
	t.Cleanup(server.Close)
	source := startConnector(t, server.URL)
	c := newNode(t, devnode.Config{Source: source})
	ship(t, source)

	c.clock.behind.Store(int64(time.Hour))
	const records = 600
	for first := range 3 {
		c.load(first*records/3, records/3, as.TTLDontExpire)
		settle(t, source)
	}
	c.load(0, records/3, as.TTLDontExpire) // generation 2
	c.delete(7)
	if _, err := c.client.Delete(&as.WritePolicy{DurableDelete: true}, c.key(8)); err != nil {
		t.Fatal(err)
	}
	settle(t, source)
	c.clock.behind.Store(0)
	o := options(c, newArchive(t))
	o.From, o.Margin = sinktest.ArchiveSink, 0
	if got, sum, err := run(t, o); err != nil || len(got) > 0 || sum.Database != records-2 {
		t.Fatalf("before the loss: %v, %+v, error %v", got, sum, err)
	}

	// Each load has objects of its own.
	second := c.digest(records / 2).String()
	lose(t, cloud, func(content string) bool {
		return strings.Contains(content, `"msg":"delete"`) || strings.Contains(content, `"gen":2`) || strings.Contains(content, second)
	})
	i.replace(t)
	got, sum, err := run(t, o)
	if err != nil || got[c.digest(8)] != audit.Unexpected || sum.Findings[audit.Missing] == 0 || sum.Findings[audit.Stale] == 0 || got[c.digest(7)] != audit.Unexpected || sum.Found() != sum.Findings[audit.Missing]+sum.Findings[audit.Stale]+sum.Findings[audit.Unexpected] {
		t.Fatalf("after the loss: %+v, error %v", sum, err)
	}
	plan, err := audit.PlanRewind(t.Context(), o.Against, sum.Oldest, time.Minute, false)
	if err != nil || len(plan) != 1 || plan[0].DC != "aerosink" || !slices.Equal(plan[0].Nodes, []string{c.address}) {
		t.Fatalf("%+v, error %v", plan, err)
	}
	_, seconds, _ := strings.Cut(plan[0].Command, "set-config:context=xdr;dc=aerosink;namespace=shop;action=add;rewind=")
	if n, err := strconv.Atoi(seconds); err != nil || n < 3600 || n > 3800 {
		t.Errorf("%s rewinds %d s, want a little more than an hour, error %v", plan[0].Command, n, err)
	}
	settle(t, source)
	if _, sum, err := run(t, o); err != nil || sum.Findings[audit.Missing] == 0 {
		t.Errorf("a plan has changed something: %+v, error %v", sum, err)
	}

	if _, err := audit.PlanRewind(t.Context(), o.Against, sum.Oldest, time.Minute, true); err != nil {
		t.Fatal(err)
	}
	settle(t, source)
	got, sum, err = run(t, o)
	if err != nil || len(got) != 1 || got[c.digest(7)] != audit.Unexpected {
		t.Errorf("after the rewind: %v, %+v, error %v", got, sum, err)
	}
}

// lose deletes objects from the bucket.
func lose(t testing.TB, cloud *sinktest.Cloud, lost func(content string) bool) {
	t.Helper()
	client, err := storage.NewClient(t.Context(), storage.WithJSONReads())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = client.Close() }()
	for _, o := range cloud.Objects(t) {
		if !lost(string(o.Content)) {
			continue
		}
		if err := client.Bucket(sinktest.Bucket).Object(o.Attrs.Name).Delete(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
}

// Without a connector that the namespace is shipped to there is nothing to rewind.
func TestPlanRewind_nothingShips(t *testing.T) {
	c := newNode(t, devnode.Config{})
	o := options(c, newArchive(t))
	want := `ships the namespace "shop" to no connector`
	check := func(when string) {
		t.Helper()
		if plan, err := audit.PlanRewind(t.Context(), o.Against, time.Now(), 0, true); !change.IsPermanent(err) || !strings.Contains(err.Error(), want) || plan != nil {
			t.Errorf("%s: %+v, error %v", when, plan, err)
		}
	}
	check("no data centre")
	const dc = "set-config:context=xdr;dc=other"
	info(t, c, dc+";action=create", dc+";namespace=shop;action=add")
	check("a data centre that is a cluster")
	info(t, c, dc+";connector=true", "set-config:context=xdr;dc=two;action=create", "set-config:context=xdr;dc=two;connector=true", "set-config:context=xdr;dc=two;namespace=other;action=add")
	plan, err := audit.PlanRewind(t.Context(), o.Against, time.Now(), 0, false)
	if err != nil || len(plan) != 1 || plan[0].DC != "other" {
		t.Errorf("one of two connectors: %+v, error %v", plan, err)
	}
}
