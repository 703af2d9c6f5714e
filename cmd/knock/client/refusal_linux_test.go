package client

import (
	"encoding/binary"
	"syscall"
	"testing"
)

// TestExtendedError reads control messages of the error queue, whole ones and others.
func TestExtendedError(t *testing.T) {
	message := func(level, kind int32, errno uint32, origin, icmpType, code byte, length int) syscall.SocketControlMessage {
		data := binary.NativeEndian.AppendUint32(nil, errno)
		data = append(append(data, origin, icmpType, code, 0), make([]byte, 24)...)
		return syscall.SocketControlMessage{Header: syscall.Cmsghdr{Level: level, Type: kind}, Data: data[:length]}
	}
	const refusal = uint32(syscall.ECONNREFUSED)
	for name, tt := range map[string]struct {
		message syscall.SocketControlMessage
		want    icmpError
		ok      bool
	}{
		"IPv4":                   {message(syscall.SOL_IP, syscall.IP_RECVERR, refusal, originICMP, 3, 3, 32), icmpError{false, 3, 3}, true},
		"IPv6":                   {message(syscall.SOL_IPV6, syscall.IPV6_RECVERR, refusal, originICMP6, 1, 4, 32), icmpError{true, 1, 4}, true},
		"no offender":            {message(syscall.SOL_IP, syscall.IP_RECVERR, refusal, originICMP, 3, 10, 16), icmpError{false, 3, 10}, true},
		"cut off":                {message(syscall.SOL_IP, syscall.IP_RECVERR, refusal, originICMP, 3, 3, 15), icmpError{}, false},
		"empty":                  {message(syscall.SOL_IP, syscall.IP_RECVERR, refusal, originICMP, 3, 3, 0), icmpError{}, false},
		"an error of our own":    {message(syscall.SOL_IP, syscall.IP_RECVERR, refusal, 1, 0, 0, 32), icmpError{}, false},
		"another kind":           {message(syscall.SOL_IP, syscall.IP_TTL, refusal, originICMP, 3, 3, 32), icmpError{}, false},
		"no error, a time stamp": {message(syscall.SOL_IP, syscall.IP_RECVERR, 0, originICMP, 3, 3, 32), icmpError{}, false},
	} {
		if got, ok := extendedError(tt.message); ok != tt.ok || ok && got != tt.want {
			t.Errorf("%s: got %+v, %v, want %+v, %v", name, got, ok, tt.want, tt.ok)
		}
	}
}
