package fake

import (
	"net/http"
	"strings"
	"sync"
)

// Secrets is a fake of Secrets Manager: an http.Handler with the operation GetSecretValue of
// the current version. Its methods may be called by several goroutines at once.
type Secrets struct {
	faults faults[SecretsCall]

	mu    sync.Mutex
	texts map[string]secretValue // by ARN
	reads int
}

// secretValue is the value of a secret: SecretString or SecretBinary.
type secretValue struct {
	text   *string
	binary []byte
}

// SecretsCall is a call of Secrets Manager.
type SecretsCall struct {
	Call

	SecretID string // as the call has it
}

// NewSecrets returns a Secrets without secrets.
func NewSecrets() *Secrets { return &Secrets{texts: map[string]secretValue{}} }

// SecretARN returns the ARN of a secret. AWS adds a hyphen and six characters to its name.
func SecretARN(name string) string {
	return "arn:aws:secretsmanager:" + Region + ":" + Account + ":secret:" + name + "-AbCdEf"
}

// SetText makes text the current version of a secret, and creates it if it is not there.
func (s *Secrets) SetText(name, text string) {
	s.set(name, secretValue{text: &text})
}

// SetBinary is like SetText for a secret that is not text.
func (s *Secrets) SetBinary(name string, value []byte) { s.set(name, secretValue{binary: value}) }

func (s *Secrets) set(name string, v secretValue) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.texts[SecretARN(name)] = v
}

// Reads returns how often a value was asked for.
func (s *Secrets) Reads() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.reads
}

// Fail makes fault see each call before it is handled, one at a time. A nil fault ends this.
func (s *Secrets) Fail(fault func(*SecretsCall)) { s.faults.set(fault) }

var secretsProtocol = rpc{target: "secretsmanager", contentType: "application/x-amz-json-1.1", signedFor: "secretsmanager"}

// getSecretValue is the request.
type getSecretValue struct {
	SecretID     string `json:"SecretId"`
	VersionID    string `json:"VersionId"`
	VersionStage string
}

// ServeHTTP implements [http.Handler].
func (s *Secrets) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body := readBody(r)
	call, in := &SecretsCall{}, getSecretValue{}
	operation, err := secretsProtocol.operation(r)
	if err == nil && operation != "GetSecretValue" {
		err = &rpcError{"UnknownOperationException", "The fake has no operation " + operation + "."}
	}
	if err == nil {
		err = unmarshal(body, &in)
	}
	if err != nil {
		call.serve(w, r, refuseSecrets, func() answer { return refuseSecrets(err.code, err.message, 0) })
		return
	}
	call.Operation, call.SecretID = operation, in.SecretID
	s.mu.Lock()
	s.reads++
	s.mu.Unlock()
	s.faults.apply(call)
	call.serve(w, r, refuseSecrets, func() answer { return s.value(&in) })
}

// value returns the current version of a secret.
func (s *Secrets) value(in *getSecretValue) answer {
	s.mu.Lock()
	defer s.mu.Unlock()
	v, ok := s.texts[in.SecretID]
	switch {
	case in.VersionID != "" || in.VersionStage != "":
		return refuseSecrets("InvalidParameterException", "The fake has only current versions.", 0)
	case !strings.HasPrefix(in.SecretID, "arn:"):
		return refuseSecrets("ValidationException", "The fake finds secrets by ARN.", 0)
	case !ok:
		return refuseSecrets("ResourceNotFoundException", "Secrets Manager can't find the specified secret.", 0)
	}
	return secretsProtocol.respond(struct {
		ARN           string
		SecretString  *string  `json:",omitempty"`
		SecretBinary  []byte   `json:",omitempty"`
		VersionStages []string // of the version
	}{in.SecretID, v.text, v.binary, []string{"AWSCURRENT"}})
}

func refuseSecrets(code, message string, status int) answer {
	if status == 0 {
		status = http.StatusBadRequest
		if code == "InternalServiceError" {
			status = http.StatusInternalServerError
		}
	}
	return secretsProtocol.refuse(status, "", code, message)
}
