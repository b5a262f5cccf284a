package connector_test

import (
	"os/exec"
	"strings"
	"testing"

	"golang.org/x/tools/go/callgraph"
	"golang.org/x/tools/go/callgraph/cha"
	"golang.org/x/tools/go/packages"
	"golang.org/x/tools/go/ssa"
	"golang.org/x/tools/go/ssa/ssautil"
)

// hamba is the library whose decoders a request must never reach: five bytes make
// them take all memory there is, which no recover can catch (GO-2026-5046 to 5048).
// Its schemas and its encoders are harmless.
const hamba = "github.com/hamba/avro/v2"

// Nothing in the module but its tests can call a decoder of that library, whichever
// way: the graph has an edge for each method that an interface's call may mean.
func TestNothingReachesTheDecodersOfAvro(t *testing.T) {
	loaded, err := packages.Load(&packages.Config{Mode: packages.LoadAllSyntax}, importers(t)...)
	if err != nil {
		t.Fatal(err)
	}
	program, ours := ssautil.AllPackages(loaded, 0)
	program.Build()
	graph := cha.CallGraph(program)
	library := program.ImportedPackage(hamba)
	if library == nil {
		t.Fatal("the library is not in the program; is it gone from the module?")
	}
	if path := way(graph, func(f *ssa.Function) bool { return f == library.Func("Unmarshal") }); path == nil {
		t.Fatal("Unmarshal itself decodes nothing: this test looks for the wrong functions")
	}
	for _, room := range ours {
		if path := way(graph, func(f *ssa.Function) bool { return f.Pkg == room }); path != nil {
			t.Errorf("a decoder can be reached: %s", strings.Join(path, " → "))
		}
	}
}

// importers returns the packages that import the library. All are of the module: who
// does not import it cannot call it but through them.
func importers(t *testing.T) (paths []string) {
	out, err := exec.Command("go", "list", "-deps", "-f", `{{.ImportPath}} {{join .Imports " "}}`, module+"/...").Output()
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(out)) {
		path, imports, _ := strings.Cut(line, " ")
		if strings.HasPrefix(path, hamba) || !strings.Contains(imports, hamba) {
			continue
		}
		if !strings.HasPrefix(path, module+"/") {
			t.Errorf("%s imports %s, and is not ours to hold to anything", path, hamba)
		}
		paths = append(paths, path)
	}
	return paths
}

// way returns the calls from a function that begins to a decoder, nil when there are
// none.
func way(graph *callgraph.Graph, begins func(*ssa.Function) bool) []string {
	caller := map[*callgraph.Node]*callgraph.Node{}
	var queue []*callgraph.Node
	for f, node := range graph.Nodes {
		if f != nil && begins(f) {
			caller[node] = nil
			queue = append(queue, node)
		}
	}
	for ; len(queue) > 0; queue = queue[1:] {
		if decodes(queue[0].Func) {
			var path []string
			for node := queue[0]; node != nil; node = caller[node] {
				path = append([]string{node.Func.String()}, path...)
			}
			return path
		}
		for _, call := range queue[0].Out {
			if _, known := caller[call.Callee]; !known {
				caller[call.Callee] = queue[0]
				queue = append(queue, call.Callee)
			}
		}
	}
	return nil
}

// decodes reports whether f is one of the library's functions that read data: all
// have them from its Reader.
func decodes(f *ssa.Function) bool {
	for _, parameter := range f.Params { // the receiver too
		if parameter.Type().String() == "*"+hamba+".Reader" {
			return true
		}
	}
	return false
}
