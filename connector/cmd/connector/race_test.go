//go:build race

package main

// raced says that the race detector looks on, and everything takes many times as
// long.
const raced = true
