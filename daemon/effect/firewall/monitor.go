package firewall

import (
	"context"
	"errors"
	"fmt"

	"github.com/mdlayher/netlink"
	"golang.org/x/sys/unix"
)

// Watch calls changed when somebody else may have changed our table, or has added
// or removed a base chain of another: who flushes the ruleset does both. It calls
// it once at the start, so that nothing is missed between an install and this; and
// when the kernel could not keep up with telling. Calls come one after the other,
// in the goroutine of Watch: what happens during one leads to one more. Our own
// changes lead to none, so changed may repair what it finds.
//
// Watch returns nil once ctx is done.
func (g *Guard) Monitor(ctx context.Context, changed func()) error {
	return monitorChanges(ctx, changes{guardTable, g.socket.owns}, changed)
}

// A monitor tells what of all changes matters.
type changes struct {
	table table
	ours  func(port uint32) bool
}

func monitorChanges(ctx context.Context, m changes, changed func()) error {
	conn, err := netlink.Dial(unix.NETLINK_NETFILTER, nil)
	if err != nil {
		return fmt.Errorf("opening a socket to nftables: %w", err)
	}
	stop := context.AfterFunc(ctx, func() { _ = conn.Close() }) // which ends a Receive
	defer stop()
	defer conn.Close()
	_ = conn.SetReadBuffer(receiveBuffer) // a smaller one overflows earlier, and is told
	if err := conn.JoinGroup(unix.NFNLGRP_NFTABLES); err != nil {
		return fmt.Errorf("listening to changes of the firewall: %w", err)
	}

	// One slot: a change that was not yet told stands for all that follow.
	pending := make(chan struct{}, 1)
	pending <- struct{}{}
	go func() {
		defer close(pending)
		err = m.listen(conn, pending)
	}()
	for range pending {
		changed()
	}
	if ctx.Err() != nil {
		return nil
	}
	return fmt.Errorf("listening to changes of the firewall: %w", err)
}

// listen reads changes until the connection is closed.
func (m changes) listen(conn *netlink.Conn, pending chan<- struct{}) error {
	matters := false
	for {
		messages, err := conn.Receive()
		switch {
		case errors.Is(err, unix.ENOBUFS): // something was not told
			matters = true
			messages = []netlink.Message{{Header: netlink.Header{Type: newGeneration}}}
		case errors.Is(err, unix.EINTR):
			continue
		case err != nil:
			return err
		}
		for _, message := range messages {
			if message.Header.Type != newGeneration {
				matters = matters || m.matters(message)
				continue
			}
			if !matters { // a transaction ends, and was not our concern
				continue
			}
			matters = false
			select {
			case pending <- struct{}{}:
			default:
			}
		}
	}
}

const newGeneration = netlink.HeaderType(unix.NFNL_SUBSYS_NFTABLES<<8 | unix.NFT_MSG_NEWGEN)

// matters reports whether a change is somebody else's and concerns us. In all
// messages the first attribute is the name of the table.
func (m changes) matters(message netlink.Message) bool {
	if message.Header.Type>>8 != unix.NFNL_SUBSYS_NFTABLES || len(message.Data) < 4 || m.ours(message.Header.PID) {
		return false
	}
	kind := message.Header.Type & 0xff
	isChain := kind == unix.NFT_MSG_NEWCHAIN || kind == unix.NFT_MSG_DELCHAIN
	of := table{family: message.Data[0]}
	isBase := false
	err := netlinkReply{body: message.Data[4:]}.each(func(ad *netlink.AttributeDecoder) {
		switch ad.Type() {
		case unix.NFTA_TABLE_NAME:
			of.name = ad.String()
		case unix.NFTA_CHAIN_HOOK:
			isBase = isChain
		}
	})
	return err != nil || of == m.table || isBase
}
