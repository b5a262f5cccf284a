package function

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/aerosink/aerosink/connector/change/changetest"
	"github.com/aerosink/aerosink/function/problem"
	"github.com/aerosink/aerosink/function/settings"
)

func TestNewLogger_level(t *testing.T) {
	for level, want := range map[string]string{"": "IWE", "debug": "DIWE", "INFO": "IWE", "warn": "WE", "error": "E", "loud": "IWE"} {
		var log changetest.Output
		l := NewLogger(&log, settings.Environment{Getenv: func(name string) string { return map[string]string{"LOG_LEVEL": level}[name] }})
		l.Debug("D")
		l.Info("I")
		l.Warn("W")
		l.Error("E")
		got := ""
		for line := range strings.Lines(log.String()) {
			_, message, _ := strings.Cut(line, "msg=")
			got += strings.TrimSpace(message)
		}
		if got != want {
			t.Errorf("LOG_LEVEL=%s: %s, want %s", level, got, want)
		}
	}
}

// body is a request body with a Read function.
type body func([]byte) (int, error)

func (b body) Read(p []byte) (int, error) { return b(p) }
func (b body) Close() error               { return nil }

// A panic is answered with 500 and logged for Cloud Logging and Error Reporting: with the
// stack, but without the value of the panic, which may hold user data.
func TestServeHTTP_panic(t *testing.T) {
	r, log := receiverOfVariables(t, map[string]string{"SINKS": "log:", "K_SERVICE": "sink", "GOOGLE_CLOUD_PROJECT": "shop"})
	for want, cause := range map[string]func(){
		"runtime error: index out of range [3] with length 0": func() { _ = []int{}[len("abc")] },
		"*errors.errorString": func() { panic(errors.New("secret")) },
		"string":              func() { panic("secret") },
	} {
		before := len(log.String())
		req := httptest.NewRequest(http.MethodPost, "/", body(func([]byte) (int, error) { cause(); return 0, io.EOF }))
		req.Header.Set("Content-Type", "application/json")
		req.Header.Set("Traceparent", "00-"+someTrace+"-"+someSpan+"-01")
		w := httptest.NewRecorder()
		r.ServeHTTP(w, req)
		if w.Code != http.StatusInternalServerError || w.Header().Get("Content-Type") != problem.MediaType {
			t.Errorf("status %d: %s", w.Code, w.Body)
		}
		if strings.Contains(w.Body.String()+log.String(), "secret") {
			t.Errorf("data in the answer or the log: %s\n%s", w.Body, log.String())
		}
		var line map[string]any
		if err := json.Unmarshal([]byte(log.String()[before:]), &line); err != nil {
			t.Fatal(err)
		}
		for key, value := range map[string]any{
			"severity": "CRITICAL", "message": "panic", "error": want, "@type": reportedError,
			"logging.googleapis.com/trace":  "projects/shop/traces/" + someTrace,
			"logging.googleapis.com/spanId": someSpan, "logging.googleapis.com/trace_sampled": true,
		} {
			if line[key] != value {
				t.Errorf("%s is %v, want %v", key, line[key], value)
			}
		}
		if stack := line["stack_trace"].(string); !strings.HasPrefix(stack, "panic: "+want+"\n\ngoroutine ") || !strings.Contains(stack, "log_test.go:") {
			t.Errorf("stack %s", stack)
		}
	}
	if w := ask(r, http.MethodPost, "/"); w.Code != http.StatusOK {
		t.Errorf("after the panic: status %d", w.Code)
	}
	if held := r.entry.Load().reader.InFlight(); held != 0 {
		t.Errorf("%d bytes are still held", held)
	}
}

// http.ErrAbortHandler is passed on and not logged.
func TestServeHTTP_abortHandler(t *testing.T) {
	r, log := receiverOfVariables(t, map[string]string{"SINKS": "log:"})
	defer func() {
		if err, _ := recover().(error); !errors.Is(err, http.ErrAbortHandler) || log.String() != "" {
			t.Errorf("recovered %v, log %s", err, log.String())
		}
	}()
	req := httptest.NewRequest(http.MethodPost, "/", body(func([]byte) (int, error) { panic(http.ErrAbortHandler) }))
	req.Header.Set("Content-Type", "application/json")
	r.ServeHTTP(httptest.NewRecorder(), req)
	t.Error("the panic was not passed on")
}

// On Cloud Run the metadata server is asked for the project when it is first needed. No
// request waits for the answer.
func TestProjectName_metadataServer(t *testing.T) {
	release := make(chan struct{})
	asked := make(chan string, 10)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		asked <- req.URL.Path + " " + req.Header.Get("Metadata-Flavor")
		<-release
		_, _ = io.WriteString(w, "shop")
	}))
	defer server.Close()
	t.Setenv("GCE_METADATA_HOST", server.Listener.Addr().String())

	r, log := receiverOfVariables(t, map[string]string{"SINKS": "log:", "K_SERVICE": "sink"})
	if ask(r, http.MethodPost, "/other"); !strings.Contains(log.String(), `"request":`) || strings.Contains(log.String(), traceKey) {
		t.Errorf("log %s", log.String())
	}
	if got := <-asked; got != "/computeMetadata/v1/project/project-id Google" {
		t.Errorf("asked for %s", got)
	}
	close(release)
	changetest.WaitFor(t, "the project", func() bool { return r.project.get() == "shop" })
	req := httptest.NewRequest(http.MethodPost, "/other", http.NoBody)
	req.Header.Set("X-Cloud-Trace-Context", someTrace)
	r.ServeHTTP(httptest.NewRecorder(), req)
	if !strings.Contains(log.String(), `"`+traceKey+`":"projects/shop/traces/`+someTrace+`"`) {
		t.Errorf("log %s", log.String())
	}
	if len(asked) != 0 {
		t.Errorf("asked again for %s", <-asked)
	}
}

// Outside Cloud Run, or if the environment names the project, the metadata server is not asked.
func TestProjectName_withoutMetadataServer(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, req *http.Request) { t.Errorf("asked for %s", req.URL) }))
	defer server.Close()
	t.Setenv("GCE_METADATA_HOST", server.Listener.Addr().String())
	for want, variables := range map[string]map[string]string{
		"":     {},
		"mine": {"K_SERVICE": "sink", "GOOGLE_CLOUD_PROJECT": "mine"},
	} {
		p := projectName{environment: settings.Environment{Getenv: func(name string) string { return variables[name] }}}
		got := p.get()
		if p.close(); got != want {
			t.Errorf("project %q, want %q", got, want)
		}
	}
}

// A metadata server that fails is not asked again at once.
func TestProjectName_metadataServerFails(t *testing.T) {
	var asked atomic.Int32
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		asked.Add(1)
		w.WriteHeader(http.StatusNotFound)
	}))
	defer server.Close()
	t.Setenv("GCE_METADATA_HOST", server.Listener.Addr().String())
	p := projectName{environment: settings.Environment{Getenv: func(name string) string { return map[string]string{"K_SERVICE": "sink"}[name] }}}
	for range 3 {
		name := p.get()
		if p.close(); name != "" {
			t.Errorf("project %q", name)
		}
	}
	if n := asked.Load(); n != 1 {
		t.Errorf("asked %d times, want once", n)
	}
	p.asked = p.asked.Add(-2 * askInterval)
	p.get()
	p.close()
	if n := asked.Load(); n != 2 {
		t.Errorf("asked %d times, want twice", n)
	}
}
