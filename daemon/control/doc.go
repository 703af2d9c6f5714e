// Package control turns HTTP requests on a unix socket into calls of the running daemon. It has
// the server, which the daemon runs, and the client, which the subcommands use.
//
// Requests are HTTP/1.1 with JSON bodies, under /v1. A client can do what the daemon can do. So
// the server checks the user of every connection with SO_PEERCRED: only root and the user that
// the daemon runs as are served.
//
// api.go has the requests and answers, status.go and counts.go the longest answer, server.go
// the routes. socket.go makes sure that a path has one daemon. tail.go holds the latest events,
// so that no reader ever blocks the daemon.
package control

// Version is the version of the requests and their answers, and a part of each path. It is raised
// when one of them changes its meaning. New requests and new fields do not raise it: a daemon that
// does not know them says so.
const Version = 1
