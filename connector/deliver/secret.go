package deliver

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"sync"
	"time"
)

// Secret is a text in a file, such as a token. It follows the file: what is
// written there counts within a second.
type Secret struct {
	path string

	mu      sync.Mutex
	text    string
	file    os.FileInfo // that text is of
	checked time.Time
}

// secretAge is for how long a secret is taken to be what it was.
const secretAge = time.Second

// ReadSecret returns the secret in the file at path.
func ReadSecret(path string) (*Secret, error) {
	s := &Secret{path: path}
	_, err := s.Text()
	return s, err
}

// Text returns what the file holds, without white space around it. A file that
// can no longer be read counts with what it held.
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

// forget makes the next Text look at the file.
func (s *Secret) forget() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.checked = time.Time{}
}
