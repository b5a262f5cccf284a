package tests

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// buildEnvironment is the environment that build.tf sets for build.sh.
var buildEnvironment = []string{
	"PROJECT=shop", "REGION=europe-west1", "AT=europe-west1", "PREFIX=aerosink", "TAG=clone-1", "BUCKET=shop-aerosink-build",
	"ACCOUNT=projects/shop/serviceAccounts/aerosink-build@shop.iam.gserviceaccount.com", "PAUSE=0",
}

const submitted = "gcloud builds submit --quiet --project=shop --region=europe-west1 --ignore-file=.cloudbuildignore" +
	" --service-account=projects/shop/serviceAccounts/aerosink-build@shop.iam.gserviceaccount.com --gcs-source-staging-dir=gs://shop-aerosink-build/source" +
	" --substitutions=_REGION=europe-west1,_PREFIX=aerosink,_TAG=clone-1,_CHECK=false,_DEPLOY=terraform"

const (
	inCloud = submitted + " --config=cloudbuild.yaml\n"
	inPool  = submitted + " --worker-pool=projects/shop/locations/europe-west1/workerPools/own --config=…/cloudbuild.yaml\n"
)

func TestBuildScript(t *testing.T) {
	const loggedIn = "gcloud auth print-access-token\n"
	for _, test := range []struct {
		name, gcloud string
		env          []string
		want, err    string
	}{
		{name: "first attempt", want: loggedIn + inCloud},
		{name: "private pool", env: []string{"POOL=projects/shop/locations/europe-west1/workerPools/own"}, want: loggedIn + inPool},
		{
			name: "grants not yet effective", gcloud: `[ $1 = auth ] || [ $(grep -c submit $LOG) -eq 3 ]`,
			want: loggedIn + strings.Repeat(inCloud, 3),
		},
		{
			name: "never granted", gcloud: `[ $1 = auth ]`,
			want: loggedIn + strings.Repeat(inCloud, 6), err: "is projects/shop/serviceAccounts/aerosink-build@shop.iam.gserviceaccount.com granted what it needs? If Cloud Build has no machines in europe-west1 for a new project, set build_region to global",
		},
		{
			name: "fails later", gcloud: `[ $1 = auth ]`, env: []string{"TOO_SOON=0"},
			want: loggedIn + inCloud, err: "the build failed, see above",
		},
		{name: "not logged in", gcloud: `false`, want: loggedIn, err: "run gcloud auth login"},
	} {
		t.Run(test.name, func(t *testing.T) {
			tools := fakeTools(t, map[string]string{"gcloud": test.gcloud})
			env := slices.Concat(buildEnvironment, tools.env, test.env, []string{"LOG=" + tools.log})
			checkBuild(t, top, env, test.err)
			got := regexp.MustCompile(`--config=/\S*/`).ReplaceAllString(read(t, tools.log), "--config=…/")
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
		})
	}
	// The configuration for a private pool differs in the machine type, which the pool has.
	t.Run("configuration for a private pool", func(t *testing.T) {
		const copies = `case $* in *--config=*) file=${*##*--config=}; cp "${file%% *}" "$COPY" ;; esac`
		tools, file := fakeTools(t, map[string]string{"gcloud": copies}), filepath.Join(t.TempDir(), "copy")
		checkBuild(t, top, slices.Concat(buildEnvironment, tools.env, []string{"COPY=" + file, "POOL=p"}), "")
		whole := read(t, filepath.Join(top, "cloudbuild.yaml"))
		if want := strings.Replace(whole, "  machineType: E2_HIGHCPU_8\n", "", 1); want == whole || want != read(t, file) {
			t.Errorf("%s", cmp.Diff(want, read(t, file)))
		}
	})
	t.Run("without gcloud", func(t *testing.T) {
		sh, err := exec.LookPath("sh")
		if err != nil {
			t.Skip("sh is not installed")
		}
		bin := t.TempDir()
		if err := os.Symlink(sh, filepath.Join(bin, "sh")); err != nil {
			t.Fatal(err)
		}
		checkBuild(t, top, []string{"PATH=" + bin}, "gcloud is not on this machine; install it")
	})
	t.Run("without a clone", func(t *testing.T) {
		dir := t.TempDir()
		copyFiles(t, []string{"terraform/build.sh"}, dir)
		checkBuild(t, dir, nil, "only terraform/; apply in a whole clone, or set the variable images")
	})
}

func checkBuild(t *testing.T, dir string, env []string, want string) {
	t.Helper()
	c := exec.CommandContext(t.Context(), "sh", "terraform/build.sh")
	c.Dir, c.Env = dir, append(os.Environ(), env...)
	out, err := c.CombinedOutput()
	if (err == nil) != (want == "") || !strings.Contains(string(out), want) {
		t.Errorf("%v: %s, want %q", err, out, want)
	}
}

// The hash that triggers a build covers every file that an image is built from.
func TestBuild_hashesAllSources(t *testing.T) {
	var patterns []*regexp.Regexp
	for _, match := range regexp.MustCompile(`fileset\(local\.top, "([^"]+)"\)`).FindAllStringSubmatch(read(t, "build.tf"), -1) {
		patterns = append(patterns, braces(match[1]))
	}
	sources := append(ownSources(t, "./connector/cmd/connector"), ownSources(t, "./function/cmd/sink")...)
	for _, half := range []string{"connector", "function"} {
		m := readImage(t, half)
		sources = append(sources, m.path, m.path+".dockerignore")
	}
	for _, name := range append(sources, "go.mod", "go.sum") {
		if !slices.ContainsFunc(patterns, func(p *regexp.Regexp) bool { return p.MatchString(name) }) {
			t.Errorf("%s is in no fileset of build.tf, so changing it would not trigger a build", name)
		}
	}
}

// braces is like glob, but the pattern may have alternatives: {a,b}.
func braces(pattern string) *regexp.Regexp {
	text := strings.NewReplacer(`\{`, "(", `\}`, ")", ",", "|").Replace(glob(pattern).String())
	return regexp.MustCompile(text)
}
