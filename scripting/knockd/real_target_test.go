//go:build linux

package knockd

import (
	"bufio"
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// listens reports whether knockd continues after reading: then it can make a filter
// of what the file says.
func (k *realKnockd) listens(t *testing.T, text string) bool {
	t.Helper()
	path := filepath.Join(k.dir, "knockd.conf")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	cmd := exec.CommandContext(ctx, k.program, "-v", "-i", k.host.Interface, "-c", path)
	cmd.Dir = k.dir
	cmd.Env = append(os.Environ(), "RES_OPTIONS=timeout:1 attempts:1", "LOCALDOMAIN=.") // nobody resolves names there
	out, err := cmd.StdoutPipe()
	if err == nil {
		err = k.host.Do(cmd.Start)
	}
	if err != nil {
		t.Fatal(err)
	}
	listening := false
	for lines := bufio.NewScanner(out); !listening && lines.Scan(); {
		listening = strings.HasPrefix(lines.Text(), "listening on ")
	}
	if expired := ctx.Err(); expired != nil {
		t.Fatalf("knockd neither listens nor stops: %v, of\n%s", expired, text)
	}
	cancel()
	_ = cmd.Wait() // it was killed, or stopped with 1
	return listening
}

// TestRealKnockdListensForTargets compares which targets keep knockd from starting.
func TestRealKnockdListensForTargets(t *testing.T) {
	k := newRealKnockd(t)
	for _, target := range []string{
		"203.0.113.5", "203.0.113.05", "2001:db8::1", "2001:DB8::1", "::ffff:203.0.113.5", "localhost", "10.0", "10",
		"203.0.113.0/24", "203.0.113.5/32", "203.0.113.5/33", "203.0.113.5/", "/24", "203.0.113.5/a", "203.0.113.5/-1", "10/8", "10.0/16", "localhost/24",
		"2001:db8::/32", "2001:db8::1/128", "2001:db8::1/0128", "fe80::1%eth0", "",
	} {
		conf := door + "target = " + target + "\n"
		_, err := Parse("knockd.conf", []byte(conf))
		if listens := k.listens(t, conf); listens != (err == nil) {
			t.Errorf("target = %s: knockd listens: %v, and here the error is %v", target, listens, err)
		}
	}
	if k.listens(t, door+"target = gate.invalid\n") {
		t.Error("knockd listens for a name that does not resolve")
	}
}
