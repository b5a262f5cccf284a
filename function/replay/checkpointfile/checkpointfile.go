// Package checkpointfile keeps the progress of a long command in a file, as JSON, so that the
// same command can continue after an interruption. The path "" keeps nothing.
package checkpointfile

import (
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// Load reads the file into checkpoint, which is a pointer. It returns false if there is none.
func Load(path string, checkpoint any) (bool, error) {
	if path == "" {
		return false, nil
	}
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("read checkpoint: %w", err)
	}
	if err := json.Unmarshal(text, checkpoint); err != nil {
		return false, fmt.Errorf("%s is not a checkpoint: %w; name another file", path, err)
	}
	return true, nil
}

// Save replaces the file in one step, so that it is complete at every moment.
func Save(path string, checkpoint any) error {
	if path == "" {
		return nil
	}
	text, err := json.MarshalIndent(checkpoint, "", "  ")
	if err != nil {
		return fmt.Errorf("write checkpoint: %w", err)
	}
	file, err := os.CreateTemp(filepath.Dir(path), filepath.Base(path)+".*")
	if err != nil {
		return fmt.Errorf("write checkpoint: %w; name a file in a directory that exists", err)
	}
	_, err = file.Write(append(text, '\n'))
	err = errors.Join(err, file.Sync(), file.Close())
	if err == nil {
		err = os.Rename(file.Name(), path)
	}
	if err != nil {
		return fmt.Errorf("write checkpoint: %w", errors.Join(err, os.Remove(file.Name())))
	}
	return nil
}

// Remove removes the file.
func Remove(path string) error {
	if path == "" {
		return nil
	}
	if err := os.Remove(path); err != nil {
		return fmt.Errorf("remove checkpoint: %w", err)
	}
	return nil
}

// Fingerprint identifies a command by its arguments, which JSON must be able to express.
func Fingerprint(arguments ...any) string {
	text, err := json.Marshal(arguments)
	if err != nil {
		panic("checkpointfile: " + err.Error())
	}
	return fmt.Sprintf("%x", sha256.Sum256(text))
}
