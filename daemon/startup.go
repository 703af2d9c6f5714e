package daemon

import (
	"context"
	"errors"
	"time"

	"sesame/daemon/control"
	"sesame/daemon/packet"
	"sesame/daemon/state"
	"sesame/daemon/wire"
	"sesame/scripting"
	"sesame/scripting/source"
)

// A startup is what a daemon starts with.
type startup struct {
	set     *scripting.Set
	files   *source.Files
	values  map[string]string
	judged  *source.Files // the files on disk; nil: unreadable
	outcome outcome       // of the files
	held    *state.Held   // files that wait for a person
	from    string        // where the set was read; "": at the path of the configuration

	without  bool     // no scripts could be loaded
	unmarked bool     // held is not saved yet
	over     *outcome // a trial of scripts from elsewhere, which the end of the daemon ended; nil: none
}

// chooseScripts decides which scripts a start runs: the files on disk, if they load, if only root
// can change them, and if they leave no port of the last good set without a guard; or else the last
// good set. Without a last good set it returns the error of the files, since there is nothing to
// guard. When there is one, and it does not load either, its ports are guarded.
//
// Whether the helper is used is decided here too, since only then is known whether they need it.
// When ctx ends it returns errStopping.
func (d *daemon) chooseScripts(ctx context.Context, found stateFound) (startup, error) {
	good, goodFiles, goodValues := d.lastGood(ctx, found)
	set, files, err := d.loadFirst(ctx, goodFiles)
	if need := helperNeed(err, []*scripting.Set{good, set}, found); ctx.Err() == nil && d.openHelper(ctx, need) {
		closeSets(set)
		if good != nil && d.troubles.text(sequencesUnread) != "" { // as this user, who is not root
			good.Close()
			good, goodFiles, goodValues = d.lastGood(ctx, found)
		}
		set, files, err = d.loadFirst(ctx, goodFiles)
	}
	if ctx.Err() != nil { // what was not read to its end is not wrong
		closeSets(good, set)
		if n := pendingUndos(found); n > 0 && !errors.Is(context.Cause(ctx), ErrRestart) {
			d.config.Log.Warn("undo commands stay pending until the next start, or until: sesame helper --settle", "commands", n)
		}
		return startup{}, errStopping
	}
	err = d.explainUnread(err)
	b := startup{set: set, files: files, values: d.values(), judged: files, outcome: outcome{kind: control.Applied, generation: 1, at: d.since}}
	switch {
	case good == nil && err != nil && len(found.saved.Guards) > 0:
		return d.startWithoutScripts(b, found, err)
	case good == nil:
		d.unloaded = ""
		return b, err
	case err != nil:
		b.outcome.refuse(err)
	default:
		b.outcome.held = heldPorts(good, set, nil)
		b.outcome.hold, b.outcome.text = d.heldAtStart(found, good, set)
		if len(b.outcome.held) == 0 && b.outcome.hold == "" {
			good.Close()
			b.over = trialAtStart(found.saved.Held, d.since)
			return b, nil
		}
		set.Close()
		if b.outcome.kind = control.Held; b.outcome.hold == "" {
			b.outcome.text = heldMessage(b.outcome.held)
		}
	}
	b.set, b.files, b.values, b.held, b.from = good, goodFiles, goodValues, found.saved.Held, string(found.saved.From)
	if b.held != nil && b.held.Running {
		held := *b.held
		held.Running, b.held, b.unmarked = false, &held, true
	}
	for _, err := range d.unread { // not before it is known that this set runs, and who reads for it
		d.config.Log.Warn("one-time sequences cannot be read, so their doors cannot be opened", "error", err)
	}
	d.unread = nil
	return b, nil
}

// closeSets closes those that are not nil.
func closeSets(sets ...*scripting.Set) {
	for _, set := range sets {
		if set != nil {
			set.Close()
		}
	}
}

// loadFirst reads and loads the files on the disk. What the last good set has of them is not in
// memory twice.
func (d *daemon) loadFirst(ctx context.Context, good *source.Files) (*scripting.Set, *source.Files, error) {
	files, err := d.readAgain(ctx, good, nil)
	if err != nil {
		return nil, nil, err
	}
	set, err := d.loadVetted(files)
	return set, files, err
}

// loadVetted loads files, unless other users can change them or what they run.
func (d *daemon) loadVetted(files *source.Files) (*scripting.Set, error) {
	if err := d.vet(files, nil); err != nil {
		return nil, err
	}
	set, err := d.load(files, d.values())
	if err != nil {
		return nil, err
	}
	if err := d.vet(files, set); err != nil {
		set.Close()
		return nil, err
	}
	return set, nil
}

// lastGood loads the set that was applied last. It returns nil when there is none or it does
// not load.
func (d *daemon) lastGood(ctx context.Context, found stateFound) (*scripting.Set, *source.Files, map[string]string) {
	saved := found.saved
	if found.savedErr != nil {
		d.config.Log.Warn("the last good scripts cannot be read", "error", found.savedErr)
	}
	if saved.Newer != "" {
		d.noteNewer([]string{saved.Newer})
	}
	if !found.hasSaved {
		return nil, nil, nil
	}
	if len(saved.Files) == 0 {
		d.unloaded = "they cannot be read"
		return nil, nil, nil
	}
	stored := make([]source.File, len(saved.Files))
	for i, f := range saved.Files {
		stored[i] = source.File{Path: string(f.Path), Source: f.Source}
	}
	files := source.Of(d.config.Scripts, string(saved.Name), stored)
	files.Base, files.ReadReferenced = string(saved.Base), d.oneTimeReader(ctx)
	set, err := d.loadAgain(files, saved.Values)
	if err != nil {
		d.config.Log.Warn("the last good scripts do not load any more", "error", err)
		d.unloaded = err.Error()
		return nil, nil, nil
	}
	return set, files, saved.Values
}

// oneTimeReader returns what reads a file of one-time sequences for the last good set. A saved copy
// is never used, since sequences may have been consumed after it was made. Without the file its
// doors have no sequences.
func (d *daemon) oneTimeReader(ctx context.Context) func(path string) ([]byte, error) {
	read := source.ReadReferenced
	if d.helper != nil {
		read = d.referencedByHelper(ctx)
	}
	d.troubles.set(sequencesUnread, nil)
	d.unread = nil
	return func(path string) ([]byte, error) {
		text, err := read(path)
		if err != nil {
			d.troubles.set(sequencesUnread, err)
			d.unread = append(d.unread, err)
		}
		return text, nil
	}
}

// saveSet saves a set for a start at which the files fail or are held, and its guards for a boot
// before the daemon runs. When everything only observes, nothing is saved.
func (d *daemon) saveSet(f inForce, held *state.Held) error {
	set, files := f.set, f.files
	if d.config.Observe {
		return nil
	}
	base := ""
	var stored []wire.File
	for _, f := range set.Files {
		if f.Referenced() {
			base = files.Base
		}
		if !f.OneTime {
			stored = append(stored, wire.File{Path: wire.Text(f.Path), Source: f.Source})
		}
	}
	var guards []packet.Port
	if d.config.Firewall.Mode == "guard" {
		guards = requiredGuards(set.Engine).Drop
	}
	return d.state.saveSet(state.Saved{
		Form:  d.config.Form,
		Files: stored, Base: wire.Text(base), Name: wire.Text(files.Single), Values: f.values, At: d.loop.clock.now().Add(d.loop.wallOffset()),
		Guards: guards, Trusted: d.config.Trusted, TrustedInterfaces: d.config.TrustedInterfaces, Mark: d.config.Firewall.Mark,
		Answer: d.config.Firewall.Answer, From: wire.Text(f.from), Held: held,
	})
}

// noteSaved notes whether the set that runs is saved for the next start.
func (d *daemon) noteSaved(err error) {
	before := d.troubles.text(setNotSaved) != ""
	switch began := d.troubles.set(setNotSaved, err); {
	case began:
		d.config.Log.Warn("the scripts are not saved for the next start; that is tried until it succeeds", "error", err)
	case before && err == nil:
		d.config.Log.Info("the scripts are saved for the next start")
	}
}

// values returns the values of script options.
func (d *daemon) values() map[string]string {
	values := make(map[string]string, len(d.config.Options))
	for name, v := range d.config.Options {
		values[name] = v.Text
	}
	return values
}

// load loads a script set. Lines that scripts print go to the log.
func (d *daemon) load(files *source.Files, values map[string]string) (*scripting.Set, error) {
	return d.loadWith(files, scripting.Options{Values: values})
}

// loadAgain loads a set that ran before. See [scripting.Options.RanBefore].
func (d *daemon) loadAgain(files *source.Files, values map[string]string) (*scripting.Set, error) {
	return d.loadWith(files, scripting.Options{Values: values, RanBefore: true})
}

// options returns the options with which scripts load, with these values.
func (d *daemon) options(values map[string]string) scripting.Options {
	return d.complete(scripting.Options{Values: values})
}

// complete adds what messages need, and prints what scripts print.
func (d *daemon) complete(options scripting.Options) scripting.Options {
	options.Given, options.Lists = make(map[string]string, len(options.Values)), map[string]bool{}
	for name, v := range d.config.Options {
		options.Lists[name] = v.List && v.Text == options.Values[name] // a saved set has values of its own
		if v.From != "" {
			options.Given[name] = v.From
		}
	}
	options.Print = func(at source.Place, line string) {
		d.config.Log.Info("a script prints", "at", at.String(), "text", line)
	}
	return options
}

// backstop is how long a function of the running set may take by the clock. Its steps end it long
// before on any machine that works, unless one of our functions charges too little.
const backstop = 250 * time.Millisecond

// loadWith completes the options and loads a set that is to run. The tests of the gate run without
// the backstop: they do not hold the loop.
func (d *daemon) loadWith(files *source.Files, options scripting.Options) (*scripting.Set, error) {
	options = d.complete(options)
	options.Backstop = backstop
	set, err := scripting.Load(files, options)
	if err == nil && d.config.Observe {
		set.Engine.Observe()
	}
	return set, err
}
