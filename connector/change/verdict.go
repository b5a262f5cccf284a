package change

import "errors"

// A verdict is the result of a change, as an error: nil means delivered (or skipped by
// routing), an error means retry, and an error marked by Permanent means that a retry cannot
// help. Unmarked is the default, so a forgotten case may repeat a change but never lose one.

type permanent struct{ error }

func (p permanent) Unwrap() error { return p.error }

// Permanent marks err: repeating the same change cannot succeed. Only the package that knows
// may mark an error. Permanent(nil) is nil.
func Permanent(err error) error {
	if err == nil {
		return nil
	}
	return permanent{err}
}

// IsPermanent reports whether err, or an error that it wraps, is marked by [Permanent].
// Joined errors are permanent if all of them are.
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
