package main

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/aerosink/aerosink/connector/change/changetest"
	"github.com/aerosink/aerosink/function/sink/sinktest"
)

func TestMain(m *testing.M) { changetest.Main(m, main) }

// The framework's server cannot be stopped, and cannot choose a free port.
func TestServe(t *testing.T) {
	cloud := sinktest.New(t)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := l.Addr().String()
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	_, port, _ := strings.Cut(address, ":")
	t.Setenv("PORT", port)
	t.Setenv("FUNCTION_TARGET", "Receive")
	t.Setenv("SINKS", sinktest.PubSubSink)
	t.Setenv("MAX_BODY", "1KiB")
	t.Setenv("BODY_TIMEOUT", "1s")
	ended := make(chan error, 1)
	go func() { ended <- serve(t.Context(), io.Discard) }()

	url := "http://" + address
	changetest.WaitFor(t, "an answer from the framework", func() bool {
		select {
		case err := <-ended:
			t.Fatalf("the framework ended: %v", err)
		default:
		}
		resp, err := http.Get(url)
		if err == nil {
			_ = resp.Body.Close()
		}
		return err == nil && resp.StatusCode == http.StatusOK
	})
	var first sync.WaitGroup // the first requests open the sinks, at the same time
	for i := range 3 {
		first.Go(func() {
			body := fmt.Sprintf(`{"msg":"delete","key":["n",null,"4cggTFyCxaDjqb2pso88/imO2Sg=",%d]}`, i)
			resp, err := http.Post(url, "application/json", strings.NewReader(body))
			if err != nil {
				t.Error(err)
				return
			}
			_ = resp.Body.Close()
			if resp.StatusCode != http.StatusOK {
				t.Errorf("status %d", resp.StatusCode)
			}
		})
	}
	first.Wait()
	if n := len(cloud.Messages()); n != 3 {
		t.Errorf("%d messages, want 3", n)
	}

	// A change that is not sent by POST is not answered with 200.
	for _, method := range []string{http.MethodGet, http.MethodPut, http.MethodPatch} {
		req, err := http.NewRequest(method, url, nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Content-Type", "application/json")
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		_ = resp.Body.Close()
		if resp.StatusCode != http.StatusMethodNotAllowed || resp.Header.Get("Allow") != "GET, HEAD, OPTIONS, POST" {
			t.Errorf("%s: status %d, Allow: %s", method, resp.StatusCode, resp.Header.Get("Allow"))
		}
	}

	// The framework's server has no limits; the function's still apply.
	for head, status := range map[string]int{
		"Content-Length: 1025":       http.StatusRequestEntityTooLarge,
		"Content-Length: 1024":       http.StatusRequestTimeout,
		"Transfer-Encoding: chunked": http.StatusRequestTimeout,
	} {
		conn, err := net.Dial("tcp", address)
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		if _, err := fmt.Fprintf(conn, "POST / HTTP/1.1\r\nHost: sink\r\nContent-Type: application/json\r\n%s\r\n\r\n", head); err != nil {
			t.Fatal(err)
		}
		resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
		if err != nil {
			t.Fatal(err)
		}
		_ = resp.Body.Close()
		if resp.StatusCode != status {
			t.Errorf("%s: status %d, want %d", head, resp.StatusCode, status)
		}
	}
}

func TestServe_invalidEnvironment(t *testing.T) {
	t.Setenv("SINKS", "x:")
	if err := serve(t.Context(), io.Discard); err == nil || !strings.Contains(err.Error(), `SINKS: "x:"`) {
		t.Errorf("error %v", err)
	}
}
