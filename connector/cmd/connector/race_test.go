//go:build race

package main

// raced reports whether the race detector is on, which makes everything many times
// slower.
const raced = true
