package aerospike

import (
	"testing"

	"github.com/aerosink/aerosink/connector/devnode"
	"github.com/aerosink/aerosink/connector/xdr/xdrtest"
	"github.com/aerosink/aerosink/function/sink"
)

// A target that XDR ships to a connector is refused, with the names of both.
func TestOpen_loop(t *testing.T) {
	source := &xdrtest.Source{Address: "127.0.0.1:8901"}
	n := node(t, devnode.Config{Source: source, Shipped: []string{"test"}})
	for _, path := range []string{"/test?mode=records", "/test/s?mode=raw"} {
		wantError(t, spec(t, "aerospike://"+n.Addr()+path), "ships namespace test to the connector at 127.0.0.1:8901 (DC aerosink)", "loop=allow")
	}
	for _, path := range []string{"/other?mode=records&from=test", "/test?mode=records&loop=allow"} {
		s := spec(t, "aerospike://"+n.Addr()+path)
		if err := s.Probe(t.Context()); err != nil {
			t.Error(err)
		}
		open(t, n, path, sink.Options{})
	}
}

func TestSettings(t *testing.T) {
	s := settings("dcs=a,b;src-id=0;empty=;alone")
	if len(list(s["dcs"])) != 2 || s["src-id"] != "0" || list(s["empty"]) != nil || list("null") != nil || list(s["absent"]) != nil {
		t.Errorf("%v", s)
	}
}
