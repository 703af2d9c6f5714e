package firewall

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// sshd starts OpenSSH's server at the server's tcp/22, for the key that it returns the path of.
func (a *attack) sshd() (key string) {
	a.t.Helper()
	a.needs("sshd", "ssh", "ssh-keygen", "unshare")
	dir := a.t.TempDir()
	key = filepath.Join(dir, "key")
	a.run("", "ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", key)
	config := strings.Join([]string{"HostKey " + key, "AuthorizedKeysFile " + key + ".pub", "StrictModes no", "UsePAM no", "UseDNS no",
		"PermitRootLogin yes", "PidFile none", "ListenAddress 0.0.0.0:22", "ListenAddress [::]:22", ""}, "\n")
	must(a.t, os.WriteFile(filepath.Join(dir, "config"), []byte(config), 0o600))
	// It wants a directory below /run: it has a /run of its own.
	server := exec.Command("unshare", "-m", "sh", "-c", `mount -t tmpfs none /run && mkdir /run/sshd && exec "$(command -v sshd)" -D -e -f "$1"`, "sh", filepath.Join(dir, "config"))
	var log strings.Builder
	server.Stderr = &log
	must(a.t, server.Start())
	a.t.Cleanup(func() {
		_ = server.Process.Kill()
		_ = server.Wait()
		if a.t.Failed() {
			a.t.Logf("# sshd: %s", log.String())
		}
	})
	return key
}

// client runs a program at the client, and returns what it prints, and whether it succeeded.
func (a *attack) client(stdin string, argv ...string) (out string, ok bool) {
	a.t.Helper()
	a.needs(argv[0])
	a.tries++
	a.atClient(func() {
		c := exec.Command(argv[0], argv[1:]...)
		c.Stdin = strings.NewReader(stdin)
		said, err := c.CombinedOutput()
		out, ok = string(said), err == nil
	})
	return out, ok
}

// TestRealSSH has real clients at a real server: they are refused as by a closed port, get in with
// a grant, and keep their session after it.
func TestRealSSH(t *testing.T) {
	a := newAttack(t)
	key := a.sshd()
	// The host key is also the user's.
	ssh := func(address string, command ...string) []string {
		return append([]string{"ssh", "-F", "none", "-i", key, "-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null", "-o", "LogLevel=ERROR", "-o", "BatchMode=yes",
			"root@" + address}, command...)
	}
	eventually(t, "sshd serves", func() bool { return a.reaches("", server4) && a.reaches("", server6) })
	g := a.guarded(GuardConfig{}, tcp22)
	for _, address := range []string{serverAddress, server6Address} {
		if out, ok := a.client("", ssh(address, "echo", "inside")...); ok || !strings.Contains(out, "Connection refused") {
			t.Errorf("%s: ssh without a grant: %q: expected that the connection is refused", address, out)
		}
		if out, ok := a.client("hello\n", "ncat", "-n", "-w", "5s", address, "22"); ok || !strings.Contains(out, "Connection refused") {
			t.Errorf("%s: ncat without a grant: %q: expected that the connection is refused", address, out)
		}
		if out, ok := a.client("hello\n", "ncat", "-n", "-w", "5s", address, "81"); ok || !strings.Contains(out, "Connection refused") {
			t.Errorf("%s: ncat at a closed port: %q", address, out)
		}
		source := map[string]string{serverAddress: clientAddress, server6Address: client6Address}[address]
		apply(t, g, element(source, tcp22, time.Minute))
		if out, ok := a.client("", ssh(address, "echo", "inside")...); !ok || out != "inside\n" {
			t.Errorf("%s: ssh with a grant: %q", address, out)
		}
		if out, _ := a.client("SSH-2.0-ncat\r\n", "ncat", "-n", "-w", "5s", "--send-only", "-v", address, "22"); !strings.Contains(out, "Connected") {
			t.Errorf("%s: ncat with a grant: %q", address, out)
		}
		// The session begins with the grant, and says more after it.
		session := exec.Command("ssh", ssh(address, "cat")[1:]...)
		stdin, err := session.StdinPipe()
		must(t, err)
		stdout, err := session.StdoutPipe()
		must(t, err)
		a.atClient(func() { must(t, session.Start()) })
		say := func(what string) {
			_, err := stdin.Write([]byte(what))
			must(t, err)
			got := make([]byte, len(what))
			n, err := stdout.Read(got)
			if err != nil || string(got[:n]) != what {
				t.Errorf("%s: the session says %q, %v", address, got[:n], err)
			}
		}
		say("during the grant")
		apply(t, g, element(source, tcp22, 0))
		say("after the grant")
		if out, ok := a.client("", ssh(address, "echo", "inside")...); ok || !strings.Contains(out, "Connection refused") {
			t.Errorf("%s: ssh after the grant: %q", address, out)
		}
		must(t, stdin.Close())
		must(t, session.Wait())
	}
}
