package main

import (
	"fmt"
	"strings"

	"sesame/cmd/knock/client"
)

// The names of the client. A package installs it as packagedKnock, since knockd has a knock, too.
const (
	packagedKnock = "sesame-knock"
	builtKnock    = "knock"
)

// shellQuoted returns a text in single quotes, for bash and zsh.
func shellQuoted(text string) string { return "'" + strings.ReplaceAll(text, "'", `'\''`) + "'" }

func knockBash(name string) string {
	var names []string
	for _, f := range client.Flags() {
		names = append(names, "--"+f.Name)
	}
	return fmt.Sprintf(`# Completion of %[1]s for bash: its flags, and hosts.
_sesame_knock() {
	local cur=${COMP_WORDS[COMP_CWORD]}
	COMPREPLY=()
	if [[ $cur == -* ]]; then
		mapfile -t COMPREPLY < <(compgen -W %[2]s -- "$cur")
	elif ((COMP_CWORD == 1)) && declare -F _known_hosts_real >/dev/null; then
		_known_hosts_real -- "$cur"
	fi
}

complete -F _sesame_knock %[1]s
# bash-completion, which reads this file at the first Tab, does not find it then behind a path.
if [[ ${COMP_WORDS[0]-} == */%[1]s ]]; then complete -F _sesame_knock -- "${COMP_WORDS[0]}"; fi
`, name, shellQuoted(strings.Join(names, " ")))
}

func knockZsh(name string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "#compdef %[1]s\n# Completion of %[1]s for zsh: its flags, and hosts.\n_arguments -S -s \\\n", name)
	explained := strings.NewReplacer(`\`, `\\`, "[", `\[`, "]", `\]`, ":", `\:`)
	for _, f := range client.Flags() {
		value, same := "", "--"+f.Name
		if f.Value != "" {
			value = ":" + f.Value + ":"
			same += "="
		}
		text := shellQuoted("[" + explained.Replace(f.Text) + "]" + value)
		if f.Letter == 0 {
			fmt.Fprintf(&b, "\t%s%s \\\n", same, text)
			continue
		}
		short := "-" + string(f.Letter)
		if value != "" {
			short += "+"
		}
		fmt.Fprintf(&b, "\t'(-%[1]c --%[2]s)'{%[3]s,%[4]s}%[5]s \\\n", f.Letter, f.Name, short, same, text)
	}
	b.WriteString("\t'1:host:_hosts' \\\n\t'*:knock: '\n")
	return b.String()
}

func knockFish(name string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "# Completion of %[1]s for fish: its flags, and hosts.\ncomplete -c %[1]s -f -a '(__fish_print_hostnames)'\n", name)
	quoted := strings.NewReplacer(`\`, `\\`, "'", `\'`)
	for _, f := range client.Flags() {
		fmt.Fprintf(&b, "complete -c %s -l %s", name, f.Name)
		if f.Letter != 0 {
			fmt.Fprintf(&b, " -s %c", f.Letter)
		}
		if f.Value != "" {
			b.WriteString(" -x")
		}
		fmt.Fprintf(&b, " -d '%s'\n", quoted.Replace(f.Text))
	}
	return b.String()
}
