package changetest

import (
	"os"
	"os/exec"
	"testing"
)

// asMain is set in the environment of a test binary that is to be the program
// under test.
const asMain = "CHANGETEST_AS_MAIN"

// Main is the TestMain of a command: it runs the tests, or, in a process started
// by [Command], main itself.
func Main(m *testing.M, main func()) {
	if os.Getenv(asMain) != "" {
		main()
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// Command returns the command under test as a process of its own, to be started
// and killed. The package's TestMain must be [Main]. The process does not outlive
// the test.
func Command(t testing.TB, args ...string) *exec.Cmd {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	c := exec.CommandContext(t.Context(), self, args...) //nolint:gosec // it is the test itself
	c.Env = append(os.Environ(), asMain+"=1")
	return c
}
