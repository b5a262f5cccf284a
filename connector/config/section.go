package config

import (
	"errors"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strconv"

	"go.yaml.in/yaml/v4"
	"golang.org/x/net/http/httpguts"

	"github.com/aerosink/aerosink/connector/config/strict"
	"github.com/aerosink/aerosink/connector/deliver/auth"
)

// section is a section of the configuration, with the state that all sections share.
type section struct {
	*strict.Section
	found *found
}

// found is the state that all sections share.
type found struct {
	folder    string // that relative paths are relative to
	elsewhere bool   // do not read files: they are on another machine

	// levelErrors says that a level has an error, so that it is not certain which changes
	// go where.
	levelErrors bool

	addresses []address
	files     []tlsSection
	secrets   []string // paths
}

// Sub returns the mapping under key.
func (s *section) Sub(key string) *section { return &section{s.Section.Sub(key), s.found} }

// Dictionary returns the mapping under key, whose own keys are names that users choose.
func (s *section) Dictionary(key string) *section {
	return &section{s.Section.Dictionary(key), s.found}
}

// Shorthand returns the mapping under key, or one with a single value under inner.
func (s *section) Shorthand(key, inner string) *section {
	return &section{s.Section.Shorthand(key, inner), s.found}
}

// maxFile is the size of the largest file that a configuration may name, in bytes.
const maxFile = 1 << 20

// pathOf returns the path under key of a file or directory (kind), relative to the
// configuration's folder. It returns "" if there is none.
func (s *section) pathOf(key, kind string) string {
	if s.CheckEmpty(key, "name a "+kind) {
		return ""
	}
	path := s.Text(key, "")
	if path == "" || filepath.IsAbs(path) {
		return path
	}
	return filepath.Join(s.found.folder, path)
}

// file returns the path under key of a readable file. It returns "" if there is none, or if
// files are not read.
func (s *section) file(key string) string {
	path, _ := s.stat(key)
	return path
}

// private is like file, and warns if every user of the machine can read the file.
func (s *section) private(key string) string {
	path, info := s.stat(key)
	if info != nil && info.Mode().Perm()&0o004 != 0 {
		s.Warn(key, "every user of this machine can read it; run chmod o-r %s", path)
	}
	return path
}

func (s *section) stat(key string) (string, fs.FileInfo) {
	path := s.pathOf(key, "file")
	if path == "" || s.found.elsewhere {
		return "", nil
	}
	info, err := os.Stat(path)
	switch {
	case err != nil:
		s.Error(key, "%v; relative paths start at the folder of the configuration", err)
		return "", nil
	case !info.Mode().IsRegular():
		s.Error(key, "%s is not a regular file", path)
		return "", nil
	case info.Size() > maxFile:
		s.Error(key, "%s has %d bytes, more than %d", path, info.Size(), maxFile)
		return "", nil
	}
	f, err := os.Open(path)
	if err != nil {
		s.Error(key, "%v; make it readable for the user of the connector", err)
		return "", nil
	}
	_ = f.Close() // nothing was written to it
	return path, info
}

// checkFolder reports a directory in which no file can be created. One that does not exist is
// created when the connector starts, if its parent allows that.
func (s *section) checkFolder(key, folder string) {
	if s.found.elsewhere {
		return
	}
	tried := folder
	info, err := os.Stat(folder)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		tried = filepath.Dir(folder)
	case err == nil && !info.IsDir():
		s.Error(key, "%s is not a directory", folder)
		return
	}
	f, err := os.CreateTemp(tried, ".aerosink-check-*")
	if err != nil {
		var reason *fs.PathError
		if errors.As(err, &reason) {
			err = reason.Err // without the name of the file
		}
		s.Error(key, "cannot create files in %s: %v; create it if it is missing, and make it writable for the user of the connector", tried, err)
		return
	}
	_ = f.Close() // nothing was written to it
	_ = os.Remove(f.Name())
}

// secret returns the secret in the file under key, nil if there is none.
func (s *section) secret(key string) *auth.Secret {
	path := s.private(key)
	if path == "" {
		return nil
	}
	secret, err := auth.ReadSecret(path)
	if err != nil {
		s.Error(key, "%v", err)
		return nil
	}
	if text, err := secret.Text(); err != nil || !httpguts.ValidHeaderFieldValue(text) {
		s.Error(key, "%s has several lines, or characters that an HTTP header cannot have; it must hold only the secret", path)
		return nil
	}
	s.found.secrets = append(s.found.secrets, path)
	return secret
}

// open records that a port is opened on hosts, and reports an error if it is already. It
// returns the addresses with the port.
func (s *section) open(hosts []string, port int, path string, n *yaml.Node) []string {
	var joined []string
	opened := s.found.addresses
	for _, host := range hosts {
		for _, a := range opened {
			if port != 0 && a.port == port && overlap(a.host, host) {
				s.Doc.Error(path, n, "%s is already the port of %s; choose another", net.JoinHostPort(host, strconv.Itoa(port)), a.path)
				break
			}
		}
		s.found.addresses = append(s.found.addresses, address{host, port, path})
		joined = append(joined, net.JoinHostPort(host, strconv.Itoa(port)))
	}
	return joined
}

// warn warns about s as a whole.
func (s *section) warn(what string, args ...any) { s.Doc.Warn(s.Path, s.Position(), what, args...) }

// warnSkipped warns that changes are skipped because they have no routing.
func (s *section) warnSkipped(changes string) {
	s.Warn("routing", "missing; changes %s are skipped; write routing: {mode: skip} if that is intended", changes)
}
