// Package plural writes counts in messages for people.
package plural

import "strconv"

// Of returns n and the noun, with an s unless n is 1.
func Of(n int, noun string) string {
	if n != 1 {
		noun += "s"
	}
	return strconv.Itoa(n) + " " + noun
}
