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

	"github.com/aerosink/aerosink/function/sink"
	"github.com/aerosink/aerosink/function/sink/sinktest"
)

// startEmulator starts Google's Pub/Sub emulator, or skips the test if it is not
// installed. The emulator may not respond yet: see waitForEmulator.
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
	t.Setenv("PUBSUB_EMULATOR_HOST", address)
}

// emulatorPatience is how long the emulator may take to start. It is a program in Java, which
// takes 2 s on an idle machine and a minute on a busy one.
const emulatorPatience = 2 * time.Minute

// waitForEmulator creates something in the emulator, which create does, as soon as it
// responds. If it does not respond in time, the test is skipped, which is not about that.
func waitForEmulator(t *testing.T, create func(ctx context.Context) error) {
	t.Helper()
	look, late := time.NewTicker(50*time.Millisecond), time.After(emulatorPatience)
	defer look.Stop()
	for {
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		err := create(ctx)
		cancel()
		if isCreated(err) {
			return
		}
		select {
		case <-look.C:
		case <-late:
			if code := status.Code(err); code != codes.Unavailable && code != codes.DeadlineExceeded {
				t.Fatal(err)
			}
			t.Skipf("the Pub/Sub emulator has not responded within %s: %v", emulatorPatience, err)
		}
	}
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
	waitForEmulator(t, func(ctx context.Context) error {
		_, err := client.TopicAdminClient.CreateTopic(ctx, &pubsubpb.Topic{Name: sinktest.Topic})
		return err
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
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
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
