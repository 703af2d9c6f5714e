package main

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"sesame/daemon/openfile"
	"sesame/simulate/scrub"
)

// scrubFlags are the flags of sesame scrub.
type scrubFlags struct {
	out   string
	keep  []string
	force bool
}

// mostScrubbed bounds a recording that is scrubbed, in bytes. It is held in memory.
const mostScrubbed = 512 << 20

func (p *program) scrubCommand() *cobra.Command {
	f := &scrubFlags{}
	c := &cobra.Command{
		Use:   "scrub [flags] RECORDING -o OUT",
		Short: "Replace addresses, ports, payloads and options in a recording",
		Long: `Scrub writes a recording that can be given away: it replaces what would tell who
knocked, and how. Then it replays both recordings. OUT is written only when each
decision is the same.

  addresses  of sources and of this host, also in scripts and lists. Addresses in
             one network are in one network afterwards. The first 8 bits of IPv4
             and the first 16 of IPv6 stay
  ports      of knocks, one-time sequences too. Guarded ports stay
  payloads   of packets
  options    texts that were given for options of scripts

All are replaced that --keep does not name. The key is random and forgotten. The
rest of the scripts stays, such as comments and names of doors: read them before.`,
		Example: `  sesame scrub incident.pcapng -o public.pcapng`,
		Args:    arguments(1, 1, "RECORDING"),
		RunE:    func(c *cobra.Command, args []string) error { return p.scrub(c, f, args[0]) },
	}
	c.Flags().StringVarP(&f.out, "output", "o", "", "the file to write")
	c.Flags().StringSliceVar(&f.keep, "keep", nil, "what stays as it is: addresses, ports, payloads, options")
	c.Flags().BoolVar(&f.force, "force", false, "replace OUT if it exists")
	return c
}

// scrub writes a scrubbed recording.
func (p *program) scrub(c *cobra.Command, f *scrubFlags, name string) error {
	keep := map[scrub.Part]bool{}
	for _, text := range f.keep {
		if !slices.Contains(scrub.Parts, scrub.Part(text)) {
			return &usageError{c, fmt.Sprintf("--keep %q: expected addresses, ports, payloads or options", text)}
		}
		keep[scrub.Part(text)] = true
	}
	if f.out == "" || f.out == "-" {
		return &usageError{c, "where to? Name the file to write with -o"}
	}
	out := newFile{f.out, f.force}
	if err := out.free(); err != nil {
		return err
	}
	recording, err := readRecording(name)
	if err != nil {
		return err
	}
	scrubbed, err := scrub.Scrub(recording, keep)
	if err != nil {
		return fmt.Errorf("%s: %w%s", name, err, advice(recording, keep, err))
	}
	_, err = out.write(func(w io.Writer) error {
		_, err := w.Write(scrubbed.File)
		return err
	})
	if err != nil {
		return err
	}
	return p.print("%s: the verdicts are the same: %d decisions about %d packets\n", f.out, scrubbed.Decisions, scrubbed.Packets)
}

func readRecording(name string) ([]byte, error) {
	file, err := openfile.Input(name)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	recording, err := io.ReadAll(io.LimitReader(file, mostScrubbed+1))
	if err == nil && len(recording) > mostScrubbed {
		err = fmt.Errorf("%s: a recording of more than %d MiB", name, mostScrubbed>>20)
	}
	return recording, err
}

// advice tries what could be kept so that the verdicts are the same.
func advice(recording []byte, keep map[scrub.Part]bool, err error) string {
	if _, different := errors.AsType[*scrub.DifferentError](err); !different {
		return ""
	}
	for _, part := range []scrub.Part{scrub.Payloads, scrub.Options, scrub.Ports, scrub.Addresses} {
		if keep[part] {
			continue
		}
		more := map[scrub.Part]bool{part: true}
		var names []string
		for _, other := range scrub.Parts {
			if more[other] = more[other] || keep[other]; more[other] {
				names = append(names, string(other))
			}
		}
		if _, err := scrub.Scrub(recording, more); err == nil {
			return "; they are the same with --keep " + strings.Join(names, ",")
		}
	}
	return "; none of what --keep can name helps alone: try two of them, such as --keep addresses,ports"
}
