package knockd_test

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"sesame/daemon/engine"
	"sesame/daemon/packet"
	"sesame/daemon/transcript"
	"sesame/scripting"
	"sesame/scripting/knockd"
	"sesame/scripting/source/sourcetest"
)

const oneTimeFile = "# used 1,2,3\n 4000,5000:udp\n4000,6000\n 7000,8000\nno sequence:sctp\n"

// confs are files that knockd takes, from the plainest to the oddest.
var confs = map[string]string{
	"nothing":    "",
	"seed":       "[options]\nUseSyslog\n[openSSH]\nsequence = 7000,3000,55000,1500\nseq_timeout = 5\ncommand = /etc/init.d/ssh start\ntcpflags = syn\n[closeSSH]\nsequence = 9000,8000,7000\nseq_timeout = 5\ncommand = /etc/init.d/ssh stop\ntcpflags = syn\n",
	"two doors":  "[A]\nsequence=7000,8000,9000\ntcpflags=syn\nseq_timeout=5\ncommand=open %IP%\n[B]\nsequence=1111,2222\nseq_timeout=5\ncommand=other %IP% %IP%\nstop_command=shut %IP%\n",
	"shared":     "[C]\nsequence=1,2,3\n[D]\nsequence=1,4,5\ncommand=echo\n[E]\nsequence=1\ncmd_timeout=3\ncommand=start\nstop_command=stop\n",
	"flags":      "[A]\nsequence=7000,8000\ntcpflags=syn,!ack,!urg\n[B]\nsequence=7000,8000:udp\ntcpflags=!syn\n[C]\nsequence=8000:udp,8000\ntcpflags=fin,psh,ack\n",
	"targets":    "[A]\nsequence=7000,8000\ntarget=192.0.2.7\ncommand=a\n[B]\nsequence=7000,8000\ntarget=2001:db8::7\ncommand=b\n[C]\nsequence=7000,8000\ncommand=c\n[D]\nsequence=7000\ntarget=example.org\ncommand=d\n",
	"families":   "[A]\nsequence=7000\ncommand=four %IP%\ncommand_6=six %IP%\nstop_command=shut\n[B]\nsequence=8000\ncommand=four\ncommand_6=\n[C]\nsequence=9000\ncommand_6=six\nstop_command_6=shut six\n[D]\nsequence=7000,8000\ncommand=same\nstop_command=shut\nstop_command_6=\n[E]\nsequence=1\nstop_command=never\n",
	"one time":   "[A]\none_time_sequences=/etc/otp\nseq_timeout=10\ntcpflags=syn\ncommand=a\n[B]\none_time_sequences=/etc/otp\nsequence=7000,9000\ncommand=b\nstop_command=c\n",
	"no times":   "[A]\nsequence=7000,8000\nseq_timeout=0\ncommand=a\n[B]\nsequence=9000\nseq_timeout=-1\ncmd_timeout=0\ncommand=b\nstop_command=c\n[C]\nsequence=1,,2:udp\ntimeout=3600\ncmd_timeout=86400\ncommand=c\nstop_command=d\n",
	"odd names":  "[]]\nsequence=7000\ncommand=a\n[end]\nsequence=8000\ncommand=b\n[end]\nsequence=9000\ncommand=c\n[2 doors]\nsequence=1\ncommand=d\n[\xff\xfe]\nsequence=2\ncommand=e\n[\"quoted\\\" }{ %IP%]\nsequence=1111\ncommand=f\n[Öffne ssh -- sesame]\nsequence=2222\ncommand=g\n[ options ]\nsequence=4000\ncommand=h\n[end_6]\nsequence=5000\ncommand=i\n[sesame]\nsequence=6000\ncommand=j\ncommand_6=k\n",
	"odd bytes":  "[A]\nsequence=7000\ncommand=echo \"{%IP%}\" '{{x}}' \\ \\n $HOME `id` \xff\xfe \u202e é \x1b[1m %ip% %IP%}{\nstop_command=}{ -- ]]\n",
	"udp":        "[A]\nsequence=7000:udp,8000:udp\ncommand=a\n[B]\nsequence=7000:udp,9000:udp\ntcpflags=fin,!ack\ncommand=b\n",
	"same again": "[A]\nsequence=7000,7000\ncommand=a\n[A]\nsequence=7000,8000\ncommand=a\n[A-2]\nsequence=8000\n",
}

// outside gives the one file of one-time sequences.
func outside(path string) ([]byte, error) {
	if path != "/etc/otp" {
		return nil, os.ErrNotExist
	}
	return []byte(oneTimeFile), nil
}

func parse(t testing.TB, text string) *knockd.File {
	t.Helper()
	file, err := knockd.Parse("/etc/knockd.conf", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return file
}

func load(t testing.TB, script string) *scripting.Set {
	t.Helper()
	set, err := scripting.Load(sourcetest.Files(map[string]string{"knockd.lua": script, "/etc/otp": oneTimeFile}), scripting.Options{})
	if err != nil {
		t.Fatalf("%v\n%s", err, script)
	}
	t.Cleanup(set.Close)
	return set
}

// sameDoors compares what decides. Functions are compared by what they do.
var sameDoors = cmp.Options{
	cmpopts.IgnoreFields(engine.Door{}, "Script", "Owner", "File", "Line", "Group", "Handler", "TTL"),
	cmpopts.EquateComparable(netip.Addr{}),
	cmpopts.EquateEmpty(),
}

// TestScriptMeansTheSame loads what was written: its doors are those of the file,
// and whatever happens to both, they decide the same.
func TestScriptMeansTheSame(t *testing.T) {
	for name, text := range confs {
		t.Run(name, func(t *testing.T) {
			file := parse(t, text)
			doors, err := file.EngineDoors("knockd.lua", outside)
			if err != nil {
				t.Fatal(err)
			}
			set := load(t, file.Script(knockd.ScriptOptions{}))
			if diff := cmp.Diff(doors, set.Engine.Doors, sameDoors); diff != "" {
				t.Fatalf("doors (-file +script):\n%s\n%s", diff, file.Script(knockd.ScriptOptions{}))
			}
			opens := 0
			for seed := range uint64(20) {
				want, _ := live(&engine.Set{Doors: doors}, seed)
				got, n := live(set.Engine, seed)
				if opens += n; got != want {
					t.Fatalf("seed %d (-file +script):\n%s", seed, cmp.Diff(want, got))
				}
			}
			t.Logf("%d opens", opens)
		})
	}
}

// live returns the transcript of a random history in which doors are often
// knocked as they should be, and how often one opened.
func live(set *engine.Set, seed uint64) (string, int) {
	now := time.Date(2026, 3, 2, 10, 0, 0, 0, time.UTC)
	var text bytes.Buffer
	out, random, e := transcript.NewJSON(&text), rand.New(rand.NewPCG(seed, 4)), engine.New(engine.Config{}, now)
	take := func(events []engine.Event) {
		for queue := slices.Clone(events); len(events) > 0; {
			out.Events(queue)
			events = nil
			for _, event := range queue {
				if event.ID != 0 {
					events = append(events, e.Result(now, event.ID, nil)...)
				}
			}
			queue = events
		}
	}
	take(e.Swap(now, set))
	flags := []packet.Flags{packet.SYN, packet.SYN, packet.SYN, packet.SYN | packet.ACK, packet.FIN | packet.PSH | packet.ACK, 0}
	for n := 1; n < 150; {
		source, dest, six := fmt.Sprintf("203.0.113.%d", 1+random.IntN(2)), []string{"192.0.2.1", "192.0.2.7"}[random.IntN(2)], random.IntN(3) == 0
		if six {
			source, dest = fmt.Sprintf("2001:db8::10:%d", 1+random.IntN(2)), []string{"2001:db8::1", "2001:db8::7"}[random.IntN(2)]
		}
		var knocks []engine.Knock
		if len(set.Doors) > 0 {
			knocks = set.Doors[random.IntN(len(set.Doors))].Sequence
		}
		if len(knocks) == 0 || random.IntN(4) == 0 {
			knocks = []engine.Knock{{Port: packet.Port{Proto: packet.TCP, Number: []uint16{4000, 6000, 7000, 8000}[random.IntN(4)]}}}
		}
		flag := flags[random.IntN(len(flags))]
		for _, knock := range knocks {
			now = now.Add(time.Duration(random.IntN(2000)) * time.Millisecond)
			p := packet.Packet{
				Time: now, Number: n, Source: netip.MustParseAddr(source), Dest: netip.MustParseAddr(dest),
				SourcePort: uint16(10000 + n), Port: knock.Port, Sequence: uint32(n),
			}
			if n++; knock.Port.Proto == packet.TCP {
				if p.Flags = flag; random.IntN(8) > 0 && knock.Flags.Set != 0 {
					p.Flags = knock.Flags.Set
				}
			}
			take(e.Packet(&p))
		}
	}
	for next, some := e.Next(); some; next, some = e.Next() {
		now = next
		take(e.Tick(now))
	}
	if err := out.Flush(); err != nil {
		panic(err)
	}
	return text.String(), e.Counts().Opens
}

// TestScriptSaysIt holds what somebody who reads the script must find in it.
func TestScriptSaysIt(t *testing.T) {
	for _, tt := range []struct {
		name, conf string
		native     bool
		want       []string
	}{
		{"where knockd's options go", "[options]\nlogfile=/var/log/k\nusesyslog\ninterface=eth1\npidfile=/run/k", false, []string{
			"\nsesame.policy \"knockd\"\n", `logfile = /var/log/k  ->  [log] knockd = "/var/log/k"`, "[log] knockd_syslog = true", `interfaces = ["eth1"]`, "pidfile = /run/k  ->  none is needed"}},
		{"what it means that options are missing", "", false, []string{"no log  ->", "no interface: eth0, or what -i names  ->  everywhere"}},
		{"a warning, at its door", "[A]\nsequence=7000/udp,8000\n", false, []string{"knockd.conf:2: \"7000/udp\" is tcp/7000 to knockd"}},
		{"flags that are missing", "[A]\nsequence=7000,9000,8000", false, []string{`flags    = "any",  -- none in the file: any TCP packet is a knock`}},
		{"a door that never opens", "[A]\nsequence=1,2\ntarget=example.org\ncommand=open", false, []string{"left out", "-- sesame.door \"A\" {\n", `"/bin/sh", "-c", "open",`}},
		{"braces and the source", "[A]\nsequence=1,2\ncommand={%IP%}", false, []string{`"/bin/sh", "-c", "{{{source}}}",`}},
		{"a command that is too long", "[A]\nsequence=1,2\ncommand=" + strings.Repeat("{", 3000), false, []string{"Its command cannot be run, so that nothing is done: it has more than 4096 bytes", "It was: {{{{"}},
		{"a stop at once", "[A]\nsequence=1,2\ncommand=a\nstop_command=b\ncmd_timeout=0", false, []string{`ttl     = "1ms",  -- at once, as knockd does`}},

		{"a guard with its time", "[A]\nsequence=1,2\ncommand=ufw allow from %IP% to any port 22 proto tcp\nstop_command=ufw delete allow from %IP% to any port 22 proto tcp\ncmd_timeout=90", true,
			[]string{`guards   = "tcp/22"`, `ttl      = "90s",` + "\n", "knockd runs: ufw allow", "and after 90s: ufw delete allow"}},
		{"a guard that another door shuts", "[A]\nsequence=1,2\ncommand=iptables -A INPUT -s %IP% -p tcp --dport 22 -j ACCEPT\n[B]\nsequence=2,1\ncommand=iptables -D INPUT -s %IP% -p tcp --dport 22 -j ACCEPT", true,
			[]string{`ttl      = "1h",  -- knockd never shut it by itself`, `on_open  = function(attempt) attempt:close "A" end`}},
		{"one knock that shuts two", "[A]\nsequence=1,2\ncommand=ufw allow from %IP% to any port 22 proto tcp\n[C]\nsequence=1,3\ncommand=ufw allow from %IP% to any port 22 proto tcp\n[B]\nsequence=2,1\ncommand=ufw delete allow from %IP% to any port 22 proto tcp", true,
			[]string{"attempt:close \"A\"\n    attempt:close \"C\"\n"}},
		{"for both families", "[A]\nsequence=1,2\ncommand=iptables -A INPUT -s %IP% -p tcp --dport 22 -j ACCEPT\ncommand_6=ip6tables -A INPUT -s %IP% -p tcp --dport 22 -j ACCEPT", true, []string{`guards   = "tcp/22"`, "knockd runs: iptables", "knockd runs: ip6tables"}},
		{"several ports", "[A]\nsequence=1,2\ncommand=iptables -A INPUT -s %IP% -p tcp -m multiport --dports 80,443 -j ACCEPT", true, []string{`guards   = { "tcp/80", "tcp/443" }`}},
		{"a guard with the time of its command", "[A]\nsequence=1,2\ncommand=firewall-cmd --timeout=5m --add-rich-rule='rule source address=%IP% port port=22 protocol=tcp accept'", true,
			[]string{`ttl      = "5m",  -- the timeout of its command`}},
		{"a guard whose command ends before it is stopped", "[A]\nsequence=1,2\ncommand=firewall-cmd --timeout=5 --add-rich-rule='rule source address=%IP% port port=22 protocol=tcp accept'\nstop_command=firewall-cmd --remove-rich-rule='rule source address=%IP% port port=22 protocol=tcp accept'", true,
			[]string{`ttl      = "5s",  -- the timeout of its command`}},
		{"a guard that is stopped before its command ends", "[A]\nsequence=1,2\ncmd_timeout=4\ncommand=firewall-cmd --timeout=5 --add-rich-rule='rule source address=%IP% port port=22 protocol=tcp accept'\nstop_command=firewall-cmd --remove-rich-rule='rule source address=%IP% port port=22 protocol=tcp accept'", true,
			[]string{`ttl      = "4s",` + "\n"}},
		{"other times for IPv6", "[A]\nsequence=1,2\ncommand=firewall-cmd --timeout=5 --add-rich-rule='rule source address=%IP% port port=22 protocol=tcp accept'\ncommand_6=firewall-cmd --add-rich-rule='rule source address=%IP% port port=22 protocol=tcp accept'", true,
			[]string{"it does something else for IPv6 than for IPv4"}},
		{"a command that stays", "[A]\nsequence=1,2\ncommand=/etc/init.d/ssh start", true, []string{`It stays a command: "/etc/init.d/ssh" is none of`, "local A = sesame.command"}},
		{"a stop that stays", "[A]\nsequence=1,2\ncommand=ufw allow from %IP% to any port 22\nstop_command=logger done", true, []string{`It stays a command: of its stop command, "logger" is none of`}},
		{"a stop for IPv4 alone", "[A]\nsequence=1,2\ncommand=ufw allow from %IP% to any port 22\nstop_command=ufw delete allow from %IP% to any port 22\nstop_command_6=", true, []string{
			"of its stop command, it is for one kind of address, and a guard is for IPv4 and IPv6"}},
		{"a stop of something else", "[A]\nsequence=1,2\ncommand=ufw allow from %IP% to any port 22\nstop_command=ufw delete allow from %IP% to any port 23", true, []string{"its stop command does not take back what its start command does"}},
		{"a start that shuts", "[A]\nsequence=1,2\ncommand=ufw delete allow from %IP% to any port 22\nstop_command=ufw allow from %IP% to any port 22", true, []string{"it shuts first, and opens afterwards"}},
		{"shutting what nobody opens", "[A]\nsequence=1,2\ncommand=ufw delete allow from %IP% to any port 22", true, []string{"it takes back what no door here gives"}},
		{"only one family", "[A]\nsequence=1,2\ncommand=ufw allow from %IP% to any port 22\ncommand_6=", true, []string{"it is for one kind of address"}},
		{"another thing for IPv6", "[A]\nsequence=1,2\ncommand=ufw allow from %IP% to any port 22\ncommand_6=ufw allow from %IP% to any port 23", true, []string{"it does something else for IPv6 than for IPv4"}},
		{"an opener that is unreachable", "[A]\nsequence=1,2\ntarget=x\ncommand=ufw allow from %IP% to any port 22\n[B]\nsequence=2,1\ncommand=ufw delete allow from %IP% to any port 22", true, []string{"it takes back what no door here gives"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			script := parse(t, tt.conf).Script(knockd.ScriptOptions{Native: tt.native})
			for _, want := range tt.want {
				if !strings.Contains(flat(script), flat(want)) {
					t.Errorf("it does not say %q:\n%s", want, script)
				}
			}
			load(t, script)
		})
	}
}

// TestFlagsOfUDP: the flags of a door of UDP alone define which TCP packets, to ports
// of other doors, end an attempt in it.
func TestFlagsOfUDP(t *testing.T) {
	script := parse(t, "[A]\nsequence=7000:udp,8000:udp\n[B]\nsequence=7000:udp,8000:udp\ntcpflags=!ack\n").Script(knockd.ScriptOptions{})
	for _, want := range []string{`flags    = "any",  -- none in the file: any TCP packet that counts ends an attempt`, `flags    = "!ack",`} {
		if !strings.Contains(script, want) {
			t.Errorf("it does not say %q:\n%s", want, script)
		}
	}
}

// TestEndsOfGuards: a guard ends, and so does a door that knockd left open.
func TestEndsOfGuards(t *testing.T) {
	const allow = "ufw allow from %IP% to any port 22\n"
	ends := parse(t, "[A]\nsequence=1,2\ncommand="+allow+"[B]\nsequence=2,1\ncommand="+allow+"stop_command=ufw delete allow from %IP% to any port 22\n[C]\nsequence=2,3\ncommand=x\n").EndingGuards()
	want := []knockd.Warning{{Line: 3, Door: "A", Text: "knockd never shuts by itself what this opens, and a guard of Sesame ends, here after 1h: write another ttl in the script if that is too soon"}}
	if diff := cmp.Diff(want, ends); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// flat returns a script without what makes it pretty: lines and columns.
func flat(script string) string {
	return strings.Join(strings.Fields(strings.ReplaceAll(script, "\n-- ", " ")), " ")
}

// doorsOfOneName returns a file with door_3 and n doors whose names have no character that a
// variable may have. All of them want the variable "door".
func doorsOfOneName(n int) string {
	var conf strings.Builder
	conf.WriteString("[door_3]\nsequence=1,2\ncommand=x\n")
	for i := range n {
		fmt.Fprintf(&conf, "[%c]\nsequence=1,2\ncommand=x\n", 0x4e00+i)
	}
	return conf.String()
}

// TestManyVariablesOfOneName makes a script of 20,000 doors that all want one variable. Each try of
// a name makes a string, so the number of allocations shows how many names are tried: for four
// times the doors it may be four times as many, and not sixteen times.
func TestManyVariablesOfOneName(t *testing.T) {
	work := func(n int) float64 {
		file := parse(t, doorsOfOneName(n))
		return testing.AllocsPerRun(1, func() { file.Script(knockd.ScriptOptions{}) })
	}
	if few, many := work(500), work(2000); many > 5*few {
		t.Errorf("500 doors take %v allocations and 2,000 doors %v: want at most five times as many", few, many)
	}
	script := parse(t, doorsOfOneName(20_000)).Script(knockd.ScriptOptions{})
	var given []string
	for line := range strings.Lines(script) {
		if name, found := strings.CutPrefix(line, "local "); found {
			given = append(given, strings.Fields(name)[0])
		}
	}
	if want := []string{"door_3", "door", "door_2", "door_4"}; !slices.Equal(given[:4], want) {
		t.Errorf("the first are %q, want %q", given[:4], want)
	}
	if slices.Sort(given); len(slices.Compact(given)) != 20_001 {
		t.Error("some are given twice")
	}
}

// TestScriptOfManyDoors has more commands than Lua has local variables.
func TestScriptOfManyDoors(t *testing.T) {
	var conf strings.Builder
	for i := range 300 {
		fmt.Fprintf(&conf, "[door %d]\nsequence=%d,%d\ncommand=open %d\n", i, i+1, i+1000, i)
	}
	file := parse(t, conf.String())
	if set := load(t, file.Script(knockd.ScriptOptions{})); len(set.Engine.Doors) != 300 {
		t.Errorf("%d doors, want 300", len(set.Engine.Doors))
	}
}

// FuzzScript writes scripts of whatever knockd takes: each loads, and has the
// doors of the file.
func FuzzScript(f *testing.F) {
	for _, text := range confs {
		f.Add([]byte(text), false)
		f.Add([]byte(text), true)
	}
	f.Fuzz(func(t *testing.T, text []byte, native bool) {
		file, err := knockd.Parse("/etc/knockd.conf", text)
		if err != nil {
			t.Skip()
		}
		for i := range file.Doors {
			if d := &file.Doors[i]; d.OneTime != "" {
				d.OneTime = "/etc/otp"
			}
		}
		script := file.Script(knockd.ScriptOptions{Native: native})
		if again := file.Script(knockd.ScriptOptions{Native: native}); again != script {
			t.Fatalf("it is not the same twice:\n%s", cmp.Diff(script, again))
		}
		if len(script) > 200<<10 {
			t.Skip()
		}
		doors, err := file.EngineDoors("knockd.lua", outside)
		if err != nil {
			t.Fatal(err)
		}
		ignore := cmp.Options{sameDoors}
		if native || strings.Contains(script, "cannot be run") {
			ignore = append(ignore, cmpopts.IgnoreFields(engine.Door{}, "Guards", "Hooks"))
		}
		if diff := cmp.Diff(doors, load(t, script).Engine.Doors, ignore); diff != "" {
			t.Fatalf("doors (-file +script):\n%s\n%s", diff, script)
		}
	})
}
