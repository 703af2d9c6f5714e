package main

import (
	"maps"

	"github.com/spf13/cobra"
)

// flagKinds says what each flag takes that is no switch, by its name, or by that of a command and
// its own. A flag that is nowhere fails TestEveryFlagIsCompleted.
func (p *program) flagKinds() map[string]valueKind {
	all := p.commonFlags()
	maps.Copy(all, p.replayFlags())
	maps.Copy(all, scanFlags())
	maps.Copy(all, p.daemonFlags())
	for flag, free := range freeFlags() {
		all[flag] = valueKind{free.name, cobra.NoFileCompletions}
	}
	return all
}

// commonFlags are those of the daemon, and those that several commands have.
func (p *program) commonFlags() map[string]valueKind {
	return map[string]valueKind{
		"config":                        {"FILE", files("toml")},
		"scripts":                       {"PATH", scriptPaths()},
		"set":                           {"NAME=VALUE", p.completeOptions},
		"socket":                        {"PATH", files("sock")},
		"state":                         {"DIR", directories()},
		"interface":                     {"NAME", separated(completeInterfaces)},
		"local":                         {"ADDRESS", separated(completeLocal)},
		"format":                        {"FORMAT", words("text", "json")}, // some commands know more
		"color":                         {"WHEN", words("auto", "always", "never")},
		"trial":                         {"TIME", nil},
		"sesame reload --from":          {"PATH", scriptPaths()},
		"last":                          {"TIME", words("1m", "10m", "1h", "24h")},
		"lines":                         {"N", nil},
		"action":                        {"ACTION", nil},
		"defaults":                      {"FILE", files()},
		"guards":                        {"PORT", words("tcp/22", "tcp/443", "tcp/3389")},
		"keep":                          {"WHAT", separated(words("addresses", "ports", "payloads", "options"))},
		"output":                        {"FILE", files()},
		"sesame import knockd --output": {"DIR", directories()},
	}
}

// replayFlags are those of commands that replay captures or knocks.
func (p *program) replayFlags() map[string]valueKind {
	return map[string]valueKind{
		"decap":      {"TUNNEL", separated(words("gre", "vxlan", "erspan", "ipip", "geneve"))},
		"door":       {"DOOR", separated(p.completeDoors)},
		"source":     {"ADDRESS", separated(p.completeChosen)},
		"fact":       {"FACT", p.completeFacts},
		"knock":      {"KNOCKS", p.completeKnocks},
		"geo":        {"FILE", files("mmdb")},
		"html":       {"FILE", files("html")},
		"until":      {"TIME", words("1m", "1h", "24h")},
		"me":         {"ADDRESS", p.completeSources},
		"old":        {"SCRIPTS", nil},
		"old-config": {"FILE", files("toml")},
		"old-set":    {"NAME=VALUE", p.completeOptions},
		"only":       {"WHICH", nil},
		"duplicate":  {"SHARE", words("1%", "5%", "20%")},
		"loss":       {"SHARE", words("1%", "5%", "20%")},
		"reorder":    {"SHARE", words("1%", "5%", "20%")},
		"min-opens":  {"SHARE", words("90%", "95%", "99%")},
		"jitter":     {"TIME", words("50ms", "200ms", "1s")},
	}
}

// scanFlags are those of sesame attack.
func scanFlags() map[string]valueKind {
	return map[string]valueKind{
		"flags":    {"FLAGS", nil},
		"order":    {"ORDER", nil},
		"ports":    {"PORTS", nil},
		"protocol": {"PROTOCOL", nil},
		"rate":     {"RATE", words("10/s", "1000/s", "100000/s")},
		"to":       {"ADDRESS", completeLocal},
		"write":    {"FILE", files("pcap", "pcapng", "gz", "zst")},
	}
}

// freeFlags are the flags that complete to nothing on purpose: what stands for the value, and why
// nothing is offered.
func freeFlags() map[string]struct{ name, why string } {
	const count = "a count: none is likelier than another"
	return map[string]struct{ name, why string }{
		"at":                   {"TIME", "a time, with words and spaces: only a person knows when"},
		"sesame attack --from": {"ADDRESS", "an address of which nothing is known"},
		"limit":                {"N", count},
		"max-opens":            {"N", count},
		"min-knocks":           {"N", count},
		"nat-addresses":        {"N", count},
		"runs":                 {"N", count},
		"skip":                 {"N", count},
		"times":                {"N", count},
		"owner":                {"UID", "the number of a user, which who starts the helper knows"},
		"run":                  {"REGEXP", "a pattern: names of tests have spaces, and would have to be escaped"},
		"seed":                 {"N", "any number: it is copied from an earlier report"},
	}
}

// argumentKinds says what the arguments of commands are completed to, by the name of the command.
func (p *program) argumentKinds() map[string]cobra.CompletionFunc {
	all := map[string]cobra.CompletionFunc{
		"sesame simulate":      captures(),
		"sesame perturb":       captures(),
		"sesame attack":        captures(),
		"sesame diff":          captures(),
		"sesame scrub":         inTurn(captures()),
		"sesame record":        inTurn(files()),
		"sesame test":          files("lua"),
		"sesame init":          inTurn(directories()),
		"sesame import knockd": inTurn(files("conf")),
		"sesame manual":        inTurn(directories()),
		"sesame knock":         completeKnock,
		"sesame completion":    inTurn(words("bash", "zsh", "fish")),
	}
	maps.Copy(all, p.daemonArguments())
	return all
}
