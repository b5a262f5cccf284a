// Package auth supplies the Authorization header of requests to destinations: the token
// in a file ([Bearer]), or an identity token from Google ([GoogleIDToken]). It also reads
// secrets from files that may change while the connector runs ([Secret]).
package auth

import "context"

// Source supplies the Authorization header of requests to a destination.
type Source interface {
	// Authorization returns the value of the header. It fails if there is none
	// before ctx ends.
	Authorization(ctx context.Context) (string, error)

	// Rejected reports that the destination answered 401 to value.
	Rejected(value string)
}

// Bearer is a [Source] of the token in a file.
type Bearer struct{ Token *Secret }

// Authorization implements [Source].
func (b Bearer) Authorization(context.Context) (string, error) {
	token, err := b.Token.Text()
	return "Bearer " + token, err
}

// Rejected implements [Source]: the next request checks the file.
func (b Bearer) Rejected(string) { b.Token.forget() }
