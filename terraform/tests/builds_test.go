package tests

import (
	"regexp"
	"testing"
)

// TestDocuments_builds requires that the first command of each document that compiles a
// program names what it compiles. On a busy machine that takes minutes, in which go build
// and go run print nothing else.
func TestDocuments_builds(t *testing.T) {
	build := regexp.MustCompile(`\bgo (?:build|run) (-v )?`)
	found := 0
	for _, path := range documents(t) {
		for _, b := range blocks(t, path, read(t, path)) {
			if b.language != "console" && b.language != "sh" {
				continue
			}
			m := build.FindStringSubmatch(b.text)
			if m == nil {
				continue
			}
			found++
			if m[1] == "" {
				t.Errorf("%s:%d: the first go build or go run has no -v", path, b.line)
			}
			break
		}
	}
	if found < 5 {
		t.Errorf("%d documents with commands that compile, want at least 5", found)
	}
}
