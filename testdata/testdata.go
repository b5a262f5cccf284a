// Package testdata holds what the tests and the local pipeline play: see
// xdr.jsonl for XDR messages, payloads for request bodies as Aerospike's own
// connector sends them, and the *.txtar stories.
package testdata

import _ "embed"

// XDR is xdr.jsonl: captures of real nodes, constructed messages, malformed ones
// and replies, a JSON object a line.
//
//go:embed xdr.jsonl
var XDR []byte
