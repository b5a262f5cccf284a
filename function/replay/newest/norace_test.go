//go:build !race

package newest_test

const raced = false
