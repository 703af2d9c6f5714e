//go:build linux

package knockd

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"sesame/daemon/engine"
	"sesame/daemon/livetest"
	"sesame/daemon/packet"
)

// A real knockd reads files in a network without the interface that it is given,
// so that it stops after reading.
type realKnockd struct {
	program string
	host    *livetest.Host
	dir     string // of the files, and where it runs
}

func newRealKnockd(t *testing.T) *realKnockd {
	t.Helper()
	program, err := exec.LookPath("knockd")
	if err != nil {
		if program, err = exec.LookPath("/usr/sbin/knockd"); err != nil {
			t.Skip("needs knockd, which Debian has in the package of that name")
		}
	}
	return &realKnockd{program, livetest.New(t).Server, t.TempDir()}
}

// read returns what the real knockd says of a file: line by line what it read,
// as its option -D has it, and then why it stopped.
func (k *realKnockd) read(t *testing.T, text string) (output []string) {
	t.Helper()
	path := filepath.Join(k.dir, "knockd.conf")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	var out, problem bytes.Buffer
	cmd := exec.CommandContext(ctx, k.program, "-D", "-c", path)
	cmd.Dir, cmd.Stdout, cmd.Stderr = k.dir, &out, &problem
	err := k.host.Do(cmd.Start)
	if err == nil {
		err = cmd.Wait()
	}
	if exit, ok := errors.AsType[*exec.ExitError](err); !ok || exit.ExitCode() != 1 {
		t.Fatalf("knockd: %v: expected it to stop by itself with 1, of\n%s\n%s", err, text, problem.Bytes())
	}
	listing, _, refused := strings.Cut(out.String(), "usage: knockd")
	for line := range strings.Lines(listing) {
		if line = strings.TrimSuffix(line, "\n"); strings.HasPrefix(line, "config: ") {
			output = append(output, line)
		}
	}
	switch errs := problem.String(); {
	case refused && strings.HasPrefix(errs, "config: line "):
		line, _, _ := strings.Cut(strings.TrimPrefix(errs, "config: line "), ":")
		output = append(output, "refused: line "+line)
	case refused:
		output = append(output, "refused")
	case strings.Contains(errs, "could not open "):
		_, name, _ := strings.Cut(errs, "could not open ")
		name, _, _ = strings.Cut(name, ": ")
		output = append(output, "taken: "+name)
	default:
		t.Fatalf("knockd stopped for another reason:\n%s\n%s\nof\n%s", listing, errs, text)
	}
	return output
}

// ours returns the same of our reader.
func ours(text string) (output []string, err error) {
	f, err := Parse("knockd.conf", []byte(text))
	if err != nil {
		return []string{"refused"}, err
	}
	name := f.Options.Interface
	if name == "" {
		name = "eth0"
	}
	output = append(output, "taken: "+name)
	if f.Options.Syslog {
		output = append(output, "usesyslog")
	}
	output = append(output, "log file: "+f.Options.LogFile, "pid file: "+f.Options.PIDFile)
	for _, d := range f.Doors {
		output = append(output, "", "new section: '"+d.Section[:min(len(d.Section), maxSection)]+"'")
		if len(d.Sequence) > 0 {
			output = append(output, "sequence: "+listSequence(d.Sequence))
		}
		output = append(output, "one time sequences file: "+d.OneTime,
			fmt.Sprintf("seq_timeout: %d", d.Timeout), fmt.Sprintf("cmd_timeout: %d", d.CommandTimeout),
			"flags: "+listFlags(d.Flags), fmt.Sprint("target: ", d.Target, d.Unreachable), "start_command: "+d.Start.Text, "stop_command: "+d.Stop.Text)
		if d.Start6 != nil {
			output = append(output, "start_command_6: "+d.Start6.Text)
		}
		if d.Stop6 != nil {
			output = append(output, "stop_command_6: "+d.Stop6.Text)
		}
	}
	return output, nil
}

func listSequence(sequence []packet.Port) string {
	var list []string
	for _, p := range sequence {
		list = append(list, fmt.Sprintf("%d:%s", p.Number, p.Proto))
	}
	return strings.Join(list, ",")
}

func listFlags(test engine.FlagTest) string {
	return flagList(test.Set) + " not " + flagList(test.Clear)
}

// theirs sums up what the real knockd writes line by line, so that it can be
// compared: of each directive the last, and flags as they add up.
func theirs(output []string) (sum []string) {
	type section struct {
		name  string
		last  map[string]string
		flags engine.FlagTest
	}
	options, sections := map[string]string{}, []*section(nil)
	var at *section
	for _, line := range output[:len(output)-1] {
		line = strings.TrimPrefix(line, "config: ")
		if name, found := strings.CutPrefix(line, "new section: '"); found {
			if name = strings.TrimSuffix(name, "'"); name == "options" {
				at = nil
				continue
			}
			at = &section{name: name, last: map[string]string{"seq_timeout": "25", "cmd_timeout": "10"}}
			sections = append(sections, at)
			continue
		}
		if line == "usesyslog" {
			options[line] = "yes"
			continue
		}
		into := options
		if at != nil {
			line, into = strings.TrimPrefix(line, at.name[:min(len(at.name), maxName)]+": "), at.last
		}
		key, value, _ := strings.Cut(line, ": ")
		if key == "tcp flag" {
			at.flags, _ = addFlags(at.flags, value)
			continue
		}
		into[key] = value
	}
	sum = append(sum, output[len(output)-1])
	if options["usesyslog"] != "" {
		sum = append(sum, "usesyslog")
	}
	sum = append(sum, "log file: "+options["log file"], "pid file: "+options["pid file"])
	for _, s := range sections {
		sum = append(sum, "", "new section: '"+s.name+"'")
		if sequence, found := s.last["sequence"]; found {
			sum = append(sum, "sequence: "+sequence)
		}
		var d draft
		if target, found := s.last["target"]; found {
			d.setTarget(target)
		}
		sum = append(sum, "one time sequences file: "+s.last["one time sequences file"],
			"seq_timeout: "+s.last["seq_timeout"], "cmd_timeout: "+s.last["cmd_timeout"], "flags: "+listFlags(s.flags),
			fmt.Sprint("target: ", d.Target, d.Unreachable), "start_command: "+s.last["start_command"], "stop_command: "+s.last["stop_command"])
		for _, key := range []string{"start_command_6", "stop_command_6"} {
			if value, found := s.last[key]; found {
				sum = append(sum, key+": "+value)
			}
		}
	}
	return sum
}

// compare has a file read by both.
func (k *realKnockd) compare(t *testing.T, text string) {
	t.Helper()
	output := k.read(t, text)
	want, refused := theirs(output), strings.HasPrefix(output[len(output)-1], "refused")
	got, err := ours(text)
	if !refused && err != nil && !k.listens(t, text) {
		return // it takes the file, and then cannot listen for what stands in it
	}
	if !refused {
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("error %v, and what was read (-knockd +ours):\n%s\nof\n%q", err, diff, text)
		}
		return
	}
	problem, _ := errors.AsType[*SyntaxError](err)
	line, named := strings.CutPrefix(output[len(output)-1], "refused: line ")
	switch {
	case problem == nil:
		t.Errorf("knockd refuses what is taken here:\n%q", text)
	case named && line != strconv.Itoa(problem.Line):
		t.Errorf("knockd names line %s, and here the error is %v, of\n%q", line, err, text)
	}
}

// corpus has files that knockd takes and files that it refuses. No sequence is
// wrong where UseSyslog stands: knockd would write to the machine's log.
var corpus = []string{
	"", "\n\n", "# x", "[options]", "[options]\nUseSyslog", "usesyslog", "[a]", "[]", "[", "]", "[ ]\nsequence=1", "=", "[a]\n=", "[options]\n=",
	door, "[a]\r\nsequence = 1,2\r\n", "\v[a]\f\n\tsequence\t=\t1\v,\f2\n", "[a]\nsequence=1,2\n[a]\nsequence=3,4\n", "[a]\x00\nsequence=1\x00,2\n",
	"[a]\nSEQUENCE=1", "[a]\nsequence 1", "[a]\nsequence=", "[a]\nsequence=,", "[a]\nsequence=1,", "[a]\nsequence=x", "[a]\nsequence=0",
	"[a]\nsequence=65535", "[a]\nsequence=65536", "[a]\nsequence=-1", "[a]\nsequence=-65536,-65537,-99999", "[a]\nsequence=4294967297",
	"[a]\nsequence=2147483647", "[a]\nsequence=2147483648", "[a]\nsequence=4294967295", "[a]\nsequence=9223372036854775807", "[a]\nsequence=9223372036854775808",
	"[a]\nsequence=-9223372036854775808", "[a]\nsequence=-9223372036854775809", "[a]\nsequence=99999999999999999999999", "[a]\nsequence=+1,+ 1,++1,- 1,0x10,010",
	"[a]\nsequence=1/udp,2-5,3;4,5 6,7 # x", "[a]\nsequence=udp/1,tcp/2", "[a]\nsequence=1:udp,2:UDP,3: uDp ,4\t:\ttcp", "[a]\nsequence=1:", "[a]\nsequence=1::",
	"[a]\nsequence=1:icmp", "[a]\nsequence=1:udp:", "[a]\nsequence=1:udp:tcp:x", "[a]\nsequence=:udp", "[a]\nsequence=1:udp/x", "[a]\nsequence=1:ud p",
	"[a]\nsequence=1" + strings.Repeat(",1", 31), "[a]\nsequence=1" + strings.Repeat(",1", 32), "[a]\nsequence=1" + strings.Repeat(",", 31), "[a]\nsequence=1" + strings.Repeat(",", 32),
	"[a]\nsequence=1\nsequence=2,3", "[a]\nsequence=1\nsequence=x:y", "[a]\nsequence\u00a0= 1", "[a]\nsequence = \u00a01", "[a]\nsequence = 1\u0085",
	door + "seq_timeout=5", door + "timeout=5", door + "SEQ_timeout = -5", door + "seq_timeout = 5m", door + "seq_timeout = five", door + "seq_timeout =",
	door + "seq_timeout = 4294967296", door + "seq_timeout = 9223372036854775808", door + "cmd_timeout = 2147483648", door + "cmd_timeout=-1\ncmd_timeout = 0010",
	door + "seq_timeout = 0x10", door + "seq_timeout = 5\ntimeout = 6", door + "seqtimeout = 5",
	door + "tcpflags=syn", door + "tcpflags = SYN,!ack", door + "tcpflags = syn, ack", door + "tcpflags = syn ,ack", door + "tcpflags = ! syn", door + "tcpflags =",
	door + "tcpflags = ,", door + "tcpflags = syn,", door + "tcpflags = !", door + "tcpflags = !!syn", door + "tcpflags = syn\ntcpflags = !syn,ack", door + "tcpflags = fin,syn,rst,psh,ack,urg",
	door + "tcpflags = !fin,!syn,!rst,!psh,!ack,!urg", door + "tcpflags = ece", door + "tcpflags = push", door + "tcpflags = ſyn", door + "tcpflags", door + "tcpflag = syn",
	door + "target = 203.0.113.0/24", door + "target = 203.0.113.5/32\ntarget = 203.0.113.5", door + "target = 2001:db8::1/128", door + "target = fe80::1%eth0",
	door + "target = 203.0.113.5", door + "target = localhost", door + "target =", door + "target = 2001:DB8::1\ntarget = 203.0.113.5",
	door + "command = x", door + "start_command = x = y # z", door + "command = x\nstart_command = y", door + "command =\nstop_command = %IP%", door + "stop_command=a\nstop_command=b",
	door + "command_6 = x\nstart_command_6 = y", door + "start_command_6 =\nstop_command_6 =", door + "stop_6 = x", door + "startcommand = x", door + "command = \xff\x1b\xc3\xbc",
	door + "UseSyslog", door + "usesyslog = yes", door + "UseSyslog=", "[options]\nusesyslog = 1", "[options]\nUseSyslog # x", "[options]\n\tUSESYSLOG\t",
	"[options]\nlogfile = log\nLOGFILE = log2", "[options]\npidfile = /p", "[options]\ninterface = nowhere0\ninterface = nowhere1", "[options]\ninterface =\ninterface = nowhere1",
	"[options]\ninterface = " + strings.Repeat("x", 40), "[options]\nsequence = 1", "[options]\nlog_file = 1", door + "logfile = x", door + "interface = x", door + "[options]\npidfile = x\n[b]\nsequence = 2",
	"[Options]\nUseSyslog", "[OPTIONS]\nlogfile = x", "[ options ]\nsequence = 1,2", "[options ]\nlogfile = x", "[options]x", "[a] # x", door + "[b] # x", door + "[b] # x = y", door + "; x", door + "// x", door + "# x",
	door + "[b", door + "b]", door + "[b]\n[c]\nsequence = 1", door + "[b]\nx\n[]", "[a]b]\nsequence = 1", "[[a]]\nsequence = 1", "[]]\nsequence = 1", "[a\x00]\nsequence = 1", "\ufeff[a]\nsequence = 1", "\ufeff# x\n[a]\nsequence = 1", "\xff\xfe[\x00a\x00]\x00",
	"[" + strings.Repeat("x", 126) + "]\nsequence=1", "[" + strings.Repeat("x", 127) + "]\nsequence=1", "[" + strings.Repeat("x", 128) + "]\nsequence=1", "[" + strings.Repeat("x", 254) + "]\nsequence=1",
	"[" + strings.Repeat("x", 255) + "]\nsequence=1", "[" + strings.Repeat("x", 256) + "]\nsequence=1", "[" + strings.Repeat("x", 4000) + "]\nsequence=1",
	"#" + strings.Repeat("x", 4093) + "\n" + door, "#" + strings.Repeat("x", 4094) + "\n" + door, "#" + strings.Repeat("x", 4094) + door, "#" + strings.Repeat("x", 4095) + "\n" + door,
	"#" + strings.Repeat("x", 10_000) + "\n" + door, door + "command = " + strings.Repeat("x", 4084) + "\n", door + "command = " + strings.Repeat("x", 4085) + "\ny", door + "command = " + strings.Repeat("x", 4085) + "y",
	door + "command = " + strings.Repeat("x", 4085) + "seq_timeout = 3\n", "[a]\nsequence = 1" + strings.Repeat(" ", 4200) + "\nx", strings.Repeat("\n", 5000) + "x", strings.Repeat(" ", 9000) + "[a]\nx",
	"[a]\none_time_sequences = missing", "[a]\none_time_sequences =", "[a]\none_time_sequence = x",
}

// TestRealKnockdAgrees has the real knockd read files, and compares everything
// that it says of them.
func TestRealKnockdAgrees(t *testing.T) {
	k := newRealKnockd(t)
	for _, text := range corpus {
		if strings.Contains(text, "= missing") {
			continue // which is another file's fault
		}
		k.compare(t, text)
	}
	for _, name := range []string{"seed.conf", "sample.conf"} {
		text, err := os.ReadFile(filepath.Join("testdata", name))
		if err != nil {
			t.Fatal(err)
		}
		k.compare(t, strings.Replace(string(text), "/var/log/", "", 1))
	}
	t.Logf("%d files", len(corpus)+2)
}

// TestRealKnockdAgreesOnRandomFiles makes files of pieces that are odd in one way
// or another.
func TestRealKnockdAgreesOnRandomFiles(t *testing.T) {
	k := newRealKnockd(t)
	random := rand.New(rand.NewPCG(4, 7000))
	pick := func(all ...string) string { return all[random.IntN(len(all))] }
	rarely := func(wrong, right string) string {
		if random.IntN(40) == 0 {
			return wrong
		}
		return right
	}
	count, taken := 300, 0
	for range count {
		var b strings.Builder
		for range 1 + random.IntN(3) {
			b.WriteString(rarely("[x", pick("[a]", "[b]", "[a]", " [c d]\t", "[options]", "[Options]", "[a]]")) + pick("\n", "\r\n", "\n\n", " \n#x\n"))
			if strings.Contains(b.String(), "[options]") {
				b.WriteString(pick("", "LogFile = x\n", "pidfile=x=\n") + rarely("x = 1\n", "") + "[d]\n")
			}
			b.WriteString(rarely("", "sequence = 1,2:udp\n"))
			for range random.IntN(5) {
				switch random.IntN(8) {
				case 0:
					b.WriteString(pick("#", rarely(";", ""), " ") + rarely("x", "") + "\n")
					continue
				case 1, 2, 3:
					b.WriteString(pick("sequence", "SEQUENCE ", " Sequence\t") + pick("=", " = ", "=  ", "=\v"))
					for range 1 + random.IntN(5) {
						b.WriteString(rarely("65536", pick("1", "65535", "70", "-1", "x", "", " 8 ", "99999999999999999999", "4294967297", "7/udp", "7-9", "0")) +
							rarely(":sctp", pick("", "", "", ":tcp", ":udp", ": UDP ", ":udp:x")) + pick(",", ",", ",", " , ", ""))
					}
				case 4:
					b.WriteString(pick("tcpflags=", "TCPFlags = ") + rarely("syn, ack", pick("syn", "syn,!ack", "!SYN,fin")))
				default:
					b.WriteString(pick("seq_timeout", "Timeout", "CMD_TIMEOUT", "target", "command", "Start_Command_6", "stop_command", "command_6", "stop_command_6", rarely("zzz", "Start_Command")))
					b.WriteString(rarely("", pick("=", " = ", "= ")) + pick("", "5", "-5", "5s", "x", "%IP% = y", "203.0.113.5", "99999999999999999999", "2147483648"))
				}
				b.WriteString(pick("\n", "\n", "\n", " \r\n", "\x00x\n"))
			}
		}
		if _, err := Parse("", []byte(b.String())); err == nil {
			taken++
		}
		k.compare(t, b.String())
	}
	if taken < count/10 || taken > count*9/10 {
		t.Errorf("%d of %d files are right: expected some of each kind", taken, count)
	}
	t.Logf("%d of %d files are right", taken, count)
}

// TestRealKnockdTakesTheSameSequence compares the first sequence that is not used.
func TestRealKnockdTakesTheSameSequence(t *testing.T) {
	k := newRealKnockd(t)
	for _, text := range []string{
		"1,2\n3,4\n", "#1,2\n 3,4\n", " #1,2\n\t3 , 4:udp \r\n", "\n\n\n5", "70000\n5,6\n", "1:icmp\n5,6\n", "1,2:\n7\n",
		"1" + strings.Repeat(",1", 32) + "\n8,9\n", "hello\n1,2\n", ",\n", "[a]\n", "; x\n", "sequence = 1,2\n", "99999999999999999999\n", "1\v,2\f\n",
		"", "\n", "# x\n#y", "70000\n", "1:x\n#2\n",
	} {
		name := filepath.Join(k.dir, "sequences")
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		for _, conf := range []string{
			"[a]\none_time_sequences = sequences\n",
			"[a]\nsequence = 9\none_time_sequences = sequences\n",
			"[a]\none_time_sequences = sequences\nsequence = 9\n",
		} {
			k.compareFirst(t, conf, text)
		}
	}
}

// compareFirst compares the sequence that a door begins with. A knockd without
// any stops.
func (k *realKnockd) compareFirst(t *testing.T, conf, sequences string) {
	t.Helper()
	output := k.read(t, conf)
	want := "none"
	for _, line := range output {
		if sequence, found := strings.CutPrefix(line, "config: a: sequence: "); found {
			want = sequence
		}
	}
	left, _ := Unused([]byte(sequences))
	if stopped := output[len(output)-1] == "refused"; stopped != (len(left) == 0) {
		t.Errorf("knockd says %q, and here %d sequences are left, of\n%s", output, len(left), sequences)
	} else if stopped {
		return // here it is a door that cannot be opened
	}
	d := engineDoors(t, conf, func(string) ([]byte, error) { return []byte(sequences), nil })[0]
	var first []packet.Port
	for _, knock := range d.Sequence {
		first = append(first, knock.Port)
	}
	if got := listSequence(first); got != want {
		t.Errorf("the first sequence is %s, and %s to knockd, of\n%s\nwith\n%s", got, want, conf, sequences)
	}
}
