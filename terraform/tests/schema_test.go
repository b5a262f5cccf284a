package tests

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/hashicorp/hcl/v2/hclsyntax"
)

// feature is an attribute or block of a kind of resource, and the provider's version that
// has had it first.
type feature struct {
	kind, name string // of all kinds if kind is ""
	since      [2]int
}

// features are those that came in version 7 or are called like one. The first that fits
// counts.
var features = []feature{
	{"google_secret_manager_secret_version", "deletion_policy", [2]int{5, 0}},
	{"google_storage_bucket_object", "deletion_policy", [2]int{6, 47}},
	{"", "deletion_policy", [2]int{7, 33}},
	{"google_compute_region_backend_service", "connection_tracking_policy", [2]int{7, 32}},
}

// newFeatures finds what the oldest provider that the module admits does not know.
func newFeatures(m module) (found []string) {
	oldest := oldestProvider(m)
	for _, b := range m.blocks("resource") {
		for _, name := range argumentsOf(b.Body) {
			i := slices.IndexFunc(features, func(f feature) bool { return f.name == name && (f.kind == "" || f.kind == b.Labels[0]) })
			if i >= 0 && slices.Compare(oldest[:], features[i].since[:]) < 0 {
				found = append(found, fmt.Sprintf("%s.%s needs version %d.%d of the provider, and %d.%d is admitted", address(b), name, features[i].since[0], features[i].since[1], oldest[0], oldest[1]))
			}
		}
	}
	return found
}

// argumentsOf returns the names of the attributes and blocks in a body.
func argumentsOf(body *hclsyntax.Body) []string {
	var names []string
	for name := range body.Attributes {
		names = append(names, name)
	}
	for _, b := range body.Blocks {
		if b.Type == "dynamic" {
			names = append(names, b.Labels[0])
			continue
		}
		names = append(names, b.Type)
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// oldestProvider returns the lower bound of the module's constraint, and 0.0 without one.
func oldestProvider(m module) (version [2]int) {
	for _, b := range m.blocks("terraform") {
		a, ok := child(b.Body, "required_providers").Attributes["google"]
		if !ok {
			continue
		}
		bound := regexp.MustCompile(`version *= *"(?:>=|~>) *([0-9]+\.[0-9]+)`).FindStringSubmatch(m.source(a.Expr))
		if bound == nil {
			continue
		}
		if _, err := fmt.Sscanf(bound[1], "%d.%d", &version[0], &version[1]); err != nil {
			return [2]int{}
		}
	}
	return version
}

// schemaBlock is a block of the provider's schema, as terraform providers schema -json
// writes it.
type schemaBlock struct {
	Attributes map[string]struct{ Optional, Required bool }
	Blocks     map[string]struct{ Block schemaBlock } `json:"block_types"`
}

// providerSchema is the schema of a provider.
type providerSchema struct {
	Resources map[string]struct{ Block schemaBlock } `json:"resource_schemas"`
	Data      map[string]struct{ Block schemaBlock } `json:"data_source_schemas"`
}

// readSchema returns the schema of a provider in a file: by itself, or the google provider's
// as Terraform writes that of all.
func readSchema(t *testing.T, path string) providerSchema {
	t.Helper()
	text := []byte(read(t, path))
	if strings.HasSuffix(path, ".gz") {
		r, err := gzip.NewReader(bytes.NewReader(text))
		if err != nil {
			t.Fatal(err)
		}
		if text, err = io.ReadAll(r); err != nil {
			t.Fatal(err)
		}
	}
	var s struct {
		providerSchema
		All map[string]providerSchema `json:"provider_schemas"`
	}
	if err := json.Unmarshal(text, &s); err != nil {
		t.Fatalf("%s: %v", path, err)
	}
	for name, of := range s.All {
		if strings.HasSuffix(name, "/hashicorp/google") {
			return of
		}
	}
	return s.providerSchema
}

// awsSchema is a schema of the resources for AWS; tests/schema writes it.
const awsSchema = "tests/schema/aws.json"

// TestSchema_knowsAllArgumentsOfAWS compares the modules for AWS with the provider's schema.
func TestSchema_knowsAllArgumentsOfAWS(t *testing.T) {
	checkArguments(t, "aws", readSchema(t, awsSchema), 30)
}

// The schema in the clone has the kinds that are used, and no others.
func TestSchema_kindsOfAWS(t *testing.T) {
	schema := readSchema(t, awsSchema)
	used := map[string]bool{}
	for _, dir := range moduleFolders(t) {
		m := readModule(t, dir)
		for _, b := range slices.Concat(m.blocks("resource"), m.blocks("data")) {
			used[b.Labels[0]] = true
		}
	}
	for _, kind := range slices.Concat(slices.Collect(maps.Keys(schema.Resources)), slices.Collect(maps.Keys(schema.Data))) {
		if !used[kind] {
			t.Errorf("%s has %s, which no module uses", awsSchema, kind)
		}
	}
}

// TestSchema_knowsAllArguments compares the modules for Google Cloud with the provider's schema
// in the file that GOOGLE_SCHEMA names, or with the one beside the clone.
func TestSchema_knowsAllArguments(t *testing.T) {
	path := os.Getenv("GOOGLE_SCHEMA")
	if path == "" {
		beside, err := filepath.Glob("../../shared/tools/terraform/google-*.schema.json.gz")
		if err != nil {
			t.Fatal(err)
		}
		if len(beside) == 0 {
			t.Skip("there is no schema of the provider beside the clone; terraform providers schema -json prints one, and GOOGLE_SCHEMA names it")
		}
		path = beside[0]
	}
	checkArguments(t, "google", readSchema(t, path), 60)
}

// checkArguments compares the resources of all modules for a cloud with a schema. There must
// be at least so many.
func checkArguments(t *testing.T, cloud string, schema providerSchema, least int) {
	t.Helper()
	checked := 0
	for _, dir := range moduleFolders(t) {
		m := readModule(t, dir)
		if m.cloud() != cloud {
			continue
		}
		for _, b := range slices.Concat(m.blocks("resource"), m.blocks("data")) {
			if b.Labels[0] == "terraform_data" {
				continue
			}
			kinds := schema.Resources
			if b.Type == "data" {
				kinds = schema.Data
			}
			kind, ok := kinds[b.Labels[0]]
			if !ok {
				t.Errorf("%s: this provider has no %s %s", dir, b.Type, b.Labels[0])
				continue
			}
			checked++
			for _, unknown := range kind.Block.unknown(b.Body) {
				t.Errorf("%s: this provider does not know %s.%s", dir, address(b), unknown)
			}
		}
	}
	if checked < least {
		t.Errorf("%d resources were compared", checked)
	}
}

// metaArguments are known to Terraform itself.
var metaArguments = []string{"count", "for_each", "depends_on", "lifecycle", "provisioner"}

// unknown returns what a body sets that the schema does not have, or only computes.
func (s schemaBlock) unknown(body *hclsyntax.Body) (found []string) {
	for name := range body.Attributes {
		a, ok := s.Attributes[name]
		if !slices.Contains(metaArguments, name) && (!ok || !a.Optional && !a.Required) {
			found = append(found, name)
		}
	}
	for _, b := range body.Blocks {
		name, content := b.Type, b.Body
		if name == "dynamic" {
			name, content = b.Labels[0], child(b.Body, "content")
		}
		if _, ok := s.Attributes[name]; ok || slices.Contains(metaArguments, name) {
			continue // an attribute that can be written as a block
		}
		of, ok := s.Blocks[name]
		if !ok {
			found = append(found, name)
			continue
		}
		for _, inner := range of.Block.unknown(content) {
			found = append(found, name+"."+inner)
		}
	}
	return found
}
