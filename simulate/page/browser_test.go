package page_test

import (
	"bytes"
	"context"
	"fmt"
	"image"
	"image/color"
	"image/png"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
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
const patience = 4 * time.Minute

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

// picture writes what the page shows into a directory, for a person to look at.
func (b *tab) picture(directory, name string) {
	b.Helper()
	shot, err := chromedp.Run(b.ctx(), chromedp.CaptureScreenshot())
	if err != nil {
		b.Fatal(err)
	}
	shown, err := png.Decode(bytes.NewReader(shot))
	if err != nil {
		b.Fatal(err)
	}
	file, err := os.Create(filepath.Join(directory, name+".png"))
	if err != nil {
		b.Fatal(err)
	}
	defer file.Close()
	if err := (&png.Encoder{CompressionLevel: png.BestCompression}).Encode(file, fewer(shown)); err != nil {
		b.Fatal(err)
	}
}

// fewer returns a picture with the 256 colours that it has most often. It is a third as large as a
// file, and nobody sees a difference in what has few colours.
func fewer(shown image.Image) image.Image {
	counts := map[color.RGBA]int{}
	bounds := shown.Bounds()
	at := func(x, y int) color.RGBA { return color.RGBAModel.Convert(shown.At(x, y)).(color.RGBA) }
	for y := bounds.Min.Y; y < bounds.Max.Y; y++ {
		for x := bounds.Min.X; x < bounds.Max.X; x++ {
			counts[at(x, y)]++
		}
	}
	often := slices.SortedFunc(maps.Keys(counts), func(a, b color.RGBA) int { return counts[b] - counts[a] })
	var palette color.Palette
	for _, c := range often[:min(256, len(often))] {
		palette = append(palette, c)
	}
	index := map[color.RGBA]uint8{}
	for _, c := range often {
		index[c] = uint8(palette.Index(c))
	}
	made := image.NewPaletted(bounds, palette)
	for y := bounds.Min.Y; y < bounds.Max.Y; y++ {
		for x := bounds.Min.X; x < bounds.Max.X; x++ {
			made.SetColorIndex(x, y, index[at(x, y)])
		}
	}
	return made
}
