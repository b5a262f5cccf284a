package main

import (
	"errors"
	"fmt"
	"io"
	"path/filepath"

	"github.com/aerosink/aerosink/connector/config"
)

// check prints all there is to say about a configuration, the worst first. It
// returns an error when there is a fault.
func check(path string, stdout io.Writer) error {
	text, err := read(path)
	if err != nil {
		return err
	}
	found := config.Examine(text, filepath.Dir(path))
	for _, kind := range []struct {
		name string
		list config.Faults
	}{{"fault", found.Faults}, {"warning", found.Warnings}, {"note", found.Notes}} {
		for _, f := range kind.list {
			if _, err := fmt.Fprintf(stdout, "%s: %s\n", kind.name, f); err != nil {
				return err
			}
		}
	}
	summary := fmt.Sprintf("%s: %s, %s", path, counted(len(found.Faults), "fault"), counted(len(found.Warnings), "warning"))
	if len(found.Faults) > 0 {
		return errors.New(summary)
	}
	_, err = fmt.Fprintln(stdout, summary)
	return err
}

func counted(n int, noun string) string {
	switch n {
	case 0:
		return "no " + noun + "s"
	case 1:
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}
