package config

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"

	"golang.org/x/net/http/httpguts"

	"github.com/aerosink/aerosink/connector/deliver/auth"
)

// maxFile is the size of the largest file that a configuration may name, in bytes.
const maxFile = 1 << 20

// pathOf returns the path under key of a kind of thing, from the configuration's
// folder on. It returns "" when there is none.
func (s *section) pathOf(key, kind string) string {
	if s.hollow(key, "name a "+kind) {
		return ""
	}
	path := s.text(key, "")
	if path == "" || filepath.IsAbs(path) {
		return path
	}
	return filepath.Join(s.doc.folder, path)
}

// file returns the path under key of a file that can be read, and "" when there is
// none, or when it is elsewhere.
func (s *section) file(key string) string {
	path, _ := s.stat(key)
	return path
}

// private is file for what nobody else should read.
func (s *section) private(key string) string {
	path, info := s.stat(key)
	if info != nil && info.Mode().Perm()&0o004 != 0 {
		s.warn(key, "everybody on this machine may read it; chmod o-r %s", path)
	}
	return path
}

func (s *section) stat(key string) (string, fs.FileInfo) {
	path := s.pathOf(key, "file")
	if path == "" || s.doc.elsewhere {
		return "", nil
	}
	info, err := os.Stat(path)
	switch {
	case err != nil:
		s.fault(key, "%v; a relative path starts at the folder of the configuration", err)
		return "", nil
	case !info.Mode().IsRegular():
		s.fault(key, "%s is no regular file", path)
		return "", nil
	case info.Size() > maxFile:
		s.fault(key, "%s has %d bytes, and at most %d make sense", path, info.Size(), maxFile)
		return "", nil
	}
	f, err := os.Open(path)
	if err != nil {
		s.fault(key, "%v; let the user of the connector read it", err)
		return "", nil
	}
	_ = f.Close() // nothing was written to it
	return path, info
}

// checkFolder reports a folder in which no file can be made. One that is not there is
// made when the connector starts, if that can be done in the folder around it.
func (s *section) checkFolder(key, folder string) {
	if s.doc.elsewhere {
		return
	}
	tried := folder
	info, err := os.Stat(folder)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		tried = filepath.Dir(folder)
	case err == nil && !info.IsDir():
		s.fault(key, "%s is no folder", folder)
		return
	}
	f, err := os.CreateTemp(tried, ".aerosink-check-*")
	if err != nil {
		var reason *fs.PathError
		if errors.As(err, &reason) {
			err = reason.Err // without the name of the file
		}
		s.fault(key, "nothing can be made in %s: %v; make it if it is missing, and let the user of the connector write there", tried, err)
		return
	}
	_ = f.Close() // nothing was written to it
	_ = os.Remove(f.Name())
}

// secret returns what the file under key holds, and nil when there is none.
func (s *section) secret(key string) *auth.Secret {
	path := s.private(key)
	if path == "" {
		return nil
	}
	secret, err := auth.ReadSecret(path)
	if err != nil {
		s.fault(key, "%v", err)
		return nil
	}
	if text, err := secret.Text(); err != nil || !httpguts.ValidHeaderFieldValue(text) {
		s.fault(key, "%s has several lines, or letters that cannot stand in an HTTP header; leave only the secret in it", path)
		return nil
	}
	s.doc.secrets = append(s.doc.secrets, path)
	return secret
}
