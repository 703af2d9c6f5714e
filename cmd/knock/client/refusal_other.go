//go:build !linux

package client

import "syscall"

// A refusalReader knows nothing on systems that do not tell an ICMP error from a reset.
type refusalReader struct{}

func newRefusalReader() *refusalReader { return &refusalReader{} }

func (*refusalReader) control(string, string, syscall.RawConn) error { return nil }

func (*refusalReader) close() {}

func (*refusalReader) told() bool { return false }

func (*refusalReader) icmp() (icmpError, bool) { return icmpError{}, false }
