package tests

import (
	"maps"
	"os"
	"os/exec"
	"path/filepath"
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
	commands := runCloudBuild(t, map[string]string{"PROJECT_ID": "shop", "SHORT_SHA": "abc1234"})
	want := `go vet ./...
go test ./...
docker build --file=connector/Dockerfile --build-arg=VERSION=abc1234 --tag=` + registry + `/connector:abc1234 --tag=` + registry + `/connector:latest .
docker build --file=function/Dockerfile --build-arg=VERSION=abc1234 --tag=` + registry + `/sink:abc1234 --tag=` + registry + `/sink:latest .
docker push ` + registry + `/connector:abc1234
docker inspect --format={{index .RepoDigests 0}} ` + registry + `/connector:abc1234
docker push ` + registry + `/sink:abc1234
docker inspect --format={{index .RepoDigests 0}} ` + registry + `/sink:abc1234
gcloud run services update aerosink-ingest --project=shop --region=europe-west1 --container=sink --image=` + registry + `/sink@sha256:0
gcloud compute instance-groups managed all-instances-config update aerosink-connector --project=shop --region=europe-west1 --metadata=connector-image=` + registry + `/connector@sha256:0
gcloud compute instance-groups managed list-instances aerosink-connector --project=shop --region=europe-west1 --format=value(instance.basename())
gcloud compute instance-groups managed update-instances aerosink-connector --project=shop --region=europe-west1 --instances=connector-a --minimal-action=restart
gcloud compute instance-groups managed wait-until aerosink-connector --project=shop --region=europe-west1 --stable --timeout=900
gcloud compute instance-groups managed update-instances aerosink-connector --project=shop --region=europe-west1 --instances=connector-b --minimal-action=restart
gcloud compute instance-groups managed wait-until aerosink-connector --project=shop --region=europe-west1 --stable --timeout=900
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

// A build that Terraform starts only builds and pushes images.
func TestCloudBuild_onlyImagesForTerraform(t *testing.T) {
	commands := runCloudBuild(t, map[string]string{"PROJECT_ID": "shop", "_TAG": "clone-1", "_CHECK": "false", "_DEPLOY": "none"})
	if strings.Contains(commands, "go ") || strings.Contains(commands, "gcloud") || strings.Count(commands, "docker push") != 2 {
		t.Errorf("commands\n%s", commands)
	}
}

// The rollout step fails if any of its gcloud commands fails.
func TestCloudBuild_rolloutFails(t *testing.T) {
	steps := readCloudBuild(t).Steps
	for _, failing := range []string{"all-instances-config", "list-instances", "update-instances", "wait-until"} {
		tools := fakeTools(t, map[string]string{"gcloud": `[ $4 != ` + failing + ` ] && echo connector-a`})
		c := exec.CommandContext(t.Context(), steps[len(steps)-1].file(t))
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

// runCloudBuild runs the scripts of all steps, and returns the recorded commands. The given
// substitutions override those of the file.
func runCloudBuild(t *testing.T, substitutions map[string]string) string {
	t.Helper()
	b := readCloudBuild(t)
	for name, value := range b.Substitutions {
		if _, ok := substitutions[name]; !ok {
			substitutions[name] = os.Expand(value, func(of string) string { return substitutions[of] })
		}
	}
	tools := fakeTools(t, map[string]string{
		"go":     "",
		"docker": `case $1 in inspect) for image; do :; done; echo "${image%:*}@sha256:0" ;; esac`,
		"gcloud": `case $4 in list-instances) printf 'connector-a\nconnector-b\n' ;; esac`,
	})
	workspace := t.TempDir()
	for _, step := range b.Steps {
		runIn(t, workspace, append(expandAll(step.Env, substitutions), tools.env...), step.file(t))
	}
	return read(t, tools.log)
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
