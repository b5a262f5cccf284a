package deliver

import (
	"context"

	"cloud.google.com/go/auth/credentials/idtoken"
)

// askGoogle returns an identity token for audience: from the key file that
// GOOGLE_APPLICATION_CREDENTIALS names, or else from the metadata server. The
// library would keep the token for an hour whatever its life is, so every token
// is of credentials of its own.
func askGoogle(ctx context.Context, audience string) (string, error) {
	credentials, err := idtoken.NewCredentials(&idtoken.Options{Audience: audience})
	if err != nil {
		return "", err
	}
	token, err := credentials.Token(ctx)
	if err != nil {
		return "", err
	}
	return token.Value, nil
}
