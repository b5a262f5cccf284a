package tests

import (
	"fmt"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/hashicorp/hcl/v2/hclsyntax"
)

// The README mentions every variable and the number of alarms. The commands of all pages use
// outputs that exist.
func TestAWSReadme_names(t *testing.T) {
	m, readme := readModule(t, "aws"), read(t, "aws/README.md")
	for _, b := range m.blocks("variable") {
		if !strings.Contains(readme, "`"+b.Labels[0]+"`") {
			t.Errorf("the README does not mention the variable %s", b.Labels[0])
		}
	}
	if want := fmt.Sprintf("There are %d alarms by default.", len(awsAlarms(t, awsVariables()))); !strings.Contains(readme, want) {
		t.Errorf("the README does not say %q", want)
	}
	pages, err := filepath.Glob("aws/runbooks/*.md")
	if err != nil {
		t.Fatal(err)
	}
	used := 0
	for _, page := range append(pages, "aws/README.md", "aws/BY-HAND.md") {
		for _, o := range regexp.MustCompile(`terraform/aws output -raw ([a-z_]+)`).FindAllStringSubmatch(read(t, page), -1) {
			used++
			if !slices.ContainsFunc(m.blocks("output"), func(b *hclsyntax.Block) bool { return b.Labels[0] == o[1] }) {
				t.Errorf("%s uses the output %s, which does not exist", page, o[1])
			}
		}
	}
	if used < 10 {
		t.Errorf("found %d outputs in commands", used)
	}
}

// The package is built by one command, wherever it is written.
func TestAWSPackage_oneCommand(t *testing.T) {
	build := regexp.MustCompile(`(?m)^GOOS=linux GOARCH=arm64 .*$`)
	want := build.FindString(read(t, "aws/README.md"))
	for _, part := range []string{"CGO_ENABLED=0", "-tags lambda.norpc", "-o bootstrap ./function/cmd/lambda", "zip aerosink-lambda.zip bootstrap"} {
		if !strings.Contains(want, part) {
			t.Errorf("the command %q lacks %s", want, part)
		}
	}
	if got := build.FindString(read(t, "aws/BY-HAND.md")); got != want {
		t.Errorf("BY-HAND.md has %q, and README.md %q", got, want)
	}
}

// What BY-HAND.md creates is what Terraform does, where both say it.
func TestAWSByHand_asTerraform(t *testing.T) {
	text := strings.ReplaceAll(read(t, "aws/BY-HAND.md"), "\\\n", "")
	p := newAWSPlan(t, awsVariables("stream", "{}"))
	for _, s := range p.statements(t, "function_statements") {
		for _, action := range s.Action {
			if !strings.Contains(text, `"`+action+`"`) {
				t.Errorf("the role by hand may not %s", action)
			}
		}
	}
	for name, value := range p.local("environment").AsValueMap() {
		if name != "LOG_LEVEL" && !strings.Contains(text, `"`+name+`": "`) {
			t.Errorf("the function by hand has no %s, which is %s", name, value.AsString())
		}
	}
	for _, b := range readModule(t, "aws").blocks("resource", "aws_apigatewayv2_route") {
		for _, route := range regexp.MustCompile(`"(GET|POST) [^"]+"`).FindAllString(oneLine(readModule(t, "aws").text(b)), -1) {
			if !strings.Contains(text, "'"+strings.Trim(route, `"`)+"'") {
				t.Errorf("the API by hand has no route %s", route)
			}
		}
	}
	settings := regexp.MustCompile(`--(memory-size|timeout|retention-in-days|reserved-concurrent-executions) (\d+)`).FindAllStringSubmatch(text, -1)
	function := p.variable("function").AsValueMap()
	for _, s := range settings {
		name := map[string]string{"memory-size": "memory", "timeout": "timeout", "retention-in-days": "log_days", "reserved-concurrent-executions": "concurrency"}[s[1]]
		if want := function[name].AsBigFloat().String(); s[2] != want {
			t.Errorf("--%s %s, and Terraform has %s", s[1], s[2], want)
		}
	}
	if len(settings) != 4 {
		t.Errorf("found %d settings, want 4", len(settings))
	}
}
