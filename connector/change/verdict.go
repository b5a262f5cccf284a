package change

import "errors"

type permanent struct{ error }

func (p permanent) Unwrap() error { return p.error }

// Permanent marks a verdict as permanent. A verdict is the result of a change, as an error:
// nil means delivered, or skipped by routing; an error means that the change is to be retried;
// an error marked by Permanent means that a retry cannot help. Mark an error only where it is
// certain that the same bytes can never succeed. Unmarked is the default, so a forgotten case
// may repeat a change but never lose one. Permanent(nil) is nil.
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
