package connector_test

import (
	"encoding/json"
	"os/exec"
	"path"
	"slices"
	"strings"
	"testing"
)

const module = "github.com/aerosink/aerosink"

// rooms is the plan of the house: which packages of the module each package may
// import, and which others it must not know. A room imports no other room; the
// one door is from format to xdr.
var rooms = map[string]struct {
	may     string // packages of the module
	mustNot string // packages of others, or folders of them
}{
	"connector/change":   {"", "*"},
	"connector/xdr":      {"connector/change", "net net/http log log/slog go.yaml.in"},
	"connector/route":    {"connector/change", "net/http"},
	"connector/tlsfile":  {"", "net net/http log log/slog"},
	"connector/cloudlog": {"", "net net/http"},
	"connector/nearest":  {"", "*"},
	"connector/cli":      {"connector/nearest", "net net/http log log/slog"},
	"connector/format":   {"connector/change", "net net/http log log/slog"},

	"connector/format/json":    {"connector/change connector/format", "net net/http log log/slog"},
	"connector/format/avro":    {"connector/change connector/format connector/format/json", "net net/http log log/slog"},
	"connector/format/msgpack": {"connector/change connector/format", "net net/http log log/slog"},
	"connector/format/raw":     {"connector/change connector/format connector/xdr", "net net/http log log/slog"},
	"connector/format/formats": {"connector/change connector/format connector/format/avro connector/format/json connector/format/msgpack connector/format/raw", "net net/http log log/slog"},

	"connector/deliver":  {"connector/change", "log log/slog"},
	"connector":          {"connector/change connector/xdr connector/route connector/format connector/format/raw connector/deliver", "go.yaml.in cloud.google.com google.golang.org"},
	"connector/config":   {"connector/nearest connector/change connector/tlsfile connector/route connector/format connector/format/avro connector/format/json connector/format/msgpack connector/format/raw connector/deliver connector/xdr", "cloud.google.com google.golang.org"},
	"function":           {"connector/change connector/nearest connector/cloudlog connector/format connector/format/avro connector/format/formats connector/xdr function/sink function/sink/pubsub function/sink/archive", "cloud.google.com/go/pubsub cloud.google.com/go/storage cloud.google.com/go/auth google.golang.org"},
	"function/sink":      {"connector/change connector/format connector/format/avro connector/format/json connector/xdr", "net/http cloud.google.com"},
	"function/sink/row":  {"connector/change connector/format connector/format/json", "net net/http cloud.google.com"},
	"function/replay":    {"connector/change connector/format connector/format/formats connector/format/json connector/format/msgpack function/sink function/sink/row", ""},
	"":                   {"function", ""},
	"testdata":           {"", ""},
	"terraform/tests":    {"", ""},
	"connector/cmd/*":    {"connector connector/cli connector/cloudlog connector/config connector/deliver connector/route", "cloud.google.com"},
	"function/cmd/sink":  {"connector/change connector/cli function function/replay function/sink", "cloud.google.com"},
	"function/cmd/local": {"*", ""},

	"function/sink/pubsub":   {"connector/change connector/format connector/format/avro connector/format/formats connector/format/json function/sink function/sink/row", "net/http"},
	"function/sink/archive":  {"connector/change connector/format connector/format/avro connector/format/json function/sink function/sink/row", "net/http"},
	"function/cmd/framework": {"connector/cli function", "cloud.google.com"},

	// For tests alone; the local pipeline is a rehearsal.
	"connector/change/changetest":   {"connector/change", ""},
	"connector/cli/clitest":         {"connector/change/changetest connector/cli", ""},
	"connector/xdr/xdrtest":         {"connector/change connector/xdr", ""},
	"function/sink/sinktest":        {"connector/change connector/format function/sink", ""},
	"connector/deliver/delivertest": {"connector/change connector/format connector/format/formats connector/xdr/xdrtest", ""},
}

// forTests are the packages that nothing but tests and the local pipeline imports.
var forTests = []string{"connector/change/changetest", "connector/cli/clitest", "connector/xdr/xdrtest", "connector/deliver/delivertest", "function/sink/sinktest", "testdata"}

func TestImports(t *testing.T) {
	out, err := exec.Command("go", "list", "-json=ImportPath,Imports", module+"/...", module+"/testdata").Output()
	if err != nil {
		t.Fatal(err)
	}
	listed := 0
	for dec := json.NewDecoder(strings.NewReader(string(out))); dec.More(); listed++ {
		var p struct {
			ImportPath string
			Imports    []string
		}
		if err := dec.Decode(&p); err != nil {
			t.Fatal(err)
		}
		check(t, within(p.ImportPath), p.Imports)
	}
	if listed < len(rooms) {
		t.Errorf("%d packages listed, the plan has %d", listed, len(rooms))
	}
}

// within returns a package's path inside the module.
func within(importPath string) string {
	return strings.TrimPrefix(strings.TrimPrefix(importPath, module), "/")
}

func check(t *testing.T, name string, imports []string) {
	room, ok := rooms[name]
	if !ok {
		room, ok = rooms[path.Dir(name)+"/*"]
	}
	if !ok {
		t.Errorf("package %s is not in the plan", name)
		return
	}
	for _, i := range imports {
		if inner := within(i); inner != i {
			if room.may != "*" && !slices.Contains(strings.Fields(room.may), inner) {
				t.Errorf("%s must not import %s", name, inner)
			}
			if room.may != "*" && slices.Contains(forTests, inner) && !slices.Contains(forTests, name) {
				t.Errorf("%s must not import %s, which is for tests", name, inner)
			}
			continue
		}
		for _, unknown := range strings.Fields(room.mustNot) {
			if i == unknown || strings.HasPrefix(i, unknown+"/") || unknown == "*" && strings.Contains(i, ".") {
				t.Errorf("%s must not know %s", name, i)
			}
		}
	}
}
