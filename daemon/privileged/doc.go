//go:build linux

// Package privileged turns requests of the process that judges packets into what needs root: it
// reads files that only root can read, runs declared commands and their undos, and comments out
// one-time sequences that were used.
//
// Who talks to whom:
//
//   - The daemon parses packets and runs Lua. It is an ordinary user with CAP_NET_RAW and
//     CAP_NET_ADMIN. It has a [Client], and is not believed: whoever takes it over can send
//     anything.
//   - The helper is root, and has a [Server]. It parses no packet and runs no Lua. It reads and
//     watches the scripts and the files that they name, and sends what it read.
//   - The loader is a child of the helper that lives for one set, see [Load]. It is user nobody,
//     and can open no file and no socket. It loads the set from its standard input, and prints a
//     manifest: which files the set names, which doors it has and which commands it declares. So
//     what may run is what root's files declare.
//   - The daemon names a command by the hash of its declaration, and gives the values of its
//     placeholders. The helper looks the declaration up in the manifest, checks each value, fills
//     the placeholders itself and runs the result.
//   - The daemon may read what lies below the directory of the scripts, as captures that tests
//     name: the helper opens a file there, and sends its descriptor, which is for reading alone.
//   - What may run is what the newest set declares that loads, and what the set declares that the
//     daemon applied last: it may refuse the newest, as when a test of it fails. During a trial it
//     is what both sets declare, the one on trial and the one that may return.
//   - The daemon may also name a set elsewhere, beside the scripts or below a path of the key
//     readable. What that declares may run once the daemon says that it runs it.
//   - A command with an undo is in the helper's journal before it runs. The journal lies in a
//     directory that the daemon cannot write. The daemon asks for an undo by the hash of its
//     arguments, and gets it only when it is owed. At a start the daemon names the undos that it
//     knows of, and the helper runs the others.
//
// A helper is reached at a socket, which systemd starts it for ([Activated], [Server.ServeAt]), or
// by a connection that a daemon of root made before it became another user ([Pair]). A daemon of
// root needs none.
//
// The daemon and the helper speak over a Unix socket of the type SOCK_SEQPACKET. message.go is the
// protocol. A message that breaks it ends the connection.
package privileged
