package changetest

import (
	"os"
	"os/exec"
	"testing"
)

// asMain is set in the environment of a test binary that is to run as the program.
const asMain = "CHANGETEST_AS_MAIN"

// Main is the TestMain of a command. It runs the tests, or main in a process that [Command]
// started.
func Main(m *testing.M, main func()) {
	if os.Getenv(asMain) != "" {
		main()
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// Command returns the command under test, to start and kill as a process. The TestMain of
// the package must be [Main]. The process ends with the test.
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
