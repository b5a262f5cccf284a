package tests

import (
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.yaml.in/yaml/v4"
)

// workflow is what the tests need of a workflow of GitHub Actions.
type workflow struct {
	Permissions map[string]string
	Jobs        map[string]struct {
		Permissions map[string]string
		Steps       []struct {
			Uses string
			With map[string]any
			Env  map[string]string
			Run  string
		}
	}
}

func readWorkflow(t *testing.T) workflow {
	t.Helper()
	var w workflow
	if err := yaml.Unmarshal([]byte(read(t, "examples/github-actions/deploy.yml")), &w); err != nil {
		t.Fatal(err)
	}
	return w
}

// The workflow may read the repository and ask for an identity. Its actions are pinned by
// commit, with the version for readers.
func TestWorkflow_permissionsAndPins(t *testing.T) {
	w := readWorkflow(t)
	if w.Permissions == nil || len(w.Permissions) > 0 {
		t.Errorf("permissions of the workflow are %v, want {}", w.Permissions)
	}
	if diff := cmp.Diff(map[string]string{"contents": "read", "id-token": "write"}, w.Jobs["deploy"].Permissions); diff != "" {
		t.Errorf("permissions of the job (-want +got)\n%s", diff)
	}
	uses := regexp.MustCompile(`(?m)^ +- uses: (.*)$`).FindAllStringSubmatch(read(t, "examples/github-actions/deploy.yml"), -1)
	for _, m := range uses {
		if !regexp.MustCompile(`^[\w-]+/[\w-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+$`).MatchString(m[1]) {
			t.Errorf("%s is not pinned by commit, or has no version", m[1])
		}
	}
	if len(uses) != 3 {
		t.Errorf("found %d actions, want 3", len(uses))
	}
}

// The workflow uses exactly the variables that the example's output sets.
func TestWorkflow_variables(t *testing.T) {
	names := func(expression, text string) (found []string) {
		for _, m := range regexp.MustCompile(expression).FindAllStringSubmatch(text, -1) {
			found = append(found, m[1])
		}
		slices.Sort(found)
		return slices.Compact(found)
	}
	used := names(`\$\{\{ vars\.(\w+) \}\}`, read(t, "examples/github-actions/deploy.yml"))
	set := names(`(?m)^    (AEROSINK_\w+)=`, read(t, "examples/github-actions/main.tf"))
	if diff := cmp.Diff(set, used); diff != "" || len(set) == 0 {
		t.Errorf("(-set +used)\n%s", diff)
	}
}

// The workflow submits the build as PRODUCTION.md does it by hand.
func TestWorkflow_submitsBuild(t *testing.T) {
	var env []string
	script := ""
	for _, step := range readWorkflow(t).Jobs["deploy"].Steps {
		if step.Run == "" {
			continue
		}
		script = step.Run
		for name := range step.Env {
			value := map[string]string{
				"PROJECT": "shop", "REGION": "europe-west1", "REPOSITORY": "aerosink", "BUILD_BUCKET": "shop-aerosink-build",
				"BUILD_ACCOUNT": "projects/shop/serviceAccounts/aerosink-build@shop.iam.gserviceaccount.com",
			}[name]
			if value == "" {
				t.Errorf("unknown variable %s", name)
			}
			env = append(env, name+"="+value)
		}
	}
	tools := fakeTools(t, map[string]string{"gcloud": ""})
	c := exec.CommandContext(t.Context(), "bash", "-e", "-c", script)
	c.Env = append(append(os.Environ(), tools.env...), append(env, "GITHUB_SHA=abc1234def5678")...)
	if out, err := c.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	want := "gcloud builds submit --project=shop --region=europe-west1 --config=cloudbuild.yaml --ignore-file=.cloudbuildignore" +
		" --service-account=projects/shop/serviceAccounts/aerosink-build@shop.iam.gserviceaccount.com --gcs-source-staging-dir=gs://shop-aerosink-build/source" +
		" --substitutions=_REGION=europe-west1,_PREFIX=aerosink,_TAG=abc1234\n"
	if diff := cmp.Diff(want, tools.recorded(t)); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	byHand := regexp.MustCompile(`(?s)gcloud builds submit .*?\n\n|gcloud builds submit .*?\n` + "```").FindString(read(t, "PRODUCTION.md"))
	flags := func(text string) (names []string) {
		for _, m := range regexp.MustCompile(`--([a-z-]+)=`).FindAllStringSubmatch(text, -1) {
			names = append(names, m[1])
		}
		return slices.Sorted(slices.Values(names))
	}
	if diff := cmp.Diff(flags(want), flags(byHand)); diff != "" {
		t.Errorf("flags (-workflow +PRODUCTION.md)\n%s", diff)
	}
}

// The credentials that the action for Google's login leaves in the clone are not uploaded.
func TestWorkflow_credentialsStay(t *testing.T) {
	for _, name := range []string{".cloudbuildignore", ".gcloudignore"} {
		if !ignores(ignoreFile(t, name), "gha-creds-0123456789abcdef.json", false) {
			t.Errorf("%s lets gha-creds-….json through", name)
		}
	}
	if !strings.Contains(read(t, "../.gitignore"), "gha-creds-*.json\n") {
		t.Error(".gitignore lets gha-creds-….json through")
	}
}
