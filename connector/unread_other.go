//go:build !linux

package connector

import "net"

// unreadOf returns a function that returns how many bytes of a TCP connection are in the
// system's buffer. That is known only on Linux.
func unreadOf(net.Conn) func() int { return func() int { return 0 } }
