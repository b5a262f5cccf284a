package tests

import (
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/hashicorp/hcl/v2"
	"go.yaml.in/yaml/v4"
)

// cloudBuild is the parsed cloudbuild.yaml.
type cloudBuild struct {
	Substitutions map[string]string
	Steps         []buildStep
	Images        []string
	Timeout       string
	Options       map[string]any
}

type buildStep struct {
	ID      string
	Name    string
	WaitFor []string `yaml:"waitFor"`
	Env     []string
	Script  string
}

func readCloudBuild(t *testing.T) cloudBuild {
	t.Helper()
	decoder := yaml.NewDecoder(strings.NewReader(read(t, filepath.Join(top, "cloudbuild.yaml"))))
	decoder.KnownFields(true)
	var b cloudBuild
	if err := decoder.Decode(&b); err != nil {
		t.Fatal(err)
	}
	return b
}

func TestCloudBuild_stepsAndOptions(t *testing.T) {
	b := readCloudBuild(t)
	var ids []string
	for _, step := range b.Steps {
		if step.ID == "" || slices.Contains(ids, step.ID) {
			t.Errorf("step id %q is empty or not unique", step.ID)
		}
		if len(step.WaitFor) == 0 {
			t.Errorf("%s has no waitFor", step.ID)
		}
		for _, other := range step.WaitFor {
			if other != "-" && !slices.Contains(ids, other) {
				t.Errorf("%s waits for %s, which is not an earlier step", step.ID, other)
			}
		}
		ids = append(ids, step.ID)
	}
	for _, half := range []string{"connector", "function"} {
		if from := "FROM " + b.Steps[0].Name + " AS build\n"; !strings.Contains(read(t, filepath.Join(top, half, "Dockerfile")), from) {
			t.Errorf("%s/Dockerfile does not build with %s, the image that runs the tests", half, b.Steps[0].Name)
		}
	}
	want := map[string]any{
		"machineType": "E2_HIGHCPU_8", "requestedVerifyOption": "VERIFIED", "logging": "CLOUD_LOGGING_ONLY",
		"substitutionOption": "MUST_MATCH", "dynamicSubstitutions": true,
	}
	if diff := cmp.Diff(want, b.Options); diff != "" {
		t.Errorf("options (-want +got)\n%s", diff)
	}
	if b.Timeout == "" {
		t.Error("no timeout; the default is one hour")
	}
}

// Every substitution is defined and used, as MUST_MATCH requires.
func TestCloudBuild_substitutions(t *testing.T) {
	b := readCloudBuild(t)
	used := map[string]bool{}
	var texts []string
	for _, step := range b.Steps {
		texts = append(append(texts, step.Name), step.Env...)
	}
	for _, text := range slices.Concat(texts, b.Images) {
		os.Expand(text, func(name string) string { used[name] = true; return "" })
	}
	delete(used, "PROJECT_ID") // Cloud Build's own
	if diff := cmp.Diff(slices.Sorted(maps.Keys(b.Substitutions)), slices.Sorted(maps.Keys(used))); diff != "" {
		t.Errorf("(-defined +used)\n%s", diff)
	}
}

// The build of a trigger runs these commands. The test replaces docker, gcloud and go by
// scripts that only record their arguments.
func TestCloudBuild_commandsOfTrigger(t *testing.T) {
	const registry = "europe-west1-docker.pkg.dev/shop/aerosink"
	commands, err := runCloudBuild(t, "", map[string]string{"SHORT_SHA": "abc1234"})
	if err != nil {
		t.Fatal(err)
	}
	want := `go vet ./...
go test ./...
docker build --file=connector/Dockerfile --build-arg=VERSION=abc1234 --tag=` + registry + `/connector:abc1234 .
docker build --file=function/Dockerfile --build-arg=VERSION=abc1234 --tag=` + registry + `/sink:abc1234 .
docker push ` + registry + `/connector:abc1234
docker inspect --format={{index .RepoDigests 0}} ` + registry + `/connector:abc1234
docker tag ` + registry + `/connector:abc1234 ` + registry + `/connector:deployed-abc1234
docker push ` + registry + `/connector:deployed-abc1234
docker push ` + registry + `/sink:abc1234
docker inspect --format={{index .RepoDigests 0}} ` + registry + `/sink:abc1234
docker tag ` + registry + `/sink:abc1234 ` + registry + `/sink:deployed-abc1234
docker push ` + registry + `/sink:deployed-abc1234
gcloud run services update aerosink-ingest --project=shop --region=europe-west1 --container=sink --image=` + registry + `/sink@sha256:0
docker tag ` + registry + `/sink:abc1234 ` + registry + `/sink:latest
docker push ` + registry + `/sink:latest
gcloud compute instance-groups managed all-instances-config update aerosink-connector --project=shop --region=europe-west1 --metadata=connector-image=` + registry + `/connector@sha256:0
gcloud compute instance-groups managed list-instances aerosink-connector --project=shop --region=europe-west1 --format=value(instance.basename())
gcloud compute instance-groups managed update-instances aerosink-connector --project=shop --region=europe-west1 --instances=connector-a --minimal-action=restart
gcloud compute instance-groups managed wait-until aerosink-connector --project=shop --region=europe-west1 --stable --timeout=900
gcloud compute instance-groups managed update-instances aerosink-connector --project=shop --region=europe-west1 --instances=connector-b --minimal-action=restart
gcloud compute instance-groups managed wait-until aerosink-connector --project=shop --region=europe-west1 --stable --timeout=900
docker tag ` + registry + `/connector:abc1234 ` + registry + `/connector:latest
docker push ` + registry + `/connector:latest
`
	if diff := cmp.Diff(want, commands); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	for _, image := range expandAll(readCloudBuild(t).Images, map[string]string{"PROJECT_ID": "shop", "_REGION": "europe-west1", "_PREFIX": "aerosink", "_TAG": "abc1234"}) {
		if !strings.Contains(commands, "--tag="+image+" ") {
			t.Errorf("%s is pushed at the end, but never built", image)
		}
	}
}

// A build moves the tag latest of a half only once it has deployed that half, and marks what
// it deploys before it runs, so that the cleanup keeps it. Terraform deploys both halves by
// itself.
func TestCloudBuild_tags(t *testing.T) {
	for _, tt := range []struct {
		deploy, fails string // fails: part of the gcloud command that fails
		want          []string
		gcloud        bool
	}{
		{deploy: "none", want: []string{"connector:v1", "sink:v1"}},
		{deploy: "sink", want: []string{"connector:v1", "sink:v1", "sink:deployed-v1", "sink:latest"}, gcloud: true},
		{deploy: "connector", want: []string{"connector:v1", "connector:deployed-v1", "sink:v1", "connector:latest"}, gcloud: true},
		{deploy: "sink,connector", fails: "services", want: []string{"connector:v1", "connector:deployed-v1", "sink:v1", "sink:deployed-v1"}, gcloud: true},
		{deploy: "connector,sink", fails: "wait-until", want: []string{"connector:v1", "connector:deployed-v1", "sink:v1", "sink:deployed-v1", "sink:latest"}, gcloud: true},
		{deploy: "terraform", want: []string{"connector:v1", "connector:deployed-v1", "sink:v1", "sink:deployed-v1", "sink:latest", "connector:latest"}},
	} {
		commands, err := runCloudBuild(t, tt.fails, map[string]string{"_TAG": "v1", "_CHECK": "false", "_DEPLOY": tt.deploy})
		if (err != nil) != (tt.fails != "") {
			t.Errorf("%s: %v", tt.deploy, err)
		}
		var pushed []string
		for _, m := range regexp.MustCompile(`(?m)^docker push .*/(.*)$`).FindAllStringSubmatch(commands, -1) {
			pushed = append(pushed, m[1])
		}
		if diff := cmp.Diff(tt.want, pushed); diff != "" {
			t.Errorf("%s: pushed (-want +got)\n%s", tt.deploy, diff)
		}
		if got := strings.Contains(commands, "gcloud "); got != tt.gcloud || strings.Contains(commands, "go ") {
			t.Errorf("%s: commands\n%s", tt.deploy, commands)
		}
	}
	for _, image := range readCloudBuild(t).Images {
		if !strings.HasSuffix(image, ":${_TAG}") {
			t.Errorf("each build moves %s, whatever it deploys", image)
		}
	}
}

// The registry keeps every image that a build has marked as deployed, whatever its age.
func TestCloudBuild_keepsDeployedImages(t *testing.T) {
	registry := newPlan(t, variables()).resources["google_artifact_registry_repository"]["images"]
	var prefixes []string
	for _, b := range registry.Blocks {
		if b.Type == "cleanup_policies" && literal(b.Body, "action") == "KEEP" {
			if a := child(b.Body, "condition").Attributes["tag_prefixes"]; a != nil {
				value, _ := a.Expr.Value(nil)
				for _, prefix := range value.AsValueSlice() {
					prefixes = append(prefixes, prefix.AsString())
				}
			}
		}
	}
	if diff := cmp.Diff([]string{"latest", "deployed-"}, prefixes); diff != "" {
		t.Errorf("prefixes of the tags that are kept (-want +got)\n%s", diff)
	}
}

// A build refuses values that it would otherwise take for "deploy nothing", and tags that
// it sets itself.
func TestCloudBuild_refusesValues(t *testing.T) {
	for _, substitutions := range []map[string]string{
		{"_TAG": "v1", "_DEPLOY": "conector"},
		{"_TAG": "v1", "_DEPLOY": ""},
		{"_TAG": "latest", "_DEPLOY": "none"},
		{"_TAG": "deployed-v1", "_DEPLOY": "none"},
		{"_TAG": "", "_DEPLOY": "none"},
	} {
		commands, err := runCloudBuild(t, "", substitutions)
		if err == nil || commands != "" {
			t.Errorf("%v: %v, commands\n%s", substitutions, err, commands)
		}
	}
}

// The rollout step fails if any of its gcloud commands fails.
func TestCloudBuild_rolloutFails(t *testing.T) {
	steps := readCloudBuild(t).Steps
	for _, failing := range []string{"all-instances-config", "list-instances", "update-instances", "wait-until"} {
		tools := fakeTools(t, map[string]string{"gcloud": `[ $4 != ` + failing + ` ] && echo connector-a`})
		rollout := steps[slices.IndexFunc(steps, func(s buildStep) bool { return s.ID == "deploy-connector" })]
		c := exec.CommandContext(t.Context(), rollout.file(t))
		c.Dir = t.TempDir()
		c.Env = append(tools.env, "PROJECT=shop", "REGION=europe-west1", "PREFIX=aerosink", "DEPLOY=connector")
		if out, err := c.CombinedOutput(); err == nil {
			t.Errorf("%s fails, but the step succeeds: %s", failing, out)
		}
	}
}

// Terraform ignores what gcloud writes besides the image when it deploys. Otherwise an apply
// would undo it with a new revision.
func TestService_ignoresDeployMetadata(t *testing.T) {
	service := newPlan(t, variables()).resources["google_cloud_run_v2_service"]["ingest"]
	var ignored []string
	for _, path := range child(service, "lifecycle").Attributes["ignore_changes"].Expr.Variables() {
		last, ok := path[len(path)-1].(hcl.TraverseAttr)
		if !ok {
			ignored = append(ignored, path.RootName())
			continue
		}
		ignored = append(ignored, path.RootName()+"."+last.Name)
	}
	want := []string{"client", "client_version", "template.annotations", "template.labels"}
	if diff := cmp.Diff(want, ignored); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

// runCloudBuild runs the scripts of the steps until one fails, and returns the recorded
// commands. The given substitutions override those of the file. A gcloud command that
// contains the word fails fails.
func runCloudBuild(t *testing.T, fails string, substitutions map[string]string) (commands string, err error) {
	t.Helper()
	b := readCloudBuild(t)
	substitutions["PROJECT_ID"] = "shop"
	for name, value := range b.Substitutions {
		if _, ok := substitutions[name]; !ok {
			substitutions[name] = os.Expand(value, func(of string) string { return substitutions[of] })
		}
	}
	tools := fakeTools(t, map[string]string{
		"go":     "",
		"docker": `case $1 in inspect) for image; do :; done; echo "${image%:*}@sha256:0" ;; esac`,
		"gcloud": `case $4 in list-instances) printf 'connector-a\nconnector-b\n' ;; esac; case " $* " in *" ${FAILS:-no command} "*) exit 1 ;; esac`,
	})
	workspace := t.TempDir()
	for _, step := range b.Steps {
		c := exec.CommandContext(t.Context(), step.file(t))
		c.Dir, c.Env = workspace, append(expandAll(append(step.Env, "FAILS="+fails), substitutions), tools.env...)
		if out, err := c.CombinedOutput(); err != nil {
			return tools.recorded(t), fmt.Errorf("step %s: %w: %s", step.ID, err, out)
		}
	}
	return tools.recorded(t), nil
}

// file writes the step's script to an executable file, and returns its path.
func (s buildStep) file(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), s.ID)
	if err := os.WriteFile(path, []byte(s.Script), 0o700); err != nil {
		t.Fatal(err)
	}
	return path
}

func expandAll(texts []string, values map[string]string) []string {
	var expanded []string
	for _, text := range texts {
		expanded = append(expanded, os.Expand(text, func(name string) string { return values[name] }))
	}
	return expanded
}

// tools are fake commands that a script runs in place of the real ones.
type tools struct {
	env []string
	log string // file in which the commands record their arguments
}

// recorded returns the commands that were run, each on a line.
func (f tools) recorded(t *testing.T) string {
	t.Helper()
	if _, err := os.Stat(f.log); os.IsNotExist(err) {
		return ""
	}
	return read(t, f.log)
}

// fakeTools makes fake commands. Each records its arguments and then runs its text in sh.
func fakeTools(t *testing.T, commands map[string]string) tools {
	t.Helper()
	if _, err := exec.LookPath("sh"); err != nil {
		t.Skip("sh is not installed")
	}
	dir := t.TempDir()
	log := filepath.Join(dir, "log")
	for name, text := range commands {
		text = "#!/bin/sh\necho " + name + ` "$@" >>` + log + "\n" + text + "\n"
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	return tools{env: []string{"PATH=" + dir + ":/usr/bin:/bin"}, log: log}
}
