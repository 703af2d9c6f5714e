// Package control turns requests on a unix socket into calls of the running
// daemon, and its answers into values for whoever asked.
//
// The requests are HTTP/1.1 with JSON bodies, under /v1. Who may open the
// socket may do what the daemon does, so the kernel is asked about every
// connection: it is served when it is root's, or the daemon's own user's.
//
// Read [API] for what can be asked, status.go for the longest answer,
// socket.go for how one daemon has one socket, tail.go for how the transcript
// is followed without a reader ever holding up the daemon.
package control
