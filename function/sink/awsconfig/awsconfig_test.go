package awsconfig_test

import (
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"

	"github.com/aerosink/aerosink/function/sink/awsconfig"
)

// Nothing is repeated behind a sink's back.
func TestLoad_oneAttempt(t *testing.T) {
	c := load(t)
	if r := c.Retryer(); r.MaxAttempts() != 1 {
		t.Errorf("%d attempts, want 1", r.MaxAttempts())
	}
	if c.Region != "eu-west-1" {
		t.Errorf("region %s", c.Region)
	}
}

// Many calls at once, made again, use the connections of before.
func TestLoad_connections(t *testing.T) {
	const calls = 40
	var arrived sync.WaitGroup
	var opened atomic.Int32
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		arrived.Done()
		arrived.Wait() // until all are there
	}))
	server.Config.ConnState = func(_ net.Conn, s http.ConnState) {
		if s == http.StateNew {
			opened.Add(1)
		}
	}
	server.Start()
	defer server.Close()
	client := load(t).HTTPClient
	for range 3 {
		arrived.Add(calls)
		var calling sync.WaitGroup
		for range calls {
			calling.Go(func() {
				req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, server.URL, http.NoBody)
				if err != nil {
					t.Error(err)
					return
				}
				resp, err := client.Do(req)
				if err != nil {
					t.Error(err)
					return
				}
				_, _ = io.Copy(io.Discard, resp.Body) // to the end, so that the connection can be used again
				_ = resp.Body.Close()
			})
		}
		calling.Wait()
	}
	if n := opened.Load(); n != calls {
		t.Errorf("%d connections for %d calls at once, want as many", n, calls)
	}
}

// A connection that no call uses is closed when a sink is.
func TestCloseIdleConnections(t *testing.T) {
	closed := make(chan struct{})
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	server.Config.ConnState = func(_ net.Conn, s http.ConnState) {
		if s == http.StateClosed {
			close(closed)
		}
	}
	server.Start()
	defer server.Close()
	client := load(t).HTTPClient
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, server.URL, http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	if err := resp.Body.Close(); err != nil {
		t.Error(err)
	}
	awsconfig.CloseIdleConnections(client)
	select {
	case <-closed:
	case <-t.Context().Done():
		t.Error("the connection is still open")
	}
}

func TestPartition(t *testing.T) {
	for region, want := range map[string]string{
		"eu-west-1": "aws", "us-east-1": "aws", "cn-north-1": "aws-cn", "us-gov-west-1": "aws-us-gov", "us-iso-east-1": "aws-iso", "us-isob-east-1": "aws-iso-b", "eusc-de-east-1": "aws-eusc",
	} {
		if got := awsconfig.Partition(region); got != want {
			t.Errorf("%s is in %s, want %s", region, got, want)
		}
	}
}

func load(t *testing.T) aws.Config {
	t.Helper()
	c, err := awsconfig.Load(t.Context(), "eu-west-1")
	if err != nil {
		t.Fatal(err)
	}
	return c
}
