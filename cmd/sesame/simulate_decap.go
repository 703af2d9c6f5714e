package main

import (
	"github.com/spf13/cobra"

	"sesame/daemon/packet"
)

// decapFlags are the flags about tunnels.
type decapFlags struct {
	names   []string
	tunnels packet.Tunnels // of names
}

func (f *decapFlags) add(c *cobra.Command) {
	c.Flags().StringSliceVar(&f.names, "decap", nil, "look into tunnels: gre, vxlan, erspan, ipip, geneve; the innermost packets count")
}

func (f *decapFlags) check(c *cobra.Command) (err error) {
	if f.tunnels, err = packet.ParseTunnels(f.names); err != nil {
		return &usageError{c, "--decap: " + err.Error()}
	}
	return nil
}
