package main

import (
	"errors"
	"fmt"
	"io"
	"path/filepath"

	"github.com/aerosink/aerosink/connector/config/strict"

	"github.com/aerosink/aerosink/connector/cli"
	"github.com/aerosink/aerosink/connector/config"
)

// check prints the errors, warnings and notes about a configuration, in this order.
// It returns an error if the configuration has one.
func check(path string, stdout io.Writer) error {
	text, err := read(path)
	if err != nil {
		return err
	}
	found := config.Examine(text, filepath.Dir(path))
	for _, kind := range []struct {
		name string
		list strict.Errors
	}{{"error", found.Errors}, {"warning", found.Warnings}, {"note", found.Notes}} {
		for _, f := range kind.list {
			if _, err := fmt.Fprintf(stdout, "%s: %s\n", kind.name, f); err != nil {
				return err
			}
		}
	}
	summary := fmt.Sprintf("%s: %s, %s", path, cli.Count(len(found.Errors), "error"), cli.Count(len(found.Warnings), "warning"))
	if len(found.Errors) > 0 {
		return errors.New(summary)
	}
	_, err = fmt.Fprintln(stdout, summary)
	return err
}
