package control

import (
	"context"
	"net"
	"net/http"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"sesame/daemon/terminal"
)

// A Caller is who sends a request.
type Caller struct {
	// The kernel tells these, as they were when the connection was opened (SO_PEERCRED).
	UID, GID uint32
	PID      int
	// Claims are what the client says of itself. Nobody proves them.
	Claims Claims
}

// Claims are what a client says of itself, for the audit log. Each may be left out.
type Claims struct {
	Command  string // of sesame, such as "edit"
	Login    string // the user, by number, that logged in: /proc/self/loginuid
	SudoUser string // the name of the user that called sudo
	Address  string // where the session is from
}

// maxClaim bounds a claim, in bytes.
const maxClaim = 64

// headers returns where a request has each claim.
func (c *Claims) headers() map[string]*string {
	return map[string]*string{
		"Sesame-Command": &c.Command, "Sesame-Login": &c.Login, "Sesame-Sudo-User": &c.SudoUser, "Sesame-Address": &c.Address,
	}
}

// write puts the claims into a request.
func (c *Claims) write(h http.Header) {
	for name, claim := range c.headers() {
		if text := claimed(*claim); text != "" {
			h.Set(name, text)
		}
	}
}

// read takes the claims from a request.
func (c *Claims) read(h http.Header) {
	for name, claim := range c.headers() {
		*claim = claimed(h.Get(name))
	}
}

// claimed returns a claim on one line that a terminal can show.
func claimed(text string) string {
	text = strings.Join(strings.Fields(terminal.Printable(text)), " ")
	if len(text) > maxClaim {
		text = strings.ToValidUTF8(text[:maxClaim], "")
	}
	return text
}

// LoginOf returns the user, by number, that a login program noted for a text of
// /proc/PID/loginuid; false: there was no login, as for a service.
func LoginOf(text string) (uid uint32, known bool) {
	const none = 1<<32 - 1 // proc(5)
	n, err := strconv.ParseUint(strings.TrimSpace(text), 10, 32)
	return uint32(n), err == nil && n != none
}

// callerKey is the key of a request's context for its caller.
type callerKey struct{}

// CallerOf returns who sent the request with this context; false: it is of no request.
func CallerOf(ctx context.Context) (Caller, bool) {
	c, ok := ctx.Value(callerKey{}).(Caller)
	return c, ok
}

// withCaller returns a request whose context has its caller.
func withCaller(r *http.Request) *http.Request {
	c, ok := CallerOf(r.Context())
	if !ok {
		return r
	}
	c.Claims.read(r.Header)
	return r.WithContext(context.WithValue(r.Context(), callerKey{}, c))
}

func connContext(ctx context.Context, c net.Conn) context.Context {
	p, ok := c.RemoteAddr().(peer)
	if ok && p.user != nil {
		ctx = context.WithValue(ctx, callerKey{}, Caller{UID: p.user.Uid, GID: p.user.Gid, PID: int(p.user.Pid)})
	}
	return context.WithValue(ctx, allowedKey{}, ok && p.allowed)
}

// userOf returns who opened a connection.
func userOf(c *net.UnixConn) (user *unix.Ucred, err error) {
	raw, err := c.SyscallConn()
	if err != nil {
		return nil, err
	}
	var failed error
	if err := raw.Control(func(fd uintptr) {
		user, failed = unix.GetsockoptUcred(int(fd), unix.SOL_SOCKET, unix.SO_PEERCRED)
	}); err != nil {
		return nil, err
	}
	return user, failed
}
