package tests

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
)

// programs is a temporary folder for the binaries of connector and sink.
var programs string

func TestMain(m *testing.M) {
	var err error
	if programs, err = os.MkdirTemp("", "aerosink"); err != nil {
		panic(err)
	}
	if err = os.Chdir(".."); err != nil { // the tests name files by their path in terraform/
		panic(err)
	}
	code := m.Run()
	_ = os.RemoveAll(programs)
	os.Exit(code)
}

// compile builds both programs, once.
var compile = sync.OnceValue(func() error {
	build := exec.Command("go", "build", "-o", programs, "./connector/cmd/connector", "./function/cmd/sink")
	build.Dir = top
	if out, err := build.CombinedOutput(); err != nil {
		return fmt.Errorf("%w\n%s", err, out)
	}
	return nil
})

// program returns the path of the program with that name.
func program(t *testing.T, name string) string {
	t.Helper()
	if err := compile(); err != nil {
		t.Fatal(err)
	}
	return filepath.Join(programs, name)
}
