package change

import "errors"

// A verdict is how the walk of a change ended, as an error: nil means delivered
// (or skipped by routing), an unmarked error means try again, and an error
// marked by Permanent means that trying again cannot help. Unmarked is the
// default, so a forgotten case may repeat a change but never lose one.

type permanent struct{ error }

func (p permanent) Unwrap() error { return p.error }

// Permanent marks err: repeating the same change cannot succeed. Only the room
// that knows may say so. Permanent(nil) is nil.
func Permanent(err error) error {
	if err == nil {
		return nil
	}
	return permanent{err}
}

// IsPermanent reports whether err, or an error it wraps, was marked by
// [Permanent]. Of joined errors all must be: one that is worth trying again
// makes the whole worth it.
func IsPermanent(err error) bool {
	for ; err != nil; err = errors.Unwrap(err) {
		if _, ok := err.(permanent); ok { //nolint:errorlint // the loop unwraps
			return true
		}
		if joined, ok := err.(interface{ Unwrap() []error }); ok {
			return allPermanent(joined.Unwrap())
		}
	}
	return false
}

func allPermanent(errs []error) bool {
	for _, err := range errs {
		if !IsPermanent(err) {
			return false
		}
	}
	return len(errs) > 0
}
