//go:build linux

package account

import (
	"errors"
	"os/user"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestUserOf(t *testing.T) {
	for _, tt := range []struct {
		uid, gid string
		groups   []string
		want     User
		refused  string
	}{
		{"990", "991", []string{"991", "4", "4", "992"}, User{"sesame", 990, 991, []int{4, 992}}, ""},
		{"990", "991", nil, User{"sesame", 990, 991, nil}, ""},
		{"0", "991", nil, User{}, "user sesame is root, since its number is 0"},
		{"990", "0", []string{"0"}, User{}, "has root's group 0 as its primary group: give it one of its own (groupadd --system sesame && usermod -g sesame sesame)"},
		{"990", "991", []string{"991", "0"}, User{}, "is a member of root's group 0: take it out of that group (gpasswd -d sesame root)"},
		{"S-1-5", "991", nil, User{}, "invalid syntax"},
		{"990", "x", nil, User{}, "invalid syntax"},
		{"990", "991", []string{"x", "4"}, User{}, "invalid syntax"},
	} {
		got, err := userOf(&user.User{Username: "sesame", Uid: tt.uid, Gid: tt.gid}, tt.groups)
		if diff := cmp.Diff(tt.want, got); diff != "" {
			t.Errorf("%+v (-want +got):\n%s", tt, diff)
		}
		if (err != nil) != (tt.refused != "") || err != nil && !strings.Contains(err.Error(), tt.refused) {
			t.Errorf("%+v: %v", tt, err)
		}
	}
}

func TestFind(t *testing.T) {
	if u, err := Find("no such user"); !errors.Is(err, ErrUnknown) {
		t.Errorf("%+v, %v", u, err)
	}
	if u, err := Find("root"); err == nil || errors.Is(err, ErrUnknown) {
		t.Errorf("root: %+v, %v", u, err)
	}
	if u, err := Find("nobody"); err == nil && u.ID == 0 {
		t.Errorf("nobody: %+v", u)
	}
}
