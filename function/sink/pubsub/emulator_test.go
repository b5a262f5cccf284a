package pubsub_test

import (
	"context"
	"fmt"
	"net"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	google "cloud.google.com/go/pubsub/v2"
	"cloud.google.com/go/pubsub/v2/apiv1/pubsubpb"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/aerosink/aerosink/connector/change/changetest"
	"github.com/aerosink/aerosink/function/sink"
	"github.com/aerosink/aerosink/function/sink/sinktest"
)

// startEmulator starts Google's Pub/Sub emulator, or skips the test if it is not
// installed. When it returns the port is open, but the emulator may not respond yet.
func startEmulator(t *testing.T) {
	t.Helper()
	java, err := exec.LookPath("java")
	if err != nil {
		t.Skip("the Pub/Sub emulator needs java, which is not installed")
	}
	root, err := exec.CommandContext(t.Context(), "gcloud", "info", "--format=value(installation.sdk_root)").Output()
	if err != nil {
		t.Skip("gcloud, which has the Pub/Sub emulator, is not installed")
	}
	jars, _ := filepath.Glob(filepath.Join(strings.TrimSpace(string(root)), "platform/pubsub-emulator/lib/cloud-pubsub-emulator-*-all.jar"))
	if len(jars) == 0 {
		t.Skip("the Pub/Sub emulator is not installed: gcloud components install pubsub-emulator")
	}
	l, err := net.Listen("tcp", "127.0.0.1:0") // the emulator cannot choose a port itself
	if err != nil {
		t.Fatal(err)
	}
	address := l.Addr().String()
	_ = l.Close()
	_, port, _ := net.SplitHostPort(address)
	command := exec.CommandContext(t.Context(), java, "-XX:+UseSerialGC", "-Xmx512m", "-jar", jars[0], "--host=127.0.0.1", "--port="+port)
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = command.Wait() }) // the test's context kills it
	changetest.WaitFor(t, "an emulator's port", func() bool {
		c, err := new(net.Dialer).DialContext(t.Context(), "tcp", address)
		if err == nil {
			_ = c.Close()
		}
		return err == nil
	})
	t.Setenv("PUBSUB_EMULATOR_HOST", address)
}

// isCreated reports whether a resource exists after a call to create it returned err. On a
// busy machine the emulator may create it, and respond too late.
func isCreated(err error) bool { return err == nil || status.Code(err) == codes.AlreadyExists }

// The versions of each record reach a subscriber in order through Google's own emulator.
func TestPut_orderThroughGooglesEmulator(t *testing.T) {
	startEmulator(t)
	client, err := google.NewClient(t.Context(), "test-project")
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	changetest.WaitFor(t, "an emulator", func() bool {
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		_, err := client.TopicAdminClient.CreateTopic(ctx, &pubsubpb.Topic{Name: sinktest.Topic})
		return isCreated(err)
	})
	subscription := "projects/test-project/subscriptions/all"
	if _, err := client.SubscriptionAdminClient.CreateSubscription(t.Context(), &pubsubpb.Subscription{Name: subscription, Topic: sinktest.Topic, EnableMessageOrdering: true}); err != nil {
		t.Fatal(err)
	}
	if err := parse(t, sinktest.PubSubSink, sink.Options{}).Probe(t.Context()); err != nil {
		t.Error(err)
	}
	const records, each = 40, 10
	s := open(t, sinktest.PubSubSink+"?ordering=8", sink.Options{})
	var wg sync.WaitGroup
	for record := range records {
		wg.Go(func() {
			for v := 1; v <= each; v += 2 {
				if verdicts := s.Put(t.Context(), versions(version(record, v), version(record, v+1))); verdicts != nil {
					t.Error(verdicts)
				}
			}
		})
	}
	wg.Wait()
	receiveInOrder(t, client, subscription, records, each)
}

// receiveInOrder receives that many records with that many versions each, and checks
// their order.
func receiveInOrder(t *testing.T, client *google.Client, subscription string, records, each int) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	var mu sync.Mutex
	last, received := map[string]int{}, 0
	err := client.Subscriber(subscription).Receive(ctx, func(_ context.Context, m *google.Message) {
		mu.Lock()
		defer mu.Unlock()
		record, text, _ := strings.Cut(string(m.Data), ".")
		v, _ := strconv.Atoi(text)
		if v > last[record]+1 {
			t.Errorf("record %s: version %d after %d", record, v, last[record])
		}
		if v == last[record]+1 {
			last[record], received = v, received+1
		}
		m.Ack()
		if received == records*each {
			cancel()
		}
	})
	if err != nil || received != records*each {
		t.Errorf("%d received, %v; of %s", received, err, fmt.Sprint(last))
	}
}
