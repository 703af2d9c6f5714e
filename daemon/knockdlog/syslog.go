package knockdlog

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"sync/atomic"

	"github.com/hashicorp/go-hclog"
	"golang.org/x/sys/unix"

	"sesame/daemon/logfile"
)

// SystemSocket is the socket of the system's log.
const SystemSocket = "/dev/log"

// A systemLog sends lines to the system's log, as syslog(3) of libc does. The log may start
// later than the daemon, and restart: a line that cannot be sent makes one new connection.
// Write may block while the log does not read.
type systemLog struct {
	socket string
	log    hclog.Logger
	conn   atomic.Pointer[net.UnixConn] // nil: not connected
	lost   logfile.Failure              // of the last line
}

// Write sends each line of b, completely or not at all.
func (s *systemLog) Write(b []byte) (int, error) {
	for line := range bytes.Lines(b) {
		err := s.send(bytes.TrimSuffix(line, []byte("\n")))
		if s.lost.Set(err) {
			s.log.Warn("the system's log does not take the lines that knockd would write; what it misses is counted, and told when it does", "error", err)
		}
		if err != nil {
			return 0, err
		}
	}
	return len(b), nil
}

func (s *systemLog) send(line []byte) error {
	if conn := s.conn.Load(); conn != nil {
		err := sendTo(conn, line)
		if err == nil || errors.Is(err, net.ErrClosed) {
			return err
		}
		_ = conn.Close() // the other end is gone
		s.conn.Store(nil)
	}
	conn, err := dialSystemLog(s.socket)
	if err != nil {
		return err
	}
	s.conn.Store(conn)
	return sendTo(conn, line)
}

// dialSystemLog connects to a socket of either kind. Most logs use datagrams, some a stream.
func dialSystemLog(socket string) (*net.UnixConn, error) {
	conn, err := net.DialUnix("unixgram", nil, &net.UnixAddr{Name: socket, Net: "unixgram"})
	if errors.Is(err, unix.EPROTOTYPE) {
		conn, err = net.DialUnix("unix", nil, &net.UnixAddr{Name: socket, Net: "unix"})
	}
	if err != nil {
		return nil, fmt.Errorf("connecting to the system's log: %w", err)
	}
	return conn, nil
}

// sendTo sends a line. In a stream a zero byte ends it.
func sendTo(conn *net.UnixConn, line []byte) error {
	if conn.RemoteAddr().Network() == "unix" {
		line = append(bytes.Clone(line), 0)
	}
	_, err := conn.Write(line)
	return err
}

// Close closes the connection, which ends a blocked Write too.
func (s *systemLog) Close() error {
	if conn := s.conn.Load(); conn != nil {
		return conn.Close()
	}
	return nil
}
