package deliver

import "context"

// Auth authenticates the connector to a destination.
type Auth interface {
	// Authorization returns the value of that header, or an error when there is
	// none to be had before ctx ends.
	Authorization(ctx context.Context) (string, error)

	// Rejected says that the destination answered 401 to value.
	Rejected(value string)
}

// Bearer sends the token that a file holds.
type Bearer struct{ Token *Secret }

// Authorization implements [Auth].
func (b Bearer) Authorization(context.Context) (string, error) {
	token, err := b.Token.Text()
	return "Bearer " + token, err
}

// Rejected implements [Auth]: the file is read again.
func (b Bearer) Rejected(string) { b.Token.forget() }
