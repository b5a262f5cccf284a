package tests

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// unitKeys are the keys that our units use, by section. A misspelled key must fail the test:
// systemd only logs a warning.
var unitKeys = map[string][]string{
	"Unit": {"Description", "Wants", "After", "StartLimitIntervalSec"},
	"Service": {
		"RuntimeDirectory", "Environment", "EnvironmentFile", "ExecStartPre", "ExecStart", "ExecReload", "ExecStop",
		"Restart", "RestartSec", "TimeoutStartSec", "TimeoutStopSec",
	},
}

// unit is a systemd unit: its values by section and key.
type unit map[string]map[string][]string

func readUnit(t *testing.T, text string) unit {
	t.Helper()
	u, section := unit{}, ""
	for line := range strings.Lines(strings.ReplaceAll(text, "\\\n", " ")) {
		line = strings.TrimSpace(line)
		if line == "" {
			continue
		}
		if name, ok := strings.CutPrefix(line, "["); ok {
			section = strings.TrimSuffix(name, "]")
			u[section] = map[string][]string{}
			continue
		}
		key, value, ok := strings.Cut(line, "=")
		if !ok || !slices.Contains(unitKeys[section], key) {
			t.Fatalf("[%s] %s: unknown key", section, line)
		}
		u[section][key] = append(u[section][key], strings.Join(strings.Fields(value), " "))
	}
	return u
}

func TestSystemdUnits(t *testing.T) {
	for name, choice := range connectors {
		t.Run(name, func(t *testing.T) {
			_, files := readCloudInit(t, connectorPlan(t, choice).local("connector_cloud_init").AsString())
			units := map[string]string{}
			for path, text := range files {
				if !strings.HasSuffix(path, ".service") {
					continue
				}
				units[filepath.Base(path)] = text
				service := readUnit(t, text)["Service"]
				checkContainer(t, strings.TrimSuffix(filepath.Base(path), ".service"), service, files)
			}
			if len(units) == 0 {
				t.Fatal("no units")
			}
			t.Run("verify", func(t *testing.T) { verify(t, units) })
		})
	}
}

// prepared are the files that prepare.sh writes; TestPrepare_imageConfigAndFirewall and TestPrepare_secrets check them.
var prepared = []string{"/run/aerosink/connector.yml", "/run/aerosink/tls"}

// checkContainer checks that a unit runs a container with minimal privileges, stops it by
// its name, and mounts only files that exist.
func checkContainer(t *testing.T, name string, service map[string][]string, files map[string]string) {
	t.Helper()
	run, stop := service["ExecStart"][0], service["ExecStop"][0]
	for _, want := range []string{
		"--rm", "--read-only", "--cap-drop=ALL", "--security-opt=no-new-privileges", "--user=", "--memory=", "--network=host", "--name=" + name + " ",
	} {
		if !strings.Contains(run+" ", want) {
			t.Errorf("%s runs without %s: %s", name, want, run)
		}
	}
	for _, m := range regexp.MustCompile(`\$\{(\w+)\}`).FindAllStringSubmatch(run, -1) {
		if !strings.Contains(files["/etc/aerosink/prepare"], m[1]+"=%s") {
			t.Errorf("%s uses %s, which prepare does not write", name, m[0])
		}
	}
	if name == "aerosink" && !strings.Contains(run, "--memory=${MEMORY} --env=GOMEMLIMIT=${GOMEMLIMIT} ") {
		t.Errorf("%s does not use the machine's memory: %s", name, run)
	}
	if !strings.HasSuffix(stop, " "+name) || service["Restart"][0] != "always" {
		t.Errorf("%s: stopped by %q, restarts %q", name, stop, service["Restart"])
	}
	secrets := slices.ContainsFunc(service["Environment"], func(e string) bool { return strings.HasPrefix(e, `"SECRETS=`) })
	mounted := false
	for word := range strings.FieldsSeq(run) {
		mount, ok := strings.CutPrefix(word, "--volume=")
		if !ok {
			continue
		}
		from, _, _ := strings.Cut(mount, ":")
		mounted = mounted || from == "/run/aerosink/tls"
		if _, ok := files[from]; !ok && !slices.Contains(prepared, from) || !strings.HasSuffix(mount, ":ro") {
			t.Errorf("%s: mount %s does not exist or is not read-only", name, mount)
		}
	}
	if secrets != mounted {
		t.Errorf("%s: fetches secrets: %v, mounts them: %v", name, secrets, mounted)
	}
}

// verify runs systemd-analyze on the units, if it is installed. Programs and units of
// Container-Optimized OS are replaced by stubs.
func verify(t *testing.T, units map[string]string) {
	t.Helper()
	if _, err := exec.LookPath("systemd-analyze"); err != nil {
		t.Skip("systemd-analyze is not installed")
	}
	folder := t.TempDir()
	paths := []string{"verify", "--man=no"}
	for name, text := range units {
		text = strings.NewReplacer("/usr/bin/docker-credential-gcr", "/bin/true", "/usr/bin/docker", "/bin/true").Replace(text)
		paths = append(paths, filepath.Join(folder, name))
		if err := os.WriteFile(filepath.Join(folder, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for name, text := range map[string]string{"gcr-online.target": "[Unit]\nDescription=registry\n", "docker.service": "[Service]\nExecStart=/bin/true\n", "docker.socket": "[Socket]\nListenStream=/run/docker.sock\nAccept=yes\n"} {
		if err := os.WriteFile(filepath.Join(folder, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	command := exec.Command("systemd-analyze", paths...)
	command.Env = append(os.Environ(), "SYSTEMD_UNIT_PATH="+folder+":")
	out, err := command.CombinedOutput()
	for line := range strings.Lines(string(out)) {
		if strings.Contains(line, folder) || strings.Contains(line, "aerosink") {
			t.Error(strings.TrimSpace(line))
		}
	}
	if err != nil {
		t.Logf("systemd-analyze: %v\n%s", err, out)
	}
}
