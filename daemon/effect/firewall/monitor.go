package firewall

import (
	"context"
	"errors"
	"fmt"

	"github.com/mdlayher/netlink"
	"golang.org/x/sys/unix"
)

// Monitor calls changed when another program may have changed our table, or has added or
// removed a base chain of another table; a flush of the ruleset does both. It also calls
// it once at the start, so that no change between an install and the start is missed, and
// when the kernel had to drop notifications. Calls come one after another, in the
// goroutine of Monitor: all that changes during a call leads to one more. Our own changes
// lead to none, so changed may repair what it finds.
//
// Monitor returns nil once ctx is done.
func (g *Guard) Monitor(ctx context.Context, changed func()) error {
	return monitorChanges(ctx, changes{guardTable, g.socket.owns}, changed)
}

// A changes value decides which changes matter.
type changes struct {
	table table
	ours  func(port uint32) bool // whether a netlink port is one of our sockets
}

// listenTo returns a connection that receives the messages of a multicast group of netfilter
// (NFNLGRP_* of linux/netfilter/nfnetlink.h).
func listenTo(group uint32) (*netlink.Conn, error) {
	conn, err := netlink.Dial(unix.NETLINK_NETFILTER, nil)
	if err != nil {
		return nil, fmt.Errorf("opening a socket to nftables: %w", err)
	}
	_ = conn.SetReadBuffer(receiveBuffer) // a smaller one overflows earlier, which is noticed
	if err := conn.JoinGroup(group); err != nil {
		_ = conn.Close()
		return nil, err
	}
	return conn, nil
}

func monitorChanges(ctx context.Context, m changes, changed func()) error {
	conn, err := listenTo(unix.NFNLGRP_NFTABLES)
	if err != nil {
		return fmt.Errorf("listening to changes of the firewall: %w", err)
	}
	defer conn.Close()
	stop := context.AfterFunc(ctx, func() { _ = conn.Close() }) // which ends a Receive
	defer stop()

	// One slot: a change that is not handled yet stands for all that follow it.
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

// listen reads notifications until the connection is closed. Those of one transaction end
// with NFT_MSG_NEWGEN: only then does the kernel show the new state.
func (m changes) listen(conn *netlink.Conn, pending chan<- struct{}) error {
	matters := false
	for {
		messages, err := conn.Receive()
		switch {
		case errors.Is(err, unix.ENOBUFS): // notifications were dropped
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
			if !matters { // a transaction ends that does not matter
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

// matters reports whether a change is another program's, and changes our table or a base
// chain. In messages of all kinds attribute 1 is the name of the table.
func (m changes) matters(message netlink.Message) bool {
	if message.Header.Type>>8 != unix.NFNL_SUBSYS_NFTABLES || len(message.Data) < 4 || m.ours(message.Header.PID) {
		return false
	}
	kind := message.Header.Type & 0xff
	isChain := kind == unix.NFT_MSG_NEWCHAIN || kind == unix.NFT_MSG_DELCHAIN
	all, err := netlink.UnmarshalAttributes(message.Data[4:])
	a := attributes(all)
	of := table{message.Data[0], a.text(unix.NFTA_TABLE_NAME)}
	isBase := isChain && a.bytes(unix.NFTA_CHAIN_HOOK) != nil
	return err != nil || of == m.table || isBase
}
