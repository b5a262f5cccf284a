package main

import (
	"crypto/tls"
	"fmt"
	"net/http"
	"path/filepath"
	"strconv"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/aerosink/aerosink/connector/change/changetest"
	"github.com/aerosink/aerosink/connector/deliver/delivertest"
	"github.com/aerosink/aerosink/connector/format"
	"github.com/aerosink/aerosink/connector/xdr/xdrtest"
)

// secureConfig is a folder with the certificates of a connector that uses TLS on both
// sides, and the parts of the configuration that name them.
type secureConfig struct {
	*changetest.Authority
	folder, service, destination string
}

func newSecureConfig(t *testing.T) *secureConfig {
	t.Helper()
	s := &secureConfig{Authority: changetest.NewAuthority(t), folder: t.TempDir()}
	ca := s.WriteCA(t, filepath.Join(s.folder, "ca.crt"))
	serverCert, serverKey := s.renew(t, "server", "127.0.0.1")
	clientCert, clientKey := s.renew(t, "client", "first")
	s.service = fmt.Sprintf("tls: {port: 0, address: 127.0.0.1, cert-file: %q, key-file: %q, ca-file: %q}", serverCert, serverKey, ca)
	s.destination = fmt.Sprintf(", tls: {cert-file: %q, key-file: %q, ca-file: %q}", clientCert, clientKey, ca)
	return s
}

// renew issues a certificate for name, valid for an hour, and writes it to file.
func (s *secureConfig) renew(t *testing.T, file, name string) (cert, key string) {
	t.Helper()
	return s.Write(t, s.folder, file, name, time.Now().Add(time.Hour))
}

// node returns the TLS configuration of a database that trusts only this authority.
func (s *secureConfig) node(t *testing.T) *tls.Config {
	t.Helper()
	return &tls.Config{RootCAs: s.Pool(), Certificates: []tls.Certificate{s.Pair(t, "node-1")}}
}

// destinationTLS returns the TLS configuration of a destination that requires a client
// certificate.
func (s *secureConfig) destinationTLS(t *testing.T) *tls.Config {
	t.Helper()
	return &tls.Config{Certificates: []tls.Certificate{s.Pair(t, "127.0.0.1")}, ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: s.Pool()}
}

// reload sends SIGHUP, and waits until the certificates have been reloaded n times since
// the start.
func (b *binary) reload(t *testing.T, n int) {
	t.Helper()
	if err := b.Process.Signal(syscall.SIGHUP); err != nil {
		t.Fatal(err)
	}
	b.log.Find(t, fmt.Sprintf(`(?s)(certificates and secrets reloaded.*){%d}`, n))
}

// With TLS on both sides, every request has the client certificate, the bearer token and
// the headers, and the metrics match what the source and the destination have seen.
func TestBinary_TLS(t *testing.T) {
	sec := newSecureConfig(t)
	token := filepath.Join(sec.folder, "token")
	write(t, token, []byte("sesame\n"))
	l := delivertest.Open(t, delivertest.Options{TLS: sec.destinationTLS(t), Inspect: func(r *http.Request, changes []format.Parsed) {
		h := r.Header
		if h.Get("Authorization") != "Bearer sesame" || h.Get("X-Team") != "data" || h.Get("X-Key") != "sesame" ||
			h.Get("X-Namespace") != "test" || h.Get("X-Count") != strconv.Itoa(len(changes)) {
			t.Errorf("a request of %d changes has the header %v", len(changes), h)
		}
	}})
	headers := fmt.Sprintf(", headers: {X-Team: data, X-Key: {file: %q}, X-Namespace: {value: namespace}, X-Count: {value: count}}", token)
	auth := fmt.Sprintf(", auth: {mode: bearer, token-file: %q}", token)
	b := startServing(t, sec.service, forward(l.URL, sec.destination+headers+auth)+batching)
	var a replyCounts
	s := &xdrtest.Source{Address: b.xdr, Connections: 4, TLS: sec.node(t), Answered: a.note}
	ship(t, s)
	live(s, 400)
	settle(t, s)
	wantNewest(t, s, l)
	b.wantMetrics(t, &a, map[string]*delivertest.Ledger{"there": l})
	if l.Protocols()["HTTP/2.0"] != l.Counts().Requests {
		t.Errorf("requests over %v", l.Protocols())
	}
	b.terminate(t)
}

// While a source ships, the certificates of both sides are replaced: no request fails, no
// session ends, and new connections use the new certificates.
func TestBinary_certificateRotation(t *testing.T) {
	sec := newSecureConfig(t)
	var seen sync.Map // names of clients
	l := delivertest.Open(t, delivertest.Options{TLS: sec.destinationTLS(t), Inspect: func(r *http.Request, _ []format.Parsed) {
		seen.Store(r.TLS.PeerCertificates[0].Subject.CommonName, true)
	}})
	b := startServing(t, sec.service, forward(l.URL, sec.destination+", connection-ttl: 300ms, health-check: {enabled: false}")+batching)
	var acks acknowledged
	s := &xdrtest.Source{Address: b.xdr, Connections: 4, TLS: sec.node(t), Answered: acks.note}
	ship(t, s)
	const rate = 200 // per second: each may take a while, none may fail
	stop := offer(t, s, rate)
	serial := func() string {
		conn, err := tls.Dial("tcp", b.xdr, sec.node(t))
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		return conn.ConnectionState().PeerCertificates[0].SerialNumber.String()
	}
	before := serial()
	for n, name := range []string{"second", "third"} {
		changetest.WaitFor(t, "load", func() bool { return acks.len() > (n+1)*rate/4 })
		sec.renew(t, "server", "127.0.0.1")
		sec.renew(t, "client", name)
		b.reload(t, n+1)
		changetest.WaitFor(t, "requests with the certificate of "+name, func() bool { _, ok := seen.Load(name); return ok })
		after := serial()
		if after == before {
			t.Error("a new session got the old certificate")
		}
		before = after
	}
	stop()
	settle(t, s)
	acks.wantAll(t, l)
	wantNewest(t, s, l)
	sessions := func(status string) int {
		return int(b.metric(t, `aerospike_esp_outbound_connections{cluster_name="aerosink",status="`+status+`"}`))
	}
	changetest.WaitFor(t, "the end of the sessions that serial opened", func() bool { return sessions("closed") >= 3 })
	if stats := s.Stats(); stats.RetryDest > 0 || stats.RetryConnReset > 0 || sessions("active") != 4 || sessions("closed") != 3 {
		t.Errorf("%d sessions open, want 4; %d closed, want 3; the source counts %s; log:\n%s", sessions("active"), sessions("closed"), stats, b.log)
	}
	b.terminate(t)
}

// The metrics have the time at which each certificate expires, also after a reload.
func TestBinary_certificateMetrics(t *testing.T) {
	sec := newSecureConfig(t)
	b := startServing(t, sec.service, forward("https://127.0.0.1:1", sec.destination+", health-check: {enabled: false}"))
	ends := func(section string) time.Duration {
		at := b.metric(t, `aerosink_connector_certificate_expiry_timestamp_seconds{cluster_name="aerosink",section="`+section+`"}`)
		return time.Until(time.Unix(int64(at), 0)).Round(time.Minute)
	}
	const server, client = "service.tls", "destinations.there.tls"
	if ends(server) != time.Hour || ends(client) != time.Hour {
		t.Errorf("%v and %v are left, want an hour", ends(server), ends(client))
	}
	sec.Write(t, sec.folder, "client", "first", time.Now().Add(3*time.Hour))
	b.reload(t, 1)
	if ends(server) != time.Hour || ends(client) != 3*time.Hour {
		t.Errorf("%v and %v are left, want one hour and three", ends(server), ends(client))
	}
	b.terminate(t)
}

// A destination whose certificate is from another authority gets nothing, and every change
// gets a retry reply at once. When it has the right certificate, it gets every change.
func TestBinary_untrustedCertificate(t *testing.T) {
	sec := newSecureConfig(t)
	var now atomic.Pointer[tls.Config]
	wrong := sec.destinationTLS(t)
	wrong.Certificates = []tls.Certificate{changetest.NewAuthority(t).Pair(t, "127.0.0.1")}
	right := sec.destinationTLS(t)
	wrong.NextProtos, right.NextProtos = []string{"h2"}, []string{"h2"}
	now.Store(wrong)
	l := delivertest.Open(t, delivertest.Options{TLS: &tls.Config{GetConfigForClient: func(*tls.ClientHelloInfo) (*tls.Config, error) { return now.Load(), nil }}})
	b := startServing(t, sec.service, forward(l.URL, sec.destination+", health-check: {interval-seconds: 1, healthy-threshold: 1}")+batching)
	var acks acknowledged
	s := &xdrtest.Source{Address: b.xdr, Connections: 4, TLS: sec.node(t), RetryAfter: 10 * time.Millisecond, Answered: acks.note}
	ship(t, s)
	live(s, 400)
	changetest.WaitFor(t, "retries of every change", func() bool { return s.Stats().RetryDest > 2000 })
	const atOnce = 5 * time.Second // less than the call timeout of 8s
	if slowest, _ := acks.slow(); slowest > atOnce || acks.len() > 0 || l.Counts().Requests > 0 {
		t.Errorf("slowest reply after %v, %d changes answered with OK; the ledger %+v", slowest, acks.len(), l.Counts())
	}
	b.log.Find(t, "certificate signed by unknown authority")
	now.Store(right)
	settle(t, s)
	acks.wantAll(t, l)
	wantNewest(t, s, l)
	b.terminate(t)
}
