package daemon

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"sync"
	"testing"

	"golang.org/x/sys/unix"
	"kernel.org/pub/linux/libs/security/libcap/cap"

	"sesame/daemon/account"
	"sesame/daemon/openfile"
)

const becomingName = "SESAME_TEST_BECOMING"

// TestRealBecome becomes another user in processes of its own.
func TestRealBecome(t *testing.T) {
	if os.Getenv(becomingName) != "" {
		becomeHere(t, os.Getenv(becomingName))
		return
	}
	if os.Geteuid() != 0 {
		t.Skip("not root: nothing to give up")
	}
	secret := t.TempDir() + "/secret"
	if err := os.WriteFile(secret, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), "/proc/self/exe", "-test.run=^TestRealBecome$", "-test.v")
	cmd.Env, cmd.Dir = append(os.Environ(), becomingName+"="+secret), "/"
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	text := string(out)
	for _, want := range []string{
		"without CAP_SETUID: root has no CAP_SETUID here\n", "without CAP_SETGID: root has no CAP_SETGID here\n", "without CAP_CHOWN: root has no CAP_CHOWN here\n",
		"may: <nil>\n", "become: <nil>\n", "again: <nil>\n",
		"threads: 12345 12345 12345 12345|12346 12346 12346 12346|7 9|0000000000000000|" + netRawAndAdmin + "|" + netRawAndAdmin + "|" + netRawAndAdmin + "|0000000000000000|1\n",
		"dumpable: 1 <nil>\n", "open: <nil>\n", "secret: permission denied\n", "packet socket: <nil>\n", "chroot: operation not permitted\n", "root: operation not permitted\n", "program: 12345 0000000000000000\n",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("expected the line %q in\n%s", want, text)
		}
	}
}

// becomeHere becomes user 12345, and prints what this process is then.
func becomeHere(t *testing.T, secret string) {
	var ready, end sync.WaitGroup
	end.Add(1)
	defer end.Done()
	for range 8 { // threads that were there before
		ready.Add(1)
		go func() {
			runtime.LockOSThread()
			ready.Done()
			end.Wait()
		}()
	}
	ready.Wait()
	for _, value := range []cap.Value{cap.SETUID, cap.SETGID, cap.CHOWN} {
		have := cap.GetProc()
		less := cap.GetProc()
		if err := errors.Join(less.SetFlag(cap.Effective, false, value), less.SetProc()); err != nil {
			t.Fatal(err)
		}
		fmt.Printf("without %s: %v\n", naming([]cap.Value{value}), MayBecome())
		if err := have.SetProc(); err != nil {
			t.Fatal(err)
		}
	}
	fmt.Println("may:", MayBecome())
	fmt.Println("become:", Become(account.User{Name: "x", ID: 12345, Group: 12346, Groups: []int{7, 9}}))
	_, err := dropPrivileges(false)
	fmt.Println("again:", err)

	names := []string{"Uid", "Gid", "Groups", "CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb", "NoNewPrivs"}
	seen := map[string]bool{}
	tasks, _ := os.ReadDir("/proc/self/task")
	for _, task := range tasks {
		status, err := os.ReadFile("/proc/self/task/" + task.Name() + "/status")
		if err != nil {
			continue // it has ended
		}
		var all []string
		for _, name := range names {
			all = append(all, strings.Join(strings.Fields(field(string(status), name)), " "))
		}
		seen[strings.Join(all, "|")] = true
	}
	for line := range seen {
		fmt.Println("threads:", line)
	}
	if len(seen) != 1 || len(tasks) < 8 {
		t.Errorf("%d threads in %d states", len(tasks), len(seen))
	}
	dumpable, err := unix.PrctlRetInt(unix.PR_GET_DUMPABLE, 0, 0, 0, 0)
	fmt.Println("dumpable:", dumpable, err)
	file, _, err := openfile.Regular("/etc/passwd") // by /proc/self/fd
	if file != nil {
		file.Close()
	}
	fmt.Println("open:", err)
	_, _, err = openfile.Regular(secret)
	if failed, ok := errors.AsType[*fs.PathError](err); ok {
		err = failed.Err
	}
	fmt.Println("secret:", err)
	fd, err := unix.Socket(unix.AF_PACKET, unix.SOCK_RAW, 0)
	fmt.Println("packet socket:", err)
	unix.Close(fd)
	fmt.Println("chroot:", unix.Chroot("/"))
	fmt.Println("root:", unix.Setuid(0))
	out, err := exec.CommandContext(t.Context(), "/bin/cat", "/proc/self/status").Output()
	if err != nil {
		t.Fatal(err)
	}
	fmt.Println("program:", strings.Fields(field(string(out), "Uid"))[0], field(string(out), "CapEff"))
}
