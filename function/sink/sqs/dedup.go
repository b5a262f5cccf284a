package sqs

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"hash/fnv"
	"strconv"

	"github.com/aerosink/aerosink/connector/change"
)

// isUnique reports whether no other change of the record has the same deduplication ID.
func isUnique(c *change.Change) bool { return c.LUT > 0 && c.Generation > 0 }

// appendID appends the deduplication ID of a change, such as
// 811c9dc5.AAAAAAAAAAAAAAAAAAAAAAAAAAA.mi9j5a00.7.durable-delete: hash of the namespace,
// digest, last update time and generation, both in base 36, and operation. It has at most 73
// of the characters that SQS allows, and is the same in all processes.
func appendID(dst []byte, c *change.Change) []byte {
	h := fnv.New32a()
	_, _ = h.Write([]byte(c.Namespace)) // never fails
	dst = hex.AppendEncode(dst, h.Sum(nil))
	dst = append(dst, '.')
	dst = base64.RawURLEncoding.AppendEncode(dst, c.Digest[:])
	dst = append(dst, '.')
	dst = strconv.AppendInt(dst, c.LUT, 36)
	dst = append(dst, '.')
	dst = strconv.AppendUint(dst, uint64(c.Generation), 36)
	dst = append(dst, '.')
	return append(dst, c.Op.String()...)
}

// packedID returns the deduplication ID of a message with these changes' IDs, which stand one
// after another.
func packedID(ids []byte) string {
	sum := sha256.Sum256(ids)
	return base64.RawURLEncoding.EncodeToString(sum[:])
}

// randomID returns a deduplication ID of at least 128 random bits, so that no other message
// has it.
func randomID() string { return rand.Text() }
