package tests

import (
	"slices"
	"strings"
	"testing"

	"github.com/hashicorp/hcl/v2/hclsyntax"
)

const (
	googleMocks = "tests/mocks/google.tfmock.hcl"
	awsMocks    = "aws/tests/mocks/aws.tfmock.hcl"
)

// mocked is what the mocks say: the attributes of each kind, and of single resources. A
// resource of its own has nothing of its kind's.
type mocked struct {
	kinds, resources map[string][]string
}

func readMocks(t *testing.T, mocks string) mocked {
	t.Helper()
	var m module
	m.add(t, mocks, []byte(read(t, mocks)))
	says := mocked{map[string][]string{}, map[string][]string{}}
	for _, b := range m.files[0].body.Blocks {
		switch b.Type {
		case "mock_resource":
			says.kinds[b.Labels[0]] = keysOf(t, b.Body.Attributes["defaults"])
		case "mock_data":
			says.kinds["data."+b.Labels[0]] = keysOf(t, b.Body.Attributes["defaults"])
		case "override_resource":
			says.resources[referent(b.Body.Attributes["target"].Expr.Variables()[0])] = keysOf(t, b.Body.Attributes["values"])
		default:
			t.Fatalf("%s: %s", mocks, b.Type)
		}
	}
	return says
}

// keysOf returns the keys of an object.
func keysOf(t *testing.T, a *hclsyntax.Attribute) []string {
	t.Helper()
	value, faults := a.Expr.Value(nil)
	if faults.HasErrors() {
		t.Fatal(faults)
	}
	var keys []string
	for key := range value.AsValueMap() {
		keys = append(keys, key)
	}
	return keys
}

// TestMocks_computedAttributes holds that whatever the provider computes and our files use has a
// value of the right form in the mocks. A made-up one passes with the schema alone, but
// the provider itself refuses an account, for example, that is not an address.
func TestMocks_computedAttributes(t *testing.T) {
	checkMocks(t, ".", googleMocks, 40)
	checkMocks(t, "aws", awsMocks, 20)
}

// checkMocks does so for a module in which at least so many of these attributes are used.
func checkMocks(t *testing.T, dir, mocks string, least int) {
	t.Helper()
	m, says, used := readModule(t, dir), readMocks(t, mocks), 0
	bodies := map[string]*hclsyntax.Body{}
	for _, b := range slices.Concat(m.blocks("resource"), m.blocks("data")) {
		bodies[address(b)] = b.Body
	}
	for _, f := range m.files {
		if isTest(f.name) {
			continue
		}
		for _, u := range uses(f.body) {
			body := bodies[u.of]
			if body == nil || u.attribute == "" || body.Attributes[u.attribute] != nil || isUnchecked(u.of) {
				continue
			}
			used++
			of, ok := says.resources[u.of]
			if !ok {
				of = says.kinds[u.of[:strings.LastIndex(u.of, ".")]]
			}
			if !slices.Contains(of, u.attribute) {
				t.Errorf("%s: %s.%s has no value in %s", f.name, u.of, u.attribute, mocks)
			}
		}
	}
	if used < least {
		t.Errorf("%s: %d computed attributes are used", dir, used)
	}
}

// isUnchecked reports whether nothing depends on the form of what a resource computes: of
// grants only whether they have changed is looked at, and terraform_data is Terraform's.
func isUnchecked(address string) bool {
	return strings.HasPrefix(address, "terraform_data.") || strings.Contains(address, "_iam_member.")
}
