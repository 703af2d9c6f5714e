//go:build linux

package listing

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os/exec"
	"slices"
	"strings"
	"time"
)

const (
	patience   = 2 * time.Second // for one program
	maxListing = 1 << 20         // bytes of a chain
	maxText    = 64 << 10        // bytes of a rule
)

// A Rule is the place of a rule.
type Rule struct {
	// Program prints it: nft, or iptables or ip6tables, also under a name such as iptables-nft.
	Program string `json:"program"`
	Family  string `json:"family"` // such as "inet"; for nft alone
	Table   string `json:"table"`
	Chain   string `json:"chain"`
	Handle  uint64 `json:"handle"` // for nft
	Number  int    `json:"number"` // in its chain, from 1; for iptables
}

var (
	families = []string{"ip", "ip6", "inet", "arp", "bridge", "netdev"}
	xtables  = []string{"iptables", "iptables-nft", "iptables-legacy", "ip6tables", "ip6tables-nft", "ip6tables-legacy"}
)

// maxName is the length of the longest name that the kernel takes (NFT_NAME_MAXLEN), in bytes.
const maxName = 255

// isName reports whether nft takes a text for a name without quotes. nft joins its arguments and
// reads them as commands: a chain with another name, which a program can make, must not get there.
func isName(text string) bool {
	const first = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_."
	if text == "" || len(text) > maxName || !strings.ContainsRune(first, rune(text[0])) {
		return false
	}
	return !strings.ContainsFunc(text, func(r rune) bool { return !strings.ContainsRune(first+"0123456789/-", r) })
}

// Possible reports whether this machine has a program that lists rules.
func Possible() bool {
	return slices.ContainsFunc(append([]string{"nft"}, xtables...), func(program string) bool {
		_, err := exec.LookPath(program)
		return err == nil
	})
}

// argv returns the command that lists the chain of a rule. A name that the program would not take
// for one name is an error.
func (r Rule) argv() ([]string, error) {
	for _, text := range []string{r.Table, r.Chain} {
		if !isName(text) {
			return nil, fmt.Errorf("listing a chain: %q is no name that %s reads", text, r.Program)
		}
	}
	switch {
	case r.Program == "nft" && slices.Contains(families, r.Family):
		return []string{"nft", "-a", "list", "chain", r.Family, r.Table, r.Chain}, nil
	case slices.Contains(xtables, r.Program):
		return []string{r.Program, "-t", r.Table, "-S", r.Chain}, nil
	}
	return nil, fmt.Errorf("listing a chain: nothing lists family %q by %q", r.Family, r.Program)
}

// in finds the rule in what its program prints; "": it is not there, or longer than 64 KiB.
func (r Rule) in(listing string) string {
	text := ""
	if r.Program == "nft" {
		text = withHandle(listing, r.Handle)
	} else {
		text = appended(listing, r.Number)
	}
	if len(text) > maxText {
		return ""
	}
	return text
}

// appended returns the rule with this number in what iptables -S prints.
func appended(listing string, number int) string {
	for line := range strings.Lines(listing) {
		if strings.HasPrefix(line, "-A ") {
			if number--; number == 0 {
				return strings.TrimSpace(line)
			}
		}
	}
	return ""
}

// withHandle returns the rule with this handle in what nft -a list chain prints.
func withHandle(listing string, handle uint64) string {
	for line := range strings.Lines(listing) {
		if text, found := strings.CutSuffix(strings.TrimSpace(line), fmt.Sprintf(" # handle %d", handle)); found {
			return text
		}
	}
	return ""
}

// errLongListing ends a program that prints more than we read.
var errLongListing = errors.New("a listing of more than 1 MiB")

// Text runs the program that prints a rule, for two seconds at most, and returns the text of the
// rule; "": the rule is not there.
func Text(ctx context.Context, r Rule) (string, error) {
	argv, err := r.argv()
	if err != nil {
		return "", err
	}
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	c := exec.CommandContext(ctx, argv[0], argv[1:]...)
	c.WaitDelay = patience
	var out bounded
	c.Stdout = &out
	if err := c.Run(); err != nil {
		return "", fmt.Errorf("listing a chain: %s: %w", strings.Join(argv, " "), err)
	}
	return r.in(out.String()), nil
}

// bounded is a buffer that refuses what is too much.
type bounded struct{ bytes.Buffer }

// Write is [io.Writer].
func (b *bounded) Write(p []byte) (int, error) {
	if b.Len()+len(p) > maxListing {
		return 0, errLongListing
	}
	return b.Buffer.Write(p)
}
