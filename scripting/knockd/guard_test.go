package knockd

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestNativeCommands holds what a command is taken for. What a firewall would do
// otherwise than a guard must stay a command, so each line that is refused says
// what stands in the way.
func TestNativeCommands(t *testing.T) {
	for _, tt := range []struct{ command, want string }{
		{"iptables -A INPUT -s %IP% -p tcp --dport 22 -j ACCEPT", "adds tcp/22"},
		{"/usr/sbin/iptables -A INPUT -s %IP% -p tcp --dport 22 -j ACCEPT", "adds tcp/22"},
		{"/sbin/iptables -I INPUT 1 -s %IP%/32 -p udp --destination-port 1194 -j ACCEPT", "adds udp/1194"},
		{"iptables -w 5 --insert INPUT --source %IP% --protocol tcp -m tcp --dport=22 --jump ACCEPT", "adds tcp/22"},
		{"ip6tables --wait -D INPUT --src %IP% -p tcp -m multiport --dports 80,443 -j ACCEPT", "removes tcp/80 tcp/443"},
		{"iptables -A INPUT -p tcp -s %IP% --syn --dport 22 -m conntrack --ctstate NEW,ESTABLISHED -j ACCEPT", "adds tcp/22"},
		{`iptables -A INPUT -p tcp -s %IP% --dport 22 -m state --state NEW -m comment --comment "knocked in" -j ACCEPT`, "adds tcp/22"},
		{"iptables -A INPUT -i eth0 -s %IP% -p tcp --dport 22 -j ACCEPT", "adds tcp/22 (The rule is for what comes in through eth0 alone; a guard is for all interfaces.)"},
		{"iptables -A INPUT -s %IP% -p tcp --dport 22 -j ACCEPT && iptables -A INPUT -s %IP% -p udp --dport 53 -j ACCEPT", "adds tcp/22 udp/53"},
		{"iptables -A INPUT -s %IP% -p tcp --dport 22 -j ACCEPT; iptables -A INPUT -s %IP% -p tcp --dport 22 -j ACCEPT;", "adds tcp/22"},
		{"ufw allow from %IP% to any port 22", "adds tcp/22 udp/22"},
		{"/usr/sbin/ufw insert 1 allow in proto tcp from %IP% to any port 22", "adds tcp/22"},
		{"ufw allow from %IP% to any port 80,443 proto tcp", "adds tcp/80 tcp/443"},
		{"ufw delete allow from %IP% to any proto udp port 53", "removes udp/53"},
		{"ufw allow in on eth1 from %IP% to any port 22 proto tcp", "adds tcp/22 (The rule is for what comes in through eth1 alone; a guard is for all interfaces.)"},
		{"nft add rule inet filter input ip saddr %IP% tcp dport 22 accept", "adds tcp/22"},
		{"nft insert rule ip6 filter INPUT position 4 ip6 saddr %IP% udp dport 53 ct state new counter accept", "adds udp/53"},
		{"nft add rule inet filter input ip saddr %IP% tcp dport { 22, 80 } accept", "adds tcp/22 tcp/80"},
		{"nft add rule inet filter input ip saddr %IP% tcp dport '{22,80}' accept; nft 'add rule inet filter input ip saddr %IP% udp dport 53 accept'", "adds tcp/22 tcp/80 udp/53"},
		{`firewall-cmd --timeout=90 --add-rich-rule='rule source address=%IP% port port=22 protocol=tcp accept'`, "adds tcp/22 for 90s"},
		{`firewall-cmd --add-rich-rule='rule source address=%IP% port port=22 protocol=tcp accept' --timeout 2h`, "adds tcp/22 for 2h"},
		{`firewall-cmd --timeout=0 --add-rich-rule='rule source address=%IP% port port=22 protocol=tcp accept'`, "adds tcp/22"},
		{`firewall-cmd --add-rich-rule='rule family="ipv4" source address="%IP%" port port="22" protocol="tcp" accept'`, "adds tcp/22"},
		{`firewall-cmd --zone=public --remove-rich-rule 'rule source address=%IP% port protocol=tcp port=22 accept'`, "removes tcp/22 (The rule is for the zone public alone; a guard is for all interfaces.)"},

		{"", "it is empty"},
		{"/etc/init.d/ssh start", `"/etc/init.d/ssh" is none of iptables, ip6tables, ufw, nft and firewall-cmd`},
		{"sudo iptables -A INPUT -s %IP% -p tcp --dport 22 -j ACCEPT", `"sudo" is none of`},
		{"iptables -A INPUT -s %IP% -p tcp --dport 22 -j ACCEPT | logger", `"|" is for the shell to read`},
		{"iptables -A INPUT -s %IP% -p tcp --dport 22 -j ACCEPT & sleep 5", `"&" is for the shell to read`},
		{"iptables -A INPUT -s $(resolve %IP%) -p tcp --dport 22 -j ACCEPT", `"$" is for the shell to read`},
		{"iptables -A INPUT -s %IP% -p tcp --dport 22 -j ACCEPT 2>/dev/null", `">" is for the shell to read`},
		{"iptables -A INPUT -s %IP% -p tcp --dport 22 -j ACCEPT # ssh", `"#" is for the shell to read`},
		{`iptables -A INPUT -s %IP% -p tcp --dport "$PORT" -j ACCEPT`, "its quotes are for the shell to read"},
		{`iptables -A INPUT -s %IP% -p tcp --dport 22 -m comment --comment "half -j ACCEPT`, "its quotes are for the shell to read"},
		{"; iptables -A INPUT -s %IP% -p tcp --dport 22 -j ACCEPT", `nothing stands before a ";"`},
		{"iptables -A INPUT -s %IP% -p tcp --dport 22 -j ACCEPT; logger opened", `"logger" is none of`},
		{"iptables -D INPUT -s %IP% -p tcp --dport 22 -j ACCEPT; iptables -A INPUT -s %IP% -p tcp --dport 22 -j ACCEPT", "it opens and shuts at once"},
		{"iptables -A INPUT -p tcp --dport 22 -j ACCEPT", "it is for everyone, and not for %IP%"},
		{"iptables -A INPUT -s %IP%/24 -p tcp --dport 22 -j ACCEPT", `it is for "%IP%/24", and a grant is for the source that knocked`},
		{"iptables -A INPUT -s %IP% -j ACCEPT", "it is for all ports, and a guard needs their numbers"},
		{"iptables -A INPUT -s %IP% --dport 22 -j ACCEPT", "it is for all ports"},
		{"iptables -A INPUT -s %IP% -p icmp -j ACCEPT", `it is for the protocol "icmp"`},
		{"iptables -A INPUT -s %IP% -p tcp --dport 22:25 -j ACCEPT", `"22:25" is no port number`},
		{"iptables -A INPUT -s %IP% -p tcp --dport ssh -j ACCEPT", `"ssh" is no port number`},
		{"iptables -A INPUT -s %IP% -p tcp --dport 0 -j ACCEPT", `"0" is no port number`},
		{"iptables -A INPUT -s %IP% -p tcp --dport 65536 -j ACCEPT", `"65536" is no port number`},
		{"iptables -A INPUT -s %IP% -p tcp --dport 22 -j DROP", `its target is "DROP"`},
		{"iptables -A INPUT -s %IP% -p tcp --dport 22", `its target is ""`},
		{"iptables -A FORWARD -s %IP% -p tcp --dport 22 -j ACCEPT", `it is about the chain "FORWARD"`},
		{"iptables -t nat -A INPUT -s %IP% -p tcp --dport 22 -j ACCEPT", `"-t" is not understood`},
		{"iptables -A INPUT ! -s %IP% -p tcp --dport 22 -j ACCEPT", `"!" is for the shell to read`},
		{"iptables -A INPUT -s %IP% -d 192.0.2.1 -p tcp --dport 22 -j ACCEPT", `"-d" is not understood`},
		{"iptables -A INPUT -s %IP% -p tcp --sport 1024 --dport 22 -j ACCEPT", `"--sport" is not understood`},
		{"iptables -A INPUT -s %IP% -p tcp -m recent --set --dport 22 -j ACCEPT", `the match "recent" is not understood`},
		{"iptables -A INPUT -s %IP% -p tcp --dport 22 -m state --state ESTABLISHED -j ACCEPT", "it is for the states ESTABLISHED"},
		{"iptables -A INPUT -D INPUT -s %IP% -p tcp --dport 22 -j ACCEPT", "it does two things to a chain"},
		{"iptables -D INPUT 3", `"3" is not understood`},
		{"iptables -L", `"-L" is not understood`},
		{"iptables -A", `it is about the chain ""`},
		{"iptables", "it neither adds nor deletes a rule"},
		{"ufw allow 22", `"22" stands where from is expected`},
		{"ufw allow from %IP%", `"" stands where to is expected`},
		{"ufw allow from %IP% to any", "it is for all ports"},
		{"ufw allow from %IP% to 192.0.2.1 port 22", `"192.0.2.1" stands where any is expected`},
		{"ufw allow from %IP% port 1024 to any port 22", `"port" stands where to is expected`},
		{"ufw allow from %IP% to any port 22 proto tcp comment hello", `"comment" is not understood`},
		{"ufw deny from %IP% to any port 22", `"deny" stands where allow is expected`},
		{"nft add rule inet filter forward ip saddr %IP% tcp dport 22 accept", `it is about the chain "forward"`},
		{"nft add rule inet filter input ip saddr %IP% tcp dport {22,80} accept", `"{" is for the shell to read`},
		{"nft add rule inet filter input ip saddr %IP% tcp dport { 22 80 } accept", `"22 80" is no port number`},
		{"nft add rule inet filter input ip saddr %IP% tcp dport { 22-25 } accept", `"22-25" is no port number`},
		{"nft add rule inet filter input ip saddr %IP% tcp dport { 22", `"" stands where accept is expected`},
		{"{ iptables -A INPUT -s %IP% -p tcp --dport 22 -j ACCEPT; }", `"{" is for the shell to read`},
		{"nft add rule inet filter input ip saddr %IP% tcp dport 22 drop", `"drop" stands where accept is expected`},
		{"nft add element inet filter knocked { %IP% timeout 1h }", `it changes the set "knocked", and which ports that opens stands elsewhere`},
		{"nft delete element filter knocked '{ %IP% }'", `it changes the set "knocked", and which ports that opens stands elsewhere`},
		{"nft add element", `it changes the set "", and which ports that opens stands elsewhere`},
		{"firewall-cmd --permanent --add-rich-rule='rule source address=%IP% port port=22 protocol=tcp accept'", `"--permanent" is not understood`},
		{"firewall-cmd --add-rich-rule='rule source address=%IP% service name=ssh accept'", `"service" stands where port is expected`},
		{"firewall-cmd --timeout=1d --add-rich-rule='rule source address=%IP% port port=22 protocol=tcp accept'", `the timeout "1d" is not understood`},
		{"firewall-cmd --timeout=9999999999 --add-rich-rule='rule source address=%IP% port port=22 protocol=tcp accept'", `the timeout "9999999999" is not understood`},
		{"firewall-cmd --timeout=9 --remove-rich-rule='rule source address=%IP% port port=22 protocol=tcp accept'", "it removes a rule, and has a timeout"},
		{"firewall-cmd --timeout=9 --add-rich-rule='rule source address=%IP% port port=22 protocol=tcp accept'; firewall-cmd --timeout=8 --add-rich-rule='rule source address=%IP% port port=80 protocol=tcp accept'", "its commands last for different times"},
		{"firewall-cmd --reload", `"--reload" is not understood`},
	} {
		t.Run(tt.command, func(t *testing.T) {
			c, why := readCommand(tt.command)
			got := why
			if why == "" {
				got = strings.TrimSpace(fmt.Sprintf("%s %s", map[bool]string{false: "adds", true: "removes"}[c.removes], strings.Trim(fmt.Sprint(c.ports), "[]")))
				if c.timeout > 0 {
					got += " for " + seconds(c.timeout)
				}
				if c.notes != nil {
					got += " (" + strings.Join(c.notes, " ") + ")"
				}
			}
			if why != "" && strings.HasPrefix(got, tt.want) && tt.want != "" {
				return
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}
