package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"path/filepath"
	"slices"

	"github.com/aerosink/aerosink/connector/cli"
	"github.com/aerosink/aerosink/connector/config"
	"github.com/aerosink/aerosink/connector/config/strict"
	"github.com/aerosink/aerosink/connector/deliver"
	"github.com/aerosink/aerosink/connector/deliver/post"
)

// check prints the errors, warnings and notes about a configuration, in this order, and
// with connect what health checks of its destinations find. It returns an error if there is
// an error.
func check(ctx context.Context, path string, connect bool, stdout io.Writer) error {
	text, err := read(path)
	if err != nil {
		return err
	}
	found := config.Examine(text, filepath.Dir(path))
	if connect {
		if err := addProbes(ctx, &found, text, path); err != nil {
			return err
		}
	}
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

// addProbes makes health checks of the destinations and adds what they find. If the
// configuration has errors it makes none.
func addProbes(ctx context.Context, found *strict.Findings, text []byte, path string) error {
	if len(found.Errors) > 0 {
		found.Notes = append(found.Notes, strict.Error{Path: "destinations", Text: "not connected to, because of the errors"})
		return nil
	}
	c, err := config.Parse(text, filepath.Dir(path))
	if err != nil {
		return fmt.Errorf("%s:\n%w", path, err) // a file that it names has just changed
	}
	for _, name := range slices.Sorted(maps.Keys(c.Destinations)) {
		d := c.Destinations[name]
		d.UserAgent = userAgent()
		for i, p := range deliver.Probe(ctx, d) {
			addProbe(found, fmt.Sprintf("destinations.%s.urls[%d]", name, i), p)
		}
	}
	return nil
}

// addProbe adds what the health check of the URL at path found.
func addProbe(found *strict.Findings, path string, p post.Probe) {
	warn := func(text string, args ...any) {
		found.Warnings = append(found.Warnings, strict.Error{Path: path, Text: fmt.Sprintf(text, args...)})
	}
	if p.NoToken != nil {
		warn("no token: %v", p.NoToken)
	}
	answer := fmt.Sprintf("answers a GET with status %d %s", p.Status, http.StatusText(p.Status))
	switch {
	case p.Err != nil:
		found.Errors = append(found.Errors, strict.Error{Path: path, Text: p.Err.Error()})
	case p.Status == http.StatusUnauthorized || p.Status == http.StatusForbidden:
		warn("%s; check the token and who may call it", answer)
	case p.Status == http.StatusNotFound:
		warn("%s; check the path", answer)
	case p.Location != "":
		warn("%s, to %s; redirects are not followed, so name the URL that changes are to be sent to", answer, p.Location)
	default:
		found.Notes = append(found.Notes, strict.Error{Path: path, Text: answer})
	}
}
