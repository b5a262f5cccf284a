package connector

import (
	"net"

	"golang.org/x/sys/unix"
)

// unreadOf returns a function that returns how many bytes of a TCP connection are in the
// system's buffer.
func unreadOf(conn net.Conn) func() int {
	tcp, ok := conn.(*net.TCPConn)
	if !ok {
		return func() int { return 0 }
	}
	return func() (n int) {
		raw, err := tcp.SyscallConn()
		if err != nil {
			return 0 // the connection is closed
		}
		err = raw.Control(func(fd uintptr) { n, err = unix.IoctlGetInt(int(fd), unix.SIOCINQ) })
		if err != nil {
			return 0
		}
		return n
	}
}
