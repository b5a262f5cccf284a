package tests

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// The script copies images from one registry to another by digest, whatever their tags name
// by now, and prints them as Terraform takes them.
func TestPromoteScript(t *testing.T) {
	crane := buildCrane(t)
	staging, production := serveRegistry(t, crane)+"/staging/aerosink", serveRegistry(t, crane)+"/production/aerosink"
	from := map[string]string{}
	for _, half := range []string{"connector", "sink"} {
		image := staging + "/" + half
		digest := pushImage(t, crane, image+":latest", half)
		from[half] = image + ":latest@" + digest
		pushImage(t, crane, image+":latest", "newer "+half)
	}
	out, err := promote(t, crane, from, production+"/", "v1.2.3")
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	digest := func(half string) string { return from[half][strings.Index(from[half], "@"):] }
	want := "images = {\n  connector = \"" + production + "/connector" + digest("connector") + "\"\n  sink      = \"" + production + "/sink" + digest("sink") + "\"\n}\n"
	if diff := cmp.Diff(want, out); diff != "" {
		t.Errorf("output (-want +got)\n%s", diff)
	}
	for _, half := range []string{"connector", "sink"} {
		if got := "@" + strings.TrimSpace(runIn(t, top, nil, crane, "digest", production+"/"+half+":deployed-v1.2.3")); got != digest(half) {
			t.Errorf("%s in production: %s, want %s", half, got, digest(half))
		}
	}
	if messages := newPlan(t, variables("images", strings.TrimPrefix(out, "images = "))).violations("images"); len(messages) > 0 {
		t.Errorf("Terraform refuses them: %q", messages)
	}
}

func TestPromoteScript_errors(t *testing.T) {
	crane := buildCrane(t)
	registry := serveRegistry(t, crane) + "/r"
	missing := "@sha256:" + strings.Repeat("0", 64)
	for name, tt := range map[string]struct {
		images    map[string]string
		arguments []string
		want      string
	}{
		"no arguments": {nil, nil, "usage:"},
		"by tag":       {map[string]string{"connector": registry + "/connector:v1", "sink": registry + "/sink:v1"}, []string{registry, "v1"}, "no digest of connector in the standard input"},
		"no image":     {map[string]string{"connector": registry + "/connector" + missing, "sink": registry + "/sink" + missing}, []string{registry, "v1"}, "cannot copy " + registry + "/connector"},
	} {
		if out, err := promote(t, crane, tt.images, tt.arguments...); err == nil || !strings.Contains(out, tt.want) {
			t.Errorf("%s: %v, %s, want %q", name, err, out, tt.want)
		}
	}
}

// promote runs the script with the JSON of images as its input, and returns what it prints,
// with its errors if it fails.
func promote(t *testing.T, crane string, images map[string]string, arguments ...string) (string, error) {
	t.Helper()
	input, err := json.Marshal(images)
	if err != nil {
		t.Fatal(err)
	}
	bin := t.TempDir()
	if err := os.Symlink(crane, filepath.Join(bin, "crane")); err != nil {
		t.Fatal(err)
	}
	c := exec.CommandContext(t.Context(), "sh", append([]string{"promote.sh"}, arguments...)...)
	c.Env = append(os.Environ(), "PATH="+bin+":"+os.Getenv("PATH"))
	c.Stdin = strings.NewReader(string(input))
	var stderr strings.Builder
	c.Stderr = &stderr
	out, err := c.Output()
	if err != nil {
		return string(out) + stderr.String(), err
	}
	return string(out), nil
}

// pushImage pushes an image with one layer, and returns its digest.
func pushImage(t *testing.T, crane, image, content string) (digest string) {
	t.Helper()
	layer := filepath.Join(t.TempDir(), "layer")
	if err := os.WriteFile(layer, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	runIn(t, top, nil, crane, "append", "--oci-empty-base", "--new_layer="+layer, "--new_tag="+image)
	return strings.TrimSpace(runIn(t, top, nil, crane, "digest", image))
}
