package control

import (
	"strings"
	"testing"
	"time"
)

func TestReloadRequestsOfTrials(t *testing.T) {
	for _, c := range []struct {
		request ReloadRequest
		problem string // "": there is none
	}{
		{ReloadRequest{Trial: MinTrial}, ""},
		{ReloadRequest{Trial: MaxTrial, From: "/etc/sesame/new", SkipTests: true, Unguard: []Port{{ssh}}}, ""},
		{ReloadRequest{Trial: MinTrial - 1}, "expected a time from 1s to 24h"},
		{ReloadRequest{Trial: MaxTrial + 1}, "expected a time from 1s to 24h"},
		{ReloadRequest{Trial: -1}, "expected a time from 1s to 24h"},
		{ReloadRequest{From: "new"}, "expected an absolute path"},
		{ReloadRequest{From: "/new\x00"}, "expected an absolute path"},
		{ReloadRequest{From: "/" + strings.Repeat("a", maxPlace-1)}, ""},
		{ReloadRequest{From: "/" + strings.Repeat("a", maxPlace)}, "expected an absolute path"},
		{ReloadRequest{Return: true}, ""},
		{ReloadRequest{Return: true, Trial: MinTrial}, "takes nothing else"},
		{ReloadRequest{Return: true, From: "/new"}, "takes nothing else"},
		{ReloadRequest{Return: true, SkipTests: true}, "takes nothing else"},
		{ReloadRequest{Return: true, Unguard: []Port{{ssh}}}, "takes nothing else"},
	} {
		err := c.request.check()
		if (err == nil) != (c.problem == "") || err != nil && !strings.Contains(err.Error(), c.problem) {
			t.Errorf("%+v: %v, want %q", c.request, err, c.problem)
		}
	}
}

func TestConfirmRequests(t *testing.T) {
	w := newWorld(t)
	age, negative := Duration(time.Minute), Duration(-1)
	o, err := Dial(w.socket).Confirm(t.Context(), ConfirmRequest{SessionAge: &age, Session: "sshd, process 7"})
	if err != nil || o.Outcome != Applied || o.Error != "sshd, process 7" {
		t.Errorf("%+v, %v", o, err)
	}
	for _, r := range []ConfirmRequest{{SessionAge: &negative}, {Session: strings.Repeat("a", maxSession+1)}} {
		if _, err := Dial(w.socket).Confirm(t.Context(), r); err == nil {
			t.Errorf("%+v is accepted", r)
		}
	}
}
