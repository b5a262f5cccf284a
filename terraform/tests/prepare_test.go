package tests

import (
	"encoding/base64"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

// The scripts have no syntax errors, and shellcheck finds nothing.
func TestScripts_syntax(t *testing.T) {
	for script, shell := range map[string]string{"build.sh": "sh", "promote.sh": "sh", "templates/prepare.sh": "sh", "../.ci/images": "bash", "../.ci/release": "bash"} {
		for _, check := range [][]string{{shell, "-n"}, {"shellcheck"}} {
			t.Run(check[0]+" "+script, func(t *testing.T) {
				if _, err := exec.LookPath(check[0]); err != nil {
					t.Skip(check[0] + " is not installed")
				}
				if out, err := exec.Command(check[0], append(check[1:], script)...).CombinedOutput(); err != nil {
					t.Errorf("%v\n%s", err, out)
				}
			})
		}
	}
}

// machine fakes what prepare.sh needs: the metadata server, Secret Manager, and programs
// that only record their arguments.
type machine struct {
	run, bin string // folders
	env      []string

	mu                   sync.Mutex
	image, config, token string
	secrets              map[string]string
}

// change changes the answers of the metadata server and Secret Manager.
func (m *machine) change(to func(*machine)) {
	m.mu.Lock()
	defer m.mu.Unlock()
	to(m)
}

// calls is a program that records its arguments. An iptables rule never exists yet.
const calls = `#!/bin/sh
echo "$(basename "$0") $*" >>"$CALLS"
case "$0 $*" in *"iptables -w -C"*) exit 1 ;; esac
`

// callsCurl records the arguments of curl, and runs it.
const callsCurl = `#!/bin/sh
echo "curl $*" >>"$CALLS"
exec %s "$@"
`

func newMachine(t *testing.T) *machine {
	t.Helper()
	curl, err := exec.LookPath("curl")
	if err != nil {
		t.Skip("curl is not installed")
	}
	m := &machine{
		image:  "europe-west1-docker.pkg.dev/p/aerosink/connector@sha256:" + strings.Repeat("0", 64),
		config: "service:\n  port: 8901\n", token: "ya29.secret", secrets: map[string]string{}, run: t.TempDir(), bin: t.TempDir(),
	}
	for name, text := range map[string]string{"iptables": calls, "docker-credential-gcr": calls, "chown": calls, "curl": fmt.Sprintf(callsCurl, curl)} {
		if err := os.WriteFile(filepath.Join(m.bin, name), []byte(text), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	cloud := httptest.NewServer(m)
	t.Cleanup(cloud.Close)
	m.env = append(os.Environ(),
		"PATH="+m.bin+":"+os.Getenv("PATH"), "CALLS="+filepath.Join(m.bin, "calls"), "RUNTIME_DIRECTORY="+m.run, "PORTS=8901 8902",
		"GCE_METADATA_HOST="+strings.TrimPrefix(cloud.URL, "http://"), "SECRET_MANAGER="+cloud.URL, "NO_PROXY=*", "MEMINFO="+m.meminfo(),
	)
	m.setMemory(t, 4_025_000) // e2-medium
	return m
}

// meminfo is the path of the machine's /proc/meminfo.
func (m *machine) meminfo() string { return filepath.Join(m.bin, "meminfo") }

// setMemory sets the machine's memory.
func (m *machine) setMemory(t *testing.T, kib int) {
	t.Helper()
	text := fmt.Sprintf("MemTotal:       %8d kB\nMemFree:          123456 kB\nHugePages_Total:       0\n", kib)
	if err := os.WriteFile(m.meminfo(), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func (m *machine) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	m.mu.Lock()
	defer m.mu.Unlock()
	const metadata = "/computeMetadata/v1/instance/"
	secret, isSecret := m.secrets[strings.TrimSuffix(strings.TrimPrefix(r.URL.Path, "/v1/"), ":access")]
	switch {
	case strings.HasPrefix(r.URL.Path, metadata) && r.Header.Get("Metadata-Flavor") != "Google":
		w.WriteHeader(http.StatusForbidden)
	case r.URL.Path == metadata+"attributes/connector-image" && m.image != "":
		fmt.Fprint(w, m.image)
	case r.URL.Path == metadata+"attributes/connector-config" && m.config != "":
		fmt.Fprint(w, m.config)
	case r.URL.Path == metadata+"service-accounts/default/token":
		fmt.Fprintf(w, `{"access_token":"%s","expires_in":3599,"token_type":"Bearer"}`, m.token)
	case isSecret && r.Header.Get("Authorization") == "Bearer "+m.token:
		fmt.Fprintf(w, "{\n  \"name\": \"projects/1/secrets/s/versions/1\",\n  \"payload\": {\n    \"data\": %q,\n    \"dataCrc32c\": \"1\"\n  }\n}\n", base64.StdEncoding.EncodeToString([]byte(secret)))
	default:
		w.WriteHeader(http.StatusNotFound)
	}
}

// prepare runs the script as the systemd unit does, with the given SECRETS.
func (m *machine) prepare(secrets string) (output string, err error) {
	command := exec.Command("/bin/sh", "templates/prepare.sh")
	command.Env = append(m.env, "SECRETS="+secrets)
	out, err := command.CombinedOutput()
	return string(out), err
}

// calls returns the recorded commands.
func (m *machine) calls(t *testing.T) string {
	t.Helper()
	return read(t, filepath.Join(m.bin, "calls"))
}

func TestPrepare_imageConfigAndFirewall(t *testing.T) {
	m := newMachine(t)
	if out, err := m.prepare(""); err != nil || out != "" {
		t.Fatalf("%v\n%s", err, out)
	}
	if got, want := read(t, filepath.Join(m.run, "environment")), "IMAGE="+m.image+"\nMEMORY=3162m\nGOMEMLIMIT=2845MiB\n"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
	if got := read(t, filepath.Join(m.run, "connector.yml")); got != m.config {
		t.Errorf("%q, want %q", got, m.config)
	}
	for _, want := range []string{
		"docker-credential-gcr configure-docker --registries=europe-west1-docker.pkg.dev\n",
		"iptables -w -A INPUT -p tcp --dport 8901 -j ACCEPT\n", "iptables -w -A INPUT -p tcp --dport 8902 -j ACCEPT\n",
	} {
		if !strings.Contains(m.calls(t), want) {
			t.Errorf("no %q in\n%s", want, m.calls(t))
		}
	}
}

// The container gets the machine's memory, except for what the system and the collector of
// metrics need, and Go's limit is a tenth below that.
func TestPrepare_memoryOfMachine(t *testing.T) {
	for _, tt := range []struct {
		machine  string
		totalKiB int
		want     string
	}{
		{"e2-micro", 1_004_000, "MEMORY=490m\nGOMEMLIMIT=441MiB\n"},
		{"e2-small", 2_023_000, "MEMORY=1207m\nGOMEMLIMIT=1086MiB\n"},
		{"n2-standard-4", 16_393_000, "MEMORY=15240m\nGOMEMLIMIT=13716MiB\n"},
	} {
		m := newMachine(t)
		m.setMemory(t, tt.totalKiB)
		if out, err := m.prepare(""); err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		if got := read(t, filepath.Join(m.run, "environment")); !strings.HasSuffix(got, tt.want) {
			t.Errorf("%s: %q, want %q", tt.machine, got, tt.want)
		}
	}
}

// Secrets are written to files that only the connector can read, and a reload replaces them.
// The access token is not an argument of any command, where other users could see it.
func TestPrepare_secrets(t *testing.T) {
	m := newMachine(t)
	certificate, key := "projects/p/secrets/certificate/versions/1", "projects/q/secrets/key/versions/latest"
	for _, round := range []string{"first", strings.Repeat("long\n", 2000)} {
		m.change(func(m *machine) { m.secrets[certificate], m.secrets[key] = "certificate "+round, "key\n\x00"+round })
		if out, err := m.prepare("certificate=" + certificate + " key=" + key); err != nil || out != "" {
			t.Fatalf("%v\n%s", err, out)
		}
		for use, version := range map[string]string{"certificate": certificate, "key": key} {
			path := filepath.Join(m.run, "tls", use)
			info, err := os.Stat(path)
			if err != nil || info.Mode().Perm() != 0o400 {
				t.Errorf("%s: %v, %v", use, info, err)
			}
			if got := read(t, path); got != m.secrets[version] {
				t.Errorf("%s: %.40q, want %.40q", use, got, m.secrets[version])
			}
			if want := "chown 65532:65532 " + path + ".new\n"; !strings.Contains(m.calls(t), want) {
				t.Errorf("no %q in\n%s", want, m.calls(t))
			}
		}
	}
	if strings.Contains(m.calls(t), m.token) || !strings.Contains(m.calls(t), "curl ") {
		t.Errorf("the token is an argument:\n%s", m.calls(t))
	}
}

// If a reload can fetch only one of certificate and key, both old files stay.
func TestPrepare_keepsOldPairOnFailure(t *testing.T) {
	m := newMachine(t)
	const certificate, key = "projects/p/secrets/certificate/versions/latest", "projects/p/secrets/key/versions/latest"
	m.change(func(m *machine) { m.secrets[certificate], m.secrets[key] = "first", "first" })
	if out, err := m.prepare("certificate=" + certificate + " key=" + key); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	m.change(func(m *machine) { m.secrets[certificate] = "second"; delete(m.secrets, key) })
	if out, err := m.prepare("certificate=" + certificate + " key=" + key); err == nil {
		t.Fatalf("no error without a key\n%s", out)
	}
	for _, use := range []string{"certificate", "key"} {
		if got := read(t, filepath.Join(m.run, "tls", use)); got != "first" {
			t.Errorf("%s: %q", use, got)
		}
	}
}

func TestPrepare_errors(t *testing.T) {
	for name, tt := range map[string]struct {
		change  func(*machine)
		secrets string
		want    string
	}{
		"no memory":             {func(m *machine) { _ = os.Remove(m.meminfo()) }, "", "prepare: cannot read this machine's memory from "},
		"no image":              {func(m *machine) { m.image = "" }, "", "prepare: no image to run; the group's metadata has it under connector-image"},
		"no configuration":      {func(m *machine) { m.config = "" }, "", "prepare: no configuration; the group's metadata has it under connector-config"},
		"no token":              {func(m *machine) { m.token = "" }, "key=projects/p/secrets/key/versions/1", "prepare: no token of the machine's account"},
		"no such secret":        {func(*machine) {}, "key=projects/p/secrets/other/versions/1", "nothing in projects/p/secrets/other/versions/1; does it exist, and may this machine's account read it?"},
		"empty secret":          {func(m *machine) { m.secrets["projects/p/secrets/key/versions/1"] = "" }, "key=projects/p/secrets/key/versions/1", "nothing in"},
		"second secret missing": {func(m *machine) { m.secrets["projects/p/secrets/key/versions/1"] = "k" }, "key=projects/p/secrets/key/versions/1 authority=projects/p/secrets/a/versions/1", "nothing in projects/p/secrets/a/versions/1"},
	} {
		t.Run(name, func(t *testing.T) {
			m := newMachine(t)
			m.change(tt.change)
			out, err := m.prepare(tt.secrets)
			if err == nil || !strings.Contains(out, tt.want) {
				t.Errorf("%v\n%s\nwant %q", err, out, tt.want)
			}
		})
	}
}
