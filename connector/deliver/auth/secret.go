package auth

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"sync"
	"time"
)

// Secret is a text in a file, such as a token. Changes to the file take effect within a
// second. It may be used by several goroutines at once.
type Secret struct {
	path string

	mu      sync.Mutex
	text    string
	file    os.FileInfo // that text was read from
	checked time.Time
}

// secretAge is how long the text is used before the file is checked again.
const secretAge = time.Second

// ReadSecret returns the secret in the file at path. It fails if the file cannot be read
// or is empty.
func ReadSecret(path string) (*Secret, error) {
	s := &Secret{path: path}
	_, err := s.Text()
	return s, err
}

// Text returns the content of the file without surrounding white space. If the file can
// no longer be read, it returns the last content.
func (s *Secret) Text() (string, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if now := time.Now(); now.Sub(s.checked) >= secretAge {
		s.checked = now
		if err := s.read(); err != nil && s.file == nil {
			return "", err
		}
	}
	return s.text, nil
}

func (s *Secret) read() error {
	info, err := os.Stat(s.path)
	if err != nil {
		return err
	}
	if s.file != nil && info.ModTime().Equal(s.file.ModTime()) && info.Size() == s.file.Size() && os.SameFile(info, s.file) {
		return nil
	}
	content, err := os.ReadFile(s.path)
	if err != nil {
		return err
	}
	text := bytes.TrimSpace(content)
	if len(text) == 0 {
		return fmt.Errorf("read %s: %w", s.path, errEmptySecret)
	}
	s.text, s.file = string(text), info
	return nil
}

var errEmptySecret = errors.New("the file is empty")

// forget makes the next Text check the file.
func (s *Secret) forget() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.checked = time.Time{}
}
