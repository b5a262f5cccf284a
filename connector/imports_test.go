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

// importRules says what each package of the module may and must not import. Data flows
// through them in one direction: xdr, route and format before deliver, intake and format
// before store and sink. A package that is not listed fails the test.
var importRules = map[string]struct {
	may     string // packages of this module
	mustNot string // packages outside this module, or folders of them; "*" is all but the standard library
}{
	".":                              {"function function/google", ""},
	"connector":                      {"connector/change connector/deadletter connector/deliver connector/format connector/format/raw connector/route connector/xdr", "go.yaml.in cloud.google.com google.golang.org"},
	"connector/change":               {"", "*"},
	"connector/change/changetest":    {"connector/change", ""},
	"connector/cli":                  {"connector/nearest connector/plural", "net net/http log log/slog"},
	"connector/cli/clitest":          {"connector/change/changetest connector/cli", ""},
	"connector/cloudlog":             {"", "net net/http"},
	"connector/cmd/*":                {"connector connector/change connector/cli connector/cloudlog connector/config connector/config/strict connector/deadletter connector/deliver connector/deliver/post connector/format connector/format/json connector/plural connector/route connector/tlsfile connector/xdr", "cloud.google.com"},
	"connector/config":               {"connector/change connector/config/strict connector/deliver connector/deliver/auth connector/deliver/post connector/format connector/format/avro connector/format/json connector/format/msgpack connector/format/raw connector/nearest connector/route connector/tlsfile connector/xdr", "cloud.google.com google.golang.org"},
	"connector/config/strict":        {"connector/nearest", "net net/http log log/slog cloud.google.com"},
	"connector/credentials":          {"", "net net/http log log/slog"},
	"connector/deadletter":           {"connector/change", "net net/http log log/slog"},
	"connector/deliver":              {"connector/change connector/deliver/auth connector/deliver/post connector/report", "log log/slog"},
	"connector/deliver/auth":         {"connector/credentials", "log log/slog net/http"},
	"connector/deliver/delivertest":  {"connector/change connector/format connector/format/formats connector/report connector/xdr/xdrtest", ""},
	"connector/deliver/post":         {"connector/deliver/auth connector/report", "log log/slog"},
	"connector/devnode":              {"connector/change connector/xdr connector/xdr/xdrtest", "cloud.google.com net/http log log/slog"},
	"connector/devnode/devnodetest":  {"connector/devnode", ""},
	"connector/format":               {"connector/change connector/plural connector/xdr", "net net/http log log/slog"},
	"connector/format/avro":          {"connector/change connector/format connector/format/json connector/plural", "net net/http log log/slog"},
	"connector/format/formats":       {"connector/change connector/format connector/format/avro connector/format/json connector/format/msgpack connector/format/raw", "net net/http log log/slog"},
	"connector/format/json":          {"connector/change connector/format", "net net/http log log/slog"},
	"connector/format/msgpack":       {"connector/change connector/format connector/plural", "net net/http log log/slog"},
	"connector/format/raw":           {"connector/change connector/format connector/xdr", "net net/http log log/slog"},
	"connector/nearest":              {"", "*"},
	"connector/plural":               {"", "*"},
	"connector/report":               {"", "*"},
	"connector/route":                {"connector/change connector/plural", "net/http"},
	"connector/tlsfile":              {"", "net net/http log log/slog"},
	"connector/xdr":                  {"connector/change connector/plural", "net net/http log log/slog go.yaml.in"},
	"connector/xdr/xdrtest":          {"connector/change connector/xdr", ""},
	"function":                       {"connector/change connector/cloudlog connector/deadletter connector/format connector/format/formats connector/plural connector/report function/intake function/problem function/settings function/sink function/store", "cloud.google.com/go/pubsub cloud.google.com/go/storage cloud.google.com/go/auth google.golang.org"},
	"function/audit":                 {"connector/change connector/format/formats connector/plural connector/xdr function/replay/checkpointfile function/replay/newest function/replay/objects function/replay/retry function/replay/status function/sink/aerospike", "net/http cloud.google.com google.golang.org"},
	"function/aws":                   {"function/sink function/sink/aerospike function/sink/archive/s3 function/sink/awsconfig function/sink/kinesis function/sink/sqs", "net/http cloud.google.com google.golang.org"},
	"function/cmd/framework":         {". connector/cli function/google function/settings function/sink", "cloud.google.com/go/pubsub cloud.google.com/go/storage"},
	"function/cmd/lambda":            {"connector/cli connector/cloudlog function function/aws function/commands function/lambda function/lambda/emf function/lambda/local function/replay/objects function/replay/objects/s3 function/settings", "cloud.google.com google.golang.org"},
	"function/cmd/local":             {"*", ""},
	"function/cmd/sink":              {"connector/cli function function/commands function/google function/replay/objects function/replay/objects/gcs function/settings function/sink", "cloud.google.com"},
	"function/commands":              {"connector/change connector/cli connector/plural connector/xdr function/audit function/replay function/replay/objects function/settings function/sink function/sink/aerospike", "net/http cloud.google.com google.golang.org github.com/aws"},
	"function/fence":                 {"connector/change function/sink", "net/http cloud.google.com"},
	"function/google":                {"connector/credentials function/sink function/sink/aerospike function/sink/archive/gcs function/sink/pubsub", "net/http"},
	"function/intake":                {"connector/plural function/problem", "cloud.google.com"},
	"function/lambda":                {"function/problem", "cloud.google.com google.golang.org github.com/aws"},
	"function/lambda/emf":            {"", "net/http log log/slog cloud.google.com google.golang.org github.com/aws"},
	"function/lambda/gateway":        {"", "*"},
	"function/lambda/local":          {"*", "cloud.google.com google.golang.org"},
	"function/pipeline":              {"connector connector/change connector/cli connector/deliver connector/deliver/post connector/devnode connector/format connector/format/formats connector/format/json connector/route connector/xdr connector/xdr/xdrtest testdata", "cloud.google.com google.golang.org github.com/aws"},
	"function/problem":               {"connector/report", "cloud.google.com"},
	"function/replay":                {"connector/change connector/credentials connector/deadletter connector/format connector/format/formats connector/format/json connector/format/msgpack connector/plural connector/report function/replay/checkpointfile function/replay/newest function/replay/objects function/replay/retry function/replay/status function/sink function/sink/row", ""},
	"function/replay/checkpointfile": {"", "*"},
	"function/replay/newest":         {"connector/change connector/format/formats function/replay/objects function/replay/retry function/replay/spill", "net net/http log log/slog cloud.google.com"},
	"function/replay/objects":        {"connector/change connector/deadletter connector/format connector/format/formats connector/format/json connector/format/msgpack function/sink/row", "log log/slog net/http cloud.google.com google.golang.org"},
	"function/replay/objects/gcs":    {"connector/change connector/credentials function/replay/objects", "log log/slog net/http"},
	"function/replay/objects/s3":     {"connector/change function/replay/objects function/sink/archive/s3 function/sink/awsconfig", "log log/slog net/http cloud.google.com google.golang.org"},
	"function/replay/retry":          {"connector/change", "log log/slog net net/http"},
	"function/replay/spill":          {"", "*"},
	"function/replay/status":         {"", "*"},
	"function/settings":              {"connector/format connector/format/avro connector/format/formats connector/nearest connector/plural function/fence function/intake function/sink", "cloud.google.com net/http"},
	"function/sink":                  {"connector/change connector/deadletter connector/format connector/format/avro connector/format/json connector/nearest connector/xdr", "net/http cloud.google.com"},
	"function/sink/aerospike":        {"connector/change connector/format connector/tlsfile connector/xdr function/sink", "net/http cloud.google.com google.golang.org"},
	"function/sink/archive":          {"connector/change connector/format connector/format/avro connector/format/json function/sink function/sink/row", "net/http cloud.google.com google.golang.org"},
	"function/sink/archive/gcs":      {"function/sink function/sink/archive", ""},
	"function/sink/archive/s3":       {"connector/change function/sink function/sink/archive function/sink/awsconfig", "log log/slog cloud.google.com google.golang.org"},
	"function/sink/awsconfig":        {"", "cloud.google.com google.golang.org"},
	"function/sink/awstest":          {"function/sink/awstest/fake", "cloud.google.com google.golang.org"},
	"function/sink/awstest/fake":     {"", "*"},
	"function/sink/failures":         {"connector/change connector/format", "net net/http log log/slog cloud.google.com"},
	"function/sink/kinesis":          {"connector/change connector/format connector/plural function/sink function/sink/awsconfig function/sink/failures function/sink/ordered function/sink/payload", "cloud.google.com google.golang.org"},
	"function/sink/ordered":          {"connector/change function/sink function/sink/failures", "net net/http log log/slog cloud.google.com"},
	"function/sink/payload":          {"connector/change connector/format connector/format/avro connector/format/formats connector/format/json function/sink function/sink/row", "net net/http log log/slog cloud.google.com"},
	"function/sink/pubsub":           {"connector/change connector/format connector/plural function/sink function/sink/failures function/sink/payload function/sink/row", "net/http"},
	"function/sink/row":              {"connector/change connector/format connector/format/json connector/plural", "net net/http cloud.google.com"},
	"function/sink/sinktest":         {"connector/change connector/format function/sink", ""},
	"function/sink/sinktest/*":       {"connector/change connector/change/changetest connector/format function/sink function/sink/awstest function/sink/awstest/fake", "cloud.google.com google.golang.org"},
	"function/sink/sqs":              {"connector/change connector/format function/sink function/sink/awsconfig function/sink/failures function/sink/ordered function/sink/payload", "cloud.google.com google.golang.org"},
	"function/store":                 {"connector/change connector/format connector/format/formats connector/report function/fence function/sink", "net/http cloud.google.com"},
	"terraform/tests":                {"", ""},
	"terraform/tests/schema":         {"", "*"},
	"testdata":                       {"", ""},
}

// forTests lists the packages that only tests, each other, and the programs that run a pipeline
// on one machine (function/cmd/local, function/lambda/local) may import.
var forTests = []string{"connector/change/changetest", "connector/cli/clitest", "connector/deliver/delivertest", "connector/devnode", "connector/devnode/devnodetest", "connector/xdr/xdrtest", "function/pipeline", "function/sink/awstest", "function/sink/sinktest", "function/sink/sinktest/contract", "testdata"}

// testModules are modules that only tests may import, as readers and writers that are not
// ours, and why. No binary links them, not even through another module.
var testModules = map[string]string{
	"github.com/hamba/avro":           "it is archived, and has vulnerabilities that stay (GO-2026-5046, -5047, -5048)",
	"github.com/linkedin/goavro":      "schemas are parsed by twmb/avro, and data are read by connector/format/avro",
	"github.com/fraugster/parquet-go": "Parquet is written by parquet-go/parquet-go",
	"github.com/vmihailenco/msgpack":  "MessagePack is read by connector/format/msgpack",

	"github.com/johannesboyne/gofakes3": "it is a fake of S3, to compare ours with",

	"github.com/aerospike/aerospike-client-go/v8": "programs use v7, and no client is needed twice",
}

// testModule returns the module of testModules that a package is in, "" for any other.
func testModule(importPath string) string {
	for module := range testModules {
		if strings.HasPrefix(importPath+"/", module+"/") {
			return module
		}
	}
	return ""
}

func TestImports_testModules(t *testing.T) {
	for line := range strings.Lines(list(t, "-deps", "-f", `{{.ImportPath}} {{join .Imports " "}}`)) {
		importer, imports, _ := strings.Cut(line, " ")
		for _, i := range strings.Fields(imports) {
			if m := testModule(i); m != "" && testModule(importer) != m {
				t.Errorf("%s imports %s, which is for tests: %s", importer, i, testModules[m])
			}
		}
	}
	tests := list(t, "-f", `{{join .TestImports "\n"}}{{"\n"}}{{join .XTestImports "\n"}}`)
	for m := range testModules {
		if !strings.Contains(tests, m) {
			t.Errorf("no test imports %s; remove it from this table and from go.mod", m)
		}
	}
}

// No program of one cloud links the clients of the other.
func TestImports_clouds(t *testing.T) {
	for _, tt := range []struct{ programs, mustNot string }{
		{". ./function/cmd/framework ./function/cmd/sink", "github.com/aws/"},
		{"./function/cmd/lambda", "cloud.google.com/go/pubsub cloud.google.com/go/storage github.com/GoogleCloudPlatform/"},
	} {
		c := exec.Command("go", append([]string{"list", "-deps"}, strings.Fields(tt.programs)...)...)
		c.Dir = ".."
		out, err := c.Output()
		if err != nil {
			t.Fatal(err)
		}
		for linked := range strings.Lines(string(out)) {
			for _, banned := range strings.Fields(tt.mustNot) {
				if strings.HasPrefix(linked, banned) {
					t.Errorf("%s: links %s", tt.programs, strings.TrimSpace(linked))
				}
			}
		}
	}
}

// What plays AWS on one machine is not in the program that Lambda runs.
func TestImports_lambdaWithoutLocal(t *testing.T) {
	out, err := exec.Command("go", "list", "-deps", "-tags", "lambda.norpc", module+"/function/cmd/lambda").Output()
	if err != nil {
		t.Fatal(err)
	}
	deps := strings.Fields(string(out))
	for _, name := range append([]string{"function/lambda/gateway", "function/lambda/local", "function/sink/awstest/fake"}, forTests...) {
		if slices.Contains(deps, module+"/"+name) {
			t.Errorf("function/cmd/lambda links %s with the tag lambda.norpc", name)
		}
	}
	if !slices.Contains(deps, module+"/function/lambda") {
		t.Error("function/cmd/lambda does not link function/lambda")
	}
}

// list returns what go list prints about the packages of the module.
func list(t *testing.T, args ...string) string {
	t.Helper()
	out, err := exec.Command("go", append(append([]string{"list"}, args...), module+"/...", module+"/testdata")...).Output()
	if err != nil {
		t.Fatal(err)
	}
	return string(out)
}

func TestImports(t *testing.T) {
	listed := 0
	for dec := json.NewDecoder(strings.NewReader(list(t, "-json=ImportPath,Imports"))); dec.More(); listed++ {
		var p struct {
			ImportPath string
			Imports    []string
		}
		if err := dec.Decode(&p); err != nil {
			t.Fatal(err)
		}
		checkImports(t, within(p.ImportPath), p.Imports)
	}
	if listed < len(importRules) {
		t.Errorf("%d packages listed, %d are in the table", listed, len(importRules))
	}
}

// within returns a package's path inside the module, "." for its root package.
func within(importPath string) string {
	if importPath == module {
		return "."
	}
	return strings.TrimPrefix(importPath, module+"/")
}

// checkImports reports the imports of the package name that its rule does not allow.
func checkImports(t *testing.T, name string, imports []string) {
	rule, ok := importRules[name]
	if !ok {
		rule, ok = importRules[path.Dir(name)+"/*"]
	}
	if !ok {
		t.Errorf("package %s is not in the table of packages; say what it may import", name)
		return
	}
	for _, i := range imports {
		if inner := within(i); inner != i {
			if rule.may != "*" && !slices.Contains(strings.Fields(rule.may), inner) {
				t.Errorf("%s must not import %s", name, inner)
			}
			if rule.may != "*" && slices.Contains(forTests, inner) && !slices.Contains(forTests, name) {
				t.Errorf("%s must not import %s, which is for tests", name, inner)
			}
			continue
		}
		for _, banned := range strings.Fields(rule.mustNot) {
			if i == banned || strings.HasPrefix(i, banned+"/") || banned == "*" && strings.Contains(i, ".") {
				t.Errorf("%s must not import %s", name, i)
			}
		}
	}
}
