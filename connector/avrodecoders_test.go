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

// hamba is the Avro library whose decoders must not see data from outside: five bytes make
// them allocate all memory, which recover cannot catch (GO-2026-5046 to 5048). Its schemas
// and its encoders are safe.
const hamba = "github.com/hamba/avro/v2"

// Only tests can call a decoder of that library, directly or indirectly. The call graph has
// an edge for each method that a call through an interface may reach.
func TestAvroDecoders_unreachable(t *testing.T) {
	loaded, err := packages.Load(&packages.Config{Mode: packages.LoadAllSyntax}, importers(t)...)
	if err != nil {
		t.Fatal(err)
	}
	program, ours := ssautil.AllPackages(loaded, 0)
	program.Build()
	graph := cha.CallGraph(program)
	library := program.ImportedPackage(hamba)
	if library == nil {
		t.Fatalf("no package imports %s; remove this test", hamba)
	}
	if path := callPath(graph, func(f *ssa.Function) bool { return f == library.Func("Unmarshal") }); path == nil {
		t.Fatal("no decoder can be reached from avro.Unmarshal; decodes looks for the wrong functions")
	}
	for _, pkg := range ours {
		if path := callPath(graph, func(f *ssa.Function) bool { return f.Pkg == pkg }); path != nil {
			t.Errorf("a decoder can be reached: %s", strings.Join(path, " → "))
		}
	}
}

// importers returns the packages that import the library. They must all be in this module.
// Other packages can call the library only through them.
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
			t.Errorf("%s imports %s and is not in this module", path, hamba)
		}
		paths = append(paths, path)
	}
	return paths
}

// callPath returns the calls that lead from a function for which isStart returns true to a
// decoder, or nil if there are none.
func callPath(graph *callgraph.Graph, isStart func(*ssa.Function) bool) []string {
	caller := map[*callgraph.Node]*callgraph.Node{}
	var queue []*callgraph.Node
	for f, node := range graph.Nodes {
		if f != nil && isStart(f) {
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

// decodes reports whether f is one of the library's functions that read data. All of them
// take its Reader.
func decodes(f *ssa.Function) bool {
	for _, parameter := range f.Params { // the receiver too
		if parameter.Type().String() == "*"+hamba+".Reader" {
			return true
		}
	}
	return false
}
