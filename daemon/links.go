package daemon

import (
	"context"
	"net/netip"
	"slices"
	"strings"
	"time"

	"sesame/daemon/capture"
	"sesame/daemon/engine"
	"sesame/daemon/record"
)

// monitorLinks passes changes of interfaces and addresses from the kernel to the capture and
// to the loop, until ctx ends.
func (d *daemon) monitorLinks(ctx context.Context) error {
	return capture.MonitorLinks(ctx, func(links *capture.Links) {
		d.source.SetLinks(links)
		d.loop.do(ctx, func() { d.updateLinks(links) })
	})
}

// updateLinks gives the engine the addresses of this host, and logs when the captured
// interfaces changed. Only the loop may call it.
func (d *daemon) updateLinks(links *capture.Links) {
	was := d.links
	d.links = links
	if local, own := d.local(links), links.Own(); !slices.Equal(local, d.local(was)) || !slices.Equal(own, was.Own()) {
		d.loop.input(localInput(d.loop.engine, local, own))
	}
	before, _ := was.Captured(d.config.Interfaces)
	if captured, _ := links.Captured(d.config.Interfaces); !slices.Equal(captured, before) {
		d.logInterfaces()
	}
}

// local returns the addresses that count as this host's, sorted.
func (d *daemon) local(links *capture.Links) []netip.Prefix {
	local := append(links.Addresses(), d.config.Local...)
	slices.SortFunc(local, netip.Prefix.Compare)
	return slices.Compact(local)
}

// localInput returns the input that gives an engine the addresses of this host.
func localInput(e *engine.Engine, local, own []netip.Prefix) (record.Input, func(time.Time) []engine.Event) {
	return record.Input{Kind: record.InputLocal, Local: local, Own: own}, func(now time.Time) []engine.Event {
		e.Own(own)
		return e.Local(now, local)
	}
}

// logInterfaces logs on which interfaces knocks are captured, and which of the configured ones
// are missing.
func (d *daemon) logInterfaces() {
	captured, missing := d.links.Captured(d.config.Interfaces)
	switch {
	case len(captured) == 0:
		d.config.Log.Warn("no interface is captured: nobody can knock", "missing", strings.Join(missing, "; "))
	case len(missing) > 0:
		d.config.Log.Warn("listening, but not everywhere", "interfaces", strings.Join(captured, ", "), "missing", strings.Join(missing, "; "))
	default:
		d.config.Log.Info("listening", "interfaces", strings.Join(captured, ", "))
	}
}
