//go:build race

package newest_test

// raced reports whether the race detector is on, which makes everything many times
// slower.
const raced = true
