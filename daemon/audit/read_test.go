package audit

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestLatest(t *testing.T) {
	path := filepath.Join(t.TempDir(), Name)
	if _, _, err := Latest(path, 1, nil); !errors.Is(err, fs.ErrNotExist) || !strings.HasPrefix(err.Error(), "reading the audit log: "+path) {
		t.Errorf("without a file: %v", err)
	}
	var all []Entry
	for i := range 6 {
		all = append(all, Entry{Time: noon.Add(time.Duration(i) * time.Second), Action: Actions()[i%2]})
	}
	write := func(name, before string, entries ...Entry) {
		t.Helper()
		var b bytes.Buffer
		b.WriteString(before)
		for _, e := range entries {
			b.Write(e.Line())
		}
		if err := os.WriteFile(name, b.Bytes(), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write(path+Suffix, "", all[:3]...)
	write(path, "{\n"+strings.Repeat("x", maxLine+1)+"\n", all[3:]...)
	for _, tt := range []struct {
		n    int
		only Action
		want []Entry
	}{
		{100, "", all}, {4, "", all[2:]}, {1, "", all[5:]}, {2, Grant, []Entry{all[2], all[4]}}, {2, Lost, nil},
	} {
		got, damaged, err := Latest(path, tt.n, func(e *Entry) bool { return tt.only == "" || e.Action == tt.only })
		if err != nil || damaged != 3 {
			t.Errorf("%d lines are damaged, %v", damaged, err)
		}
		if diff := cmp.Diff(tt.want, got); diff != "" {
			t.Errorf("the last %d of %q (-want +got):\n%s", tt.n, tt.only, diff)
		}
	}
	if err := errors.Join(os.Remove(path), os.Mkdir(path, 0o700)); err != nil {
		t.Fatal(err)
	}
	if _, _, err := Latest(path, 1, func(*Entry) bool { return true }); err == nil || !strings.Contains(err.Error(), "it is a directory") {
		t.Errorf("a directory: %v", err)
	}
}
