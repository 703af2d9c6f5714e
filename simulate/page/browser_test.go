package page_test

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
)

// patience bounds each test in the browser. None takes nearly as long.
const patience = 2 * time.Minute

// start starts a browser in which each test has a tab.
func start(t *testing.T) context.Context {
	t.Helper()
	program, err := exec.LookPath("chromium")
	if err != nil {
		program, err = exec.LookPath("google-chrome")
	}
	if err != nil {
		t.Skip("no chromium is installed: on Debian, apt-get install chromium")
	}
	options := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.ExecPath(program), chromedp.NoSandbox)
	allocated, cancel := chromedp.NewExecAllocator(t.Context(), options...)
	t.Cleanup(cancel)
	ctx, cancel := chromedp.NewContext(allocated)
	t.Cleanup(cancel)
	if err := chromedp.Do(ctx); err != nil {
		t.Fatal(err)
	}
	return ctx
}

// A tab is a page that is open in a real browser.
type tab struct {
	*testing.T
	ctx      func() context.Context // that of the tab
	mutex    sync.Mutex
	problems []string // errors and messages of scripts, and requests
}

// open opens a file. When the test ends, nothing may have been asked of the network, and no script
// may have failed or written a message.
func open(t *testing.T, browser context.Context, path string, width, height int64, scheme string) *tab {
	t.Helper()
	ctx, cancel := chromedp.NewContext(browser)
	t.Cleanup(cancel)
	ctx, cancel = context.WithTimeout(ctx, patience)
	t.Cleanup(cancel)
	b := &tab{T: t, ctx: func() context.Context { return ctx }}
	if err := chromedp.Listen(ctx, b.listen(path)); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		b.mutex.Lock()
		defer b.mutex.Unlock()
		for _, problem := range b.problems {
			t.Error(problem)
		}
	})
	b.media("", scheme)
	b.do(chromedp.EmulateViewport(width, height), chromedp.Navigate("file://"+path), chromedp.WaitVisible(chromedp.CSS("#app")))
	return b
}

// media makes the tab prefer colours, for the screen or for paper.
func (b *tab) media(medium, scheme string) {
	b.Helper()
	_, err := chromedp.Call(b.ctx(), emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{
		Media:    medium,
		Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: scheme}, {Name: "prefers-reduced-motion", Value: "reduce"}},
	})
	if err != nil {
		b.Fatal(err)
	}
}

// listen returns a function that notes what must not happen.
func (b *tab) listen(path string) func(any) {
	return func(event any) {
		problem := ""
		switch e := event.(type) {
		case *runtime.EventExceptionThrown:
			problem = "a script failed: " + e.ExceptionDetails.Text
		case *runtime.EventConsoleAPICalled:
			problem = fmt.Sprintf("a script wrote a message: %v", e.Type)
		case *log.EventEntryAdded:
			problem = fmt.Sprintf("the browser says: %s", e.Entry.Text)
		case *network.EventRequestWillBeSent:
			if !strings.HasSuffix(e.Request.URL, filepath.Base(path)) {
				problem = "the network was asked for " + e.Request.URL
			}
		case *page.EventJavascriptDialogOpening:
			problem = "a dialog opened: " + e.Message
		}
		if problem != "" {
			b.mutex.Lock()
			defer b.mutex.Unlock()
			b.problems = append(b.problems, problem)
		}
	}
}

func (b *tab) do(actions ...chromedp.Action[chromedp.Void]) {
	b.Helper()
	if err := chromedp.Do(b.ctx(), actions...); err != nil {
		b.Fatal(err)
	}
}

// value returns what an expression is in the page.
func value[T any](b *tab, expression string) T {
	b.Helper()
	found, err := chromedp.Run(b.ctx(), chromedp.Evaluate[T](expression))
	if err != nil {
		b.Fatalf("%s: %v", expression, err)
	}
	return found
}

// eventually waits until an expression is true in the page.
func (b *tab) eventually(expression string) {
	b.Helper()
	if _, err := chromedp.Run(b.ctx(), chromedp.Poll[bool](expression, chromedp.WithPollingTimeout(patience/4))); err != nil {
		b.Fatalf("%s: %v", expression, err)
	}
}

// is compares what an expression is in the page.
func (b *tab) is(expression, want string) {
	b.Helper()
	if got := fmt.Sprint(value[any](b, expression)); got != want {
		b.Errorf("%s is %q: expected %q", expression, got, want)
	}
}

// picture writes what the page shows into the directory of SESAME_PICTURES, for a person to look
// at.
func (b *tab) picture(name string) {
	b.Helper()
	directory := os.Getenv("SESAME_PICTURES")
	if directory == "" {
		return
	}
	shot, err := chromedp.Run(b.ctx(), chromedp.CaptureScreenshot())
	if err != nil {
		b.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(directory, name+".png"), shot, 0o644); err != nil {
		b.Fatal(err)
	}
}
