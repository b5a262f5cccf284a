//go:build race

package changetest

// Raced reports whether the race detector is on. Everything is many times slower then, and a
// sync.Pool forgets at random.
const Raced = true
