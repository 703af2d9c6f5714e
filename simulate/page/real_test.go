package page_test

import (
	"context"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/chromedp/cdproto/accessibility"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/input"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"sesame/simulate/page"
)

// saved writes a page into a file, and returns its path.
func saved(t *testing.T, d *page.Data) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "page.html")
	if err := os.WriteFile(path, []byte(written(t, d)), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

const (
	chosen     = `(document.querySelector("#detail .badge")?.textContent ?? "none")`
	rows       = `document.querySelectorAll("#attempts-table tbody tr").length`
	lanes      = `Math.round(document.getElementById("tall").offsetHeight / 46)`
	shown      = `document.getElementById("count").textContent`
	view       = `document.getElementById("canvas").dataset.view`
	span       = `document.getElementById("canvas").dataset.view.split(" ").reduce((from, to) => to - from)`
	everything = "-72000000 3672000000" // of the sample: an hour, and a fiftieth on each side
)

// The page in a real browser. Each test has a tab, in which no script may fail or write a message,
// and nothing may be asked of the network.
func TestRealPage(t *testing.T) {
	browser := start(t)
	path := saved(t, sample(20, 7))
	tests := map[string]func(*testing.T, context.Context, string){
		"hostile texts": hostileTexts, "filters": filters, "keyboard": keyboard, "mouse": mouse, "buttons": buttons, "table": table,
		"many": many, "print": printed, "accessible": accessible, "colours": colours, "narrow": narrow, "motion": motion,
		"no script": noScript, "nothing": nothing, "compared": compared, "fitted": fitted,
	}
	if os.Getenv("SESAME_PICTURES") != "" {
		tests["pictures"] = pictures
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) { test(t, browser, path) })
	}
}

func hostileTexts(t *testing.T, browser context.Context, _ string) {
	d := hostileData()
	b := open(t, browser, saved(t, d), 1280, 900, "light")
	b.is(`document.querySelector("h1").textContent`, hostile[1])
	b.is(`document.querySelectorAll("img, iframe, object, embed, link, base, form").length`, "0")
	b.is(`document.querySelectorAll("script").length`, "2")
	b.is(rows, fmt.Sprint(len(hostile)))
	b.is(`document.querySelector("#attempts-table tbody bdi").textContent`, hostile[0])
	b.do(chromedp.Click(chromedp.CSS("#attempts-table tbody button")))
	b.eventually(`document.querySelector("#detail bdi")?.textContent === ` + quoted(hostile[0]))
	b.do(chromedp.SendKeys(chromedp.CSS("#source"), "onerror"))
	b.eventually(rows + ` === 1`)
	b.is(`document.body.innerText.includes("\u202e")`, "false")
}

// quoted returns a text as JavaScript has it.
func quoted(s string) string { return fmt.Sprintf("JSON.parse(%q)", fmt.Sprintf("%q", s)) }

func filters(t *testing.T, browser context.Context, path string) {
	b := open(t, browser, path, 1280, 900, "light")
	b.is(shown, "140 attempts")
	b.is(lanes, "21")
	b.is(`document.getElementById("reset").hidden`, "true")
	b.do(chromedp.SendKeys(chromedp.CSS("#source"), "2001:DB8"))
	b.eventually(lanes + ` === 4`)
	b.is(shown, "28 of 140 attempts")
	b.is(rows, "25")
	b.is(`[...document.querySelectorAll("#attempts-table tbody tr td:nth-child(2)")].every((c) => c.textContent.startsWith("2001:db8"))`, "true")
	b.do(chromedp.SetValue(chromedp.CSS("#door"), "ssh"), event("#door", "change"))
	b.eventually(lanes + ` === 1`)
	b.is(shown, "7 of 140 attempts")
	b.do(chromedp.Click(chromedp.CSS("#reset")))
	b.eventually(lanes + ` === 21`)
	b.is(`document.activeElement.id + document.getElementById("source").value + document.getElementById("door").value`, "source")
	// One verdict after the other.
	b.is(`[...document.querySelectorAll("#verdicts button")].map((b) => b.textContent.replace(/[0-9]/g, "").trim()).join()`, "Opened,Refused,Failed,Stopped,Never began")
	b.is(`[...document.querySelectorAll("#verdicts .number")].reduce((sum, n) => sum + Number(n.textContent), 0)`, "141")
	opened := value[string](b, `document.querySelector("#verdicts .number").textContent`)
	for range 4 {
		b.do(chromedp.Evaluate[chromedp.Void](`[...document.querySelectorAll("#verdicts button[aria-pressed=true]")].at(-1).click()`))
	}
	b.eventually(shown + ` === "` + opened + ` of 140 attempts"`)
	b.is(`[...document.querySelectorAll("#attempts-table tbody td:nth-child(4)")].every((c) => c.textContent === "Opened")`, "true")
	b.do(chromedp.Click(chromedp.CSS("#verdicts button")))
	b.eventually(lanes + ` === 0`)
	b.is(`document.getElementById("nothing").hidden`, "false")
	b.is(`document.querySelector("#attempts-table tbody").textContent`, "Nothing to list.")
	b.do(chromedp.Click(chromedp.CSS("#reset")))
	b.eventually(shown + ` === "140 attempts"`)
	// Another order.
	b.do(chromedp.SetValue(chromedp.CSS("#order"), "source"), event("#order", "change"), chromedp.Focus(chromedp.CSS("#lanes")), chromedp.KeyEvent(kb.ArrowDown))
	b.eventually(`document.querySelector("#detail bdi")?.textContent === "203.0.113.3"`)
}

// event makes an element report that a person changed it.
func event(selector, name string) chromedp.Action[chromedp.Void] {
	return chromedp.Evaluate[chromedp.Void](fmt.Sprintf("document.querySelector(%q).dispatchEvent(new Event(%q, { bubbles: true }))", selector, name))
}

func keyboard(t *testing.T, browser context.Context, path string) {
	b := open(t, browser, path, 1280, 900, "light")
	b.is(view, everything)
	// The tab key reaches the timeline, and goes on behind it.
	for range 40 {
		b.do(chromedp.KeyEvent(kb.Tab))
		if value[string](b, `document.activeElement.id`) == "lanes" {
			break
		}
	}
	b.is(`document.activeElement.id`, "lanes")
	b.is(chosen, "none")
	b.do(chromedp.KeyEvent(kb.ArrowDown))
	b.eventually(`document.getElementById("status").textContent.endsWith("Attempt 1 of 7 in this lane.")`)
	b.is(`document.getElementById("tip").hidden`, "false")
	first := value[string](b, `document.getElementById("detail").textContent`)
	b.do(chromedp.KeyEvent(kb.ArrowRight))
	b.eventually(`document.getElementById("status").textContent.endsWith("Attempt 2 of 7 in this lane.")`)
	b.do(chromedp.KeyEvent(kb.End))
	b.eventually(`document.getElementById("status").textContent.endsWith("Attempt 7 of 7 in this lane.")`)
	b.do(chromedp.KeyEvent(kb.ArrowRight), chromedp.KeyEvent(kb.Home))
	b.eventually(`document.getElementById("status").textContent.endsWith("Attempt 1 of 7 in this lane.")`)
	b.is(`document.getElementById("detail").textContent`, first)
	who := value[string](b, `document.querySelector("#detail .who").textContent`)
	b.do(chromedp.KeyEvent(kb.ArrowDown))
	b.eventually(`document.querySelector("#detail .who").textContent !== "` + who + `"`)
	b.do(chromedp.KeyEvent(kb.ArrowUp))
	b.eventually(`document.querySelector("#detail .who").textContent === "` + who + `"`)
	// A lane below comes into view.
	b.do(chromedp.KeyEvent(kb.PageDown), chromedp.KeyEvent(kb.PageDown), chromedp.KeyEvent(kb.PageDown))
	b.eventually(`document.getElementById("lanes").scrollTop > 0`)
	b.is(`document.getElementById("tip").hidden`, "false")
	// Zoom, and move.
	b.do(chromedp.KeyEvent(kb.Enter))
	b.eventually(span + ` < 60e6`)
	zoomed := value[string](b, view)
	b.do(chromedp.KeyEvent("-"))
	b.eventually(view + ` !== "` + zoomed + `"`)
	b.do(chromedp.KeyEvent("+"))
	before := value[float64](b, `Number("`+zoomed+`".split(" ")[0])`)
	b.eventually(fmt.Sprintf(`Math.abs(Number(%s.split(" ")[0]) - %f) < 5`, view, before))
	b.do(chromedp.KeyEvent(kb.ArrowRight, chromedp.KeyModifiers(chromedp.ModifierShift)))
	b.eventually(fmt.Sprintf(`Number(%s.split(" ")[0]) > %f`, view, before))
	b.do(chromedp.KeyEvent(kb.ArrowLeft, chromedp.KeyModifiers(chromedp.ModifierShift)), chromedp.KeyEvent("a"))
	b.eventually(fmt.Sprintf(`Number(%s.split(" ")[0]) < %f`, view, before))
	b.do(chromedp.KeyEvent("0"))
	b.eventually(view + ` === "` + everything + `"`)
	b.do(chromedp.KeyEvent(kb.Escape))
	b.eventually(chosen + ` === "none"`)
	b.is(`document.getElementById("tip").hidden`, "true")
	// Keys of the browser, and keys elsewhere, are not taken.
	b.do(chromedp.Focus(chromedp.CSS("#source")), chromedp.KeyEvent("+0a"))
	b.is(`document.getElementById("source").value`, "+0a")
}

// mouseEvent moves, presses or turns the mouse at a place of an element: parts of its width, and
// pixels below its top.
func (b *tab) mouseEvent(id string, part, down float64, p input.DispatchMouseEventParams) {
	b.Helper()
	box := value[[]float64](b, fmt.Sprintf(`(() => { const b = document.getElementById(%q).getBoundingClientRect(); return [b.left, b.top, b.width]; })()`, id))
	p.X, p.Y = box[0]+part*box[2], box[1]+down
	if _, err := chromedp.Call(b.ctx(), input.DispatchMouseEvent, p); err != nil {
		b.Fatal(err)
	}
}

func (b *tab) press(id string, part, down float64) {
	b.mouseEvent(id, part, down, input.DispatchMouseEventParams{Type: "mousePressed", Button: "left", Buttons: 1, ClickCount: 1})
}

func (b *tab) move(id string, part, down float64, buttons int64) {
	b.mouseEvent(id, part, down, input.DispatchMouseEventParams{Type: "mouseMoved", Buttons: buttons})
}

func (b *tab) release(id string, part, down float64) {
	b.mouseEvent(id, part, down, input.DispatchMouseEventParams{Type: "mouseReleased", Button: "left", ClickCount: 1})
}

// drag drags from one place of an element to another.
func (b *tab) drag(id string, from, to, down float64) {
	b.Helper()
	b.press(id, from, down)
	for i := range 5 {
		b.move(id, from+(to-from)*float64(i+1)/5, down, 1)
	}
	b.release(id, to, down)
}

func mouse(t *testing.T, browser context.Context, _ string) {
	d := sample(20, 7)
	d.Attempts, d.Accounts = d.Attempts[:1], nil // one attempt, whose place is known
	d.Grants = []page.Grant{
		{Source: d.Attempts[0].Source, Door: d.Attempts[0].Door, Begin: d.Begin, End: d.End, What: "tcp/22", Reason: "expired"},
		{Source: d.Attempts[0].Source, Door: d.Attempts[0].Door, Begin: d.Begin, End: d.End, What: "udp/51820", Observed: true},
	}
	b := open(t, browser, saved(t, d), 1280, 900, "light")
	b.do(chromedp.Click(chromedp.CSS("[data-do=all]")))
	b.eventually(view + ` === "` + everything + `"`)
	width := value[float64](b, `document.getElementById("lanes").clientWidth`)
	time := float64(d.Attempts[0].End.Sub(d.Begin)) / float64(d.End.Sub(d.Begin))
	part := (236 + (0.02+time)/1.04*(width-14-236)) / width
	b.move("lanes", part, 15, 0)
	b.eventually(`!document.getElementById("tip").hidden`)
	b.is(`document.getElementById("tip").textContent.includes("2 Mar 2026, 12:")`, "true")
	b.move("lanes", 0.9, 34, 0)
	b.eventually(`document.getElementById("tip").textContent.startsWith("tcp/22open for 1 h: expired")`)
	b.is(`document.getElementById("tip").textContent.includes("udp/51820would have been open for 1 h")`, "true")
	b.move("lanes", 0.1, 15, 0)
	b.eventually(`document.getElementById("tip").hidden`)
	b.press("lanes", part, 15)
	b.release("lanes", part, 15)
	b.eventually(chosen + ` !== "none"`)
	b.is(`document.getElementById("attempts-table").querySelectorAll("tr.chosen").length`, "1")
	b.press("lanes", 0.5, 15)
	b.release("lanes", 0.5, 15)
	b.eventually(chosen + ` === "none"`)
	// The wheel zooms with Ctrl, around the mouse, and moves with Shift. Without either it scrolls.
	b.mouseEvent("lanes", part, 15, input.DispatchMouseEventParams{Type: "mouseWheel", DeltaX: 0.01, DeltaY: -400, Modifiers: 2})
	b.eventually(span + ` < 1000e6`)
	zoomed := value[string](b, view)
	b.mouseEvent("lanes", part, 15, input.DispatchMouseEventParams{Type: "mouseWheel", DeltaX: 0.01, DeltaY: 120, Modifiers: 8})
	b.eventually(view + ` !== "` + zoomed + `"`)
	moved := value[string](b, view)
	b.mouseEvent("lanes", part, 15, input.DispatchMouseEventParams{Type: "mouseWheel", DeltaX: 0.01, DeltaY: 5})
	b.mouseEvent("axis", 0.5, 15, input.DispatchMouseEventParams{Type: "mouseWheel", DeltaX: 0.01, DeltaY: 2000})
	b.eventually(view + ` === "` + everything + `"`)
	if moved == zoomed {
		t.Error("Shift and the wheel move nothing")
	}
	// A drag on the time scale chooses a part, one on the lanes moves it, one on the overview too.
	b.drag("axis", 0.5, 0.6, 15)
	b.eventually(fmt.Sprintf(`Math.abs(%s - %f) < 5e6`, span, 0.1*width/(width-250)*3744e6))
	before := value[float64](b, `Number(`+view+`.split(" ")[0])`)
	b.drag("lanes", 0.5, 0.7, 40)
	b.eventually(fmt.Sprintf(`Number(%s.split(" ")[0]) < %f`, view, before-1e6))
	b.is(chosen, "none")
	b.drag("overview", 0.1, 0.3, 20)
	b.eventually(fmt.Sprintf(`Math.abs(%s - 0.2 * 3744e6) < 8e6`, span))
	b.drag("overview", 0.2, 0.7, 20)
	b.eventually(fmt.Sprintf(`Math.abs(Number(%s.split(" ")[0]) - (0.6 * 3744e6 - 72e6)) < 9e6`, view))
}

func buttons(t *testing.T, browser context.Context, path string) {
	b := open(t, browser, path, 1280, 900, "light")
	press := func(name string) { b.do(chromedp.Click(chromedp.CSS("[data-do=" + name + "]"))) }
	press("in")
	b.eventually(view + ` === "864000000 2736000000"`)
	press("left")
	b.eventually(view + ` === "115200000 1987200000"`)
	press("right")
	b.eventually(view + ` === "864000000 2736000000"`)
	press("out")
	b.eventually(view + ` === "` + everything + `"`)
	for range 50 {
		press("in")
	}
	b.eventually(span + ` === 200`)
	press("fit")
	b.eventually(view + ` === "` + everything + `"`)
}

func table(t *testing.T, browser context.Context, path string) {
	b := open(t, browser, path, 1280, 900, "light")
	// All heads stand on one line.
	b.is(`(() => { const range = document.createRange(); return new Set([...document.querySelectorAll("#attempts-table th")].map((h) => { range.selectNodeContents(h.firstElementChild ?? h); return Math.round(range.getBoundingClientRect().bottom); })).size; })()`, "1")
	cell := func(column int) string {
		return fmt.Sprintf(`document.querySelector("#attempts-table tbody td:nth-child(%d)").textContent`, column)
	}
	head := func(column int) chromedp.Action[chromedp.Void] {
		return chromedp.Click(chromedp.CSS(fmt.Sprintf("#attempts-table th:nth-child(%d) button", column)))
	}
	b.is(`document.querySelectorAll("#attempts-table th[aria-sort=none]").length`, "7")
	b.do(head(6))
	b.is(`/ ms$/.test(`+cell(6)+`)`, "true")
	b.is(`document.querySelector("#attempts-table th:nth-child(6)").getAttribute("aria-sort")`, "ascending")
	b.do(head(6))
	b.is(`document.querySelector("#attempts-table th:nth-child(6)").getAttribute("aria-sort")`, "descending")
	b.is(`/^[5-9].* s$/.test(`+cell(6)+`)`, "true")
	b.do(head(4))
	b.is(cell(4), "Opened")
	b.do(head(2))
	b.is(cell(2), "203.0.113.3")
	b.is(`document.querySelector("#attempts-table .pages span").textContent`, "rows 1 to 25 of 140")
	b.is(`document.querySelector("#attempts-table .pages button").disabled`, "true")
	for range 5 {
		b.do(chromedp.Click(chromedp.CSS("#attempts-table .pages button:nth-child(2)")))
	}
	b.is(`document.querySelector("#attempts-table .pages span").textContent`, "rows 126 to 140 of 140")
	b.is(rows, "15")
	b.do(chromedp.Click(chromedp.CSS("#attempts-table tbody button")))
	b.eventually(chosen + ` !== "none"`)
	b.is(`document.querySelectorAll("tr.chosen").length`, "1")
	b.is(`document.querySelector("#detail .who bdi").textContent === `+cell(2), "true")
	// What it says, and what would have helped, as the account has it.
	b.is(`document.querySelector("#detail .help").textContent`, "within >= 9.1s")
	b.is(`document.querySelectorAll("#accounts-table tbody tr").length`, "21")
}

// Ten thousand attempts: the work for a frame grows with the picture, and no event draws more than
// one frame.
func many(t *testing.T, browser context.Context, _ string) {
	b := open(t, browser, saved(t, sample(100, 100)), 1280, 900, "light")
	b.is(shown, "10,000 attempts")
	visible := value[float64](b, `Math.ceil(document.getElementById("canvas").clientHeight / 46) + 1`)
	most := value[float64](b, `document.getElementById("canvas").clientWidth`) * visible
	if drawn := value[float64](b, `Number(document.getElementById("canvas").dataset.drawn)`); drawn < 100 || drawn > most {
		t.Errorf("%v things are drawn: expected some, and at most %v", drawn, most)
	}
	if nodes := value[float64](b, `document.querySelectorAll("*").length`); nodes > 2500 {
		t.Errorf("the page has %v elements: expected no more than it shows", nodes)
	}
	const events = 60
	drawn, err := chromedp.Run(b.ctx(), chromedp.Evaluate[float64](`new Promise((done) => {
		const lanes = document.getElementById("lanes"), canvas = document.getElementById("canvas"), before = Number(canvas.dataset.frames);
		let left = `+fmt.Sprint(events)+`;
		const next = () => {
			if (left-- === 0) return done(Number(canvas.dataset.frames) - before);
			for (let i = 0; i < 5; i++) lanes.dispatchEvent(new WheelEvent("wheel", { deltaY: left % 2 ? -300 : 280, ctrlKey: true, clientX: 700, clientY: 600, bubbles: true, cancelable: true }));
			requestAnimationFrame(() => requestAnimationFrame(next));
		};
		next();
	})`, chromedp.EvalAwaitPromise))
	if err != nil {
		t.Fatal(err)
	}
	if drawn > events*2 {
		t.Errorf("%v frames for %d events: expected one for all events before it", drawn, events*5)
	}
	// Sorting compares each text once, and not at each step.
	b.do(chromedp.Evaluate[chromedp.Void](`globalThis.compared = 0; const compare = Object.getOwnPropertyDescriptor(Intl.Collator.prototype, "compare").get;
		Object.defineProperty(Intl.Collator.prototype, "compare", { get() { const f = compare.call(this); return (x, y) => { globalThis.compared++; return f(x, y); }; } })`))
	b.do(chromedp.Click(chromedp.CSS("#attempts-table th:nth-child(2) button")))
	if n := value[float64](b, `globalThis.compared`); n == 0 || n > 2000 {
		t.Errorf("%v comparisons for 100 different texts in 10,000 rows", n)
	}
	b.do(chromedp.Evaluate[chromedp.Void](`document.getElementById("lanes").scrollTop = 1e9`))
	b.eventually(`document.getElementById("canvas").getBoundingClientRect().bottom - document.getElementById("lanes").getBoundingClientRect().bottom < 2`)
}

func printed(t *testing.T, browser context.Context, path string) {
	b := open(t, browser, path, 1280, 900, "dark")
	b.is(`document.documentElement.dataset.theme`, "dark")
	b.do(chromedp.Evaluate[chromedp.Void](`addEventListener("beforeprint", () => (globalThis.seen = [document.documentElement.dataset.theme, ` + rows + `, document.getElementById("canvas").offsetHeight].join()))`))
	paper, err := chromedp.Run(b.ctx(), chromedp.PrintToPDF(chromedp.PDFPrintBackground()))
	if err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(string(paper), "%PDF-") || len(paper) < 20_000 {
		t.Errorf("the print has %d bytes, and begins with %.8q", len(paper), paper)
	}
	if directory := os.Getenv("SESAME_PICTURES"); directory != "" {
		if err := os.WriteFile(filepath.Join(directory, "print.pdf"), paper, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	b.is(`globalThis.seen`, "light,140,966")
	b.is(`document.documentElement.dataset.theme`, "dark")
	b.is(rows, "25")
	b.media("print", "dark")
	for _, hidden := range []string{".filters", ".zoom", "#theme", ".keys", "#overview", ".pages"} {
		b.is(`getComputedStyle(document.querySelector("`+hidden+`")).display`, "none")
	}
}

// accessible looks at the page as a screen reader gets it.
func accessible(t *testing.T, browser context.Context, path string) {
	b := open(t, browser, path, 1280, 900, "light")
	tree, err := chromedp.Call(b.ctx(), accessibility.GetFullAXTree, accessibility.GetFullAXTreeParams{})
	if err != nil {
		t.Fatal(err)
	}
	found := map[string]int{}
	for _, node := range tree.Nodes {
		if node.Ignored || node.Role == nil {
			continue
		}
		role, name := axText(node.Role), axText(node.Name)
		found[role+" "+name]++
		switch role {
		case "button", "searchbox", "combobox", "table", "application", "complementary", "region", "toolbar", "heading", "link", "columnheader", "group", "search":
			if name == "" && role != "group" {
				t.Errorf("a %s has no name", role)
			}
		case "image", "img", "Canvas", "canvas":
			t.Errorf("a picture %q is told to those who do not see it", name)
		}
	}
	for _, want := range []string{
		"heading monday.pcapng.gz", "search Filters", "searchbox Source", "combobox Door", "combobox Order", "group Result", "toolbar Zoom and move",
		"button Zoom in", "button Zoom out", "button Earlier", "button Later", "button Fit", "button Dark colours", "application Attempts by source and door",
		"complementary The chosen attempt", "table Attempts", "table What became of each source", "columnheader Begin (UTC)", "status ", "link Skip to the table of attempts",
	} {
		if found[want] == 0 {
			t.Errorf("no %q in %v", want, found)
		}
	}
	if found["row "] < 20 && found["row"] < 20 {
		rows := 0
		for key, n := range found {
			if strings.HasPrefix(key, "row ") {
				rows += n
			}
		}
		if rows < 47 { // 25 attempts, 21 accounts, and their heads
			t.Errorf("%d rows", rows)
		}
	}
	b.is(`[...document.querySelectorAll("#verdicts button")].every((b) => b.getAttribute("aria-pressed") === "true")`, "true")
	b.is(`[...document.querySelectorAll("[tabindex]")].every((e) => e.tabIndex <= 0)`, "true")
	b.is(`document.documentElement.lang`, "en")
}

func axText(v *accessibility.Value) string {
	if v == nil {
		return ""
	}
	return strings.Trim(string(v.Value), `"`)
}

// colours measures the contrast of all texts and shapes, as WCAG 2.2 counts it, in both schemes.
func colours(t *testing.T, browser context.Context, path string) {
	for _, scheme := range []string{"light", "dark"} {
		b := open(t, browser, path, 1280, 900, scheme)
		b.is(`document.documentElement.dataset.theme`, scheme)
		b.is(`getComputedStyle(document.documentElement).colorScheme`, scheme)
		for _, pair := range []struct {
			front, back string
			least       float64
		}{
			{"ink", "page", 7}, {"ink", "surface", 7}, {"ink", "sunken", 7}, {"muted", "page", 4.5}, {"muted", "surface", 4.5}, {"muted", "sunken", 4.5},
			{"focus", "surface", 4.5}, {"focus", "page", 4.5}, {"on-grant", "grant", 4.5}, {"grant", "surface", 3}, {"strong-line", "surface", 3},
			{"opened", "surface", 3}, {"waiting", "surface", 3}, {"refused", "surface", 3}, {"failed", "surface", 3}, {"stopped", "surface", 3}, {"never", "surface", 3},
			{"opened", "sunken", 3}, {"refused", "sunken", 3}, {"failed", "sunken", 3}, {"stopped", "sunken", 3}, {"never", "sunken", 3},
		} {
			front, back := b.luminance(pair.front), b.luminance(pair.back)
			if contrast := (max(front, back) + 0.05) / (min(front, back) + 0.05); contrast < pair.least {
				t.Errorf("%s: the contrast of %s on %s is %.2f: expected %v", scheme, pair.front, pair.back, contrast, pair.least)
			}
		}
		b.do(chromedp.Click(chromedp.CSS("#theme")))
		other := map[string]string{"light": "dark", "dark": "light"}[scheme]
		b.eventually(`document.documentElement.dataset.theme === "` + other + `"`)
		b.is(`getComputedStyle(document.documentElement).colorScheme`, other)
	}
}

// luminance returns the relative luminance of a colour of the page.
func (b *tab) luminance(name string) float64 {
	b.Helper()
	var c [3]int
	text := value[string](b, fmt.Sprintf(`getComputedStyle(document.documentElement).getPropertyValue("--%s").trim()`, name))
	if _, err := fmt.Sscanf(text, "#%02x%02x%02x", &c[0], &c[1], &c[2]); err != nil {
		b.Fatalf("the colour %s is %q", name, text)
	}
	sum := 0.0
	for i, weight := range []float64{0.2126, 0.7152, 0.0722} {
		part := float64(c[i]) / 255
		if part <= 0.04045 {
			part /= 12.92
		} else {
			part = math.Pow((part+0.055)/1.055, 2.4)
		}
		sum += weight * part
	}
	return sum
}

func narrow(t *testing.T, browser context.Context, path string) {
	b := open(t, browser, path, 390, 800, "light")
	b.is(`document.documentElement.scrollWidth`, "390")
	b.do(chromedp.Click(chromedp.CSS("#attempts-table tbody button")))
	b.eventually(chosen + ` !== "none"`)
	b.is(`document.documentElement.scrollWidth`, "390")
	// No table is cut off: its rows are lists, with the names of the columns.
	d := storyData(t)
	d.Attempts[0].Door = strings.Repeat("door-", 12)
	d.Findings = []page.Section{{Title: "Lost", Columns: []page.Column{{Name: "Door"}, {Name: "Why"}}, Rows: [][]string{{strings.Repeat("door-", 12), strings.Repeat("long ", 40)}}}}
	b = open(t, browser, saved(t, d), 390, 800, "light")
	b.is(`[...document.querySelectorAll(".scroll")].filter((s) => s.scrollWidth > s.clientWidth).length`, "0")
	b.is(`[...document.querySelectorAll("#attempts-table tbody tr:first-child td")].map((c) => c.dataset.name).join()`, "Begin (UTC),Source,Door,Result,Knocks,Took,Why, and what the door did")
	b.is(`getComputedStyle(document.querySelectorAll(".rows td")[1], "::before").content.includes('"Why"')`, "true")
	b.is(`document.querySelector("#attempts-table tr:first-child td.name").offsetHeight < 60`, "true")
	b.is(`[...document.querySelectorAll("#attempts-table th")].filter((h) => h.offsetWidth > 1).length`, "6")
	b.is(`[...document.querySelectorAll("button")].filter((b) => b.offsetHeight && !b.closest("table") && !b.classList.contains("quiet") && b.offsetHeight < 30).length`, "0")
}

// Who wants motion gets it, and it ends where it should.
func motion(t *testing.T, browser context.Context, path string) {
	b := open(t, browser, path, 1280, 900, "light")
	_, err := chromedp.Call(b.ctx(), emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{Features: []*emulation.MediaFeature{{Name: "prefers-reduced-motion", Value: "no-preference"}}})
	if err != nil {
		t.Fatal(err)
	}
	b.do(chromedp.Click(chromedp.CSS("[data-do=in]")))
	b.eventually(view + ` === "864000000 2736000000"`)
}

func noScript(t *testing.T, browser context.Context, path string) {
	ctx, cancel := chromedp.NewContext(browser)
	t.Cleanup(cancel)
	if _, err := chromedp.Call(ctx, emulation.SetScriptExecutionDisabled, emulation.SetScriptExecutionDisabledParams{Value: true}); err != nil {
		t.Fatal(err)
	}
	if err := chromedp.Do(ctx, chromedp.Navigate("file://"+path), chromedp.WaitVisible(chromedp.CSS("noscript p"))); err != nil {
		t.Fatal(err)
	}
}

// A page of a report in which nothing happened.
func nothing(t *testing.T, browser context.Context, _ string) {
	b := open(t, browser, saved(t, &page.Data{Command: "simulate", Title: "quiet.pcap", Notes: []string{"no packet was a knock"}}), 1280, 900, "light")
	b.is(`document.getElementById("board").hidden && document.getElementById("attempts").hidden && document.getElementById("accounts").hidden`, "true")
	b.is(`document.querySelector(".notes li").textContent`, "no packet was a knock")
	b.is(`document.querySelector(".filters").hidden`, "true")
	// One moment.
	one := &page.Data{Title: "one", Begin: noon, End: noon, Attempts: []page.Attempt{{Source: "203.0.113.9", Door: "ssh", Begin: noon, End: noon, Best: 1, Stages: 2}}}
	b = open(t, browser, saved(t, one), 1280, 900, "light")
	b.is(view, "-20000 300000")
	b.is(lanes, "1")
}

// A page that compares has lanes of each side, and says which is which.
func compared(t *testing.T, browser context.Context, _ string) {
	d := sample(4, 3)
	d.Sides = []string{"before", "after"}
	for _, a := range d.Attempts {
		a.Side = 1
		d.Attempts = append(d.Attempts, a)
	}
	b := open(t, browser, saved(t, d), 1280, 900, "light")
	b.is(lanes, "9")
	b.is(`[...document.querySelectorAll("#attempts-table th")].map((h) => h.textContent).join()`, "Begin (UTC),Source,Door,Scripts,Result,Knocks,Took,Why, and what the door did")
	b.is(`[...document.querySelectorAll("#attempts-table tbody td:nth-child(4)")].filter((c) => c.textContent === "after").length`, "12")
	b.do(chromedp.Click(chromedp.CSS("#attempts-table tbody button")))
	b.eventually(`document.querySelector("#detail .who")?.textContent.endsWith(", before")`)
}

// fitted looks at a page whose grants last far longer than its attempts: it begins with the
// attempts.
func fitted(t *testing.T, browser context.Context, _ string) {
	d := storyData(t)
	b := open(t, browser, saved(t, d), 1280, 900, "light")
	b.is(span+` < 200e6`, "true")
	home := value[string](b, view)
	b.do(chromedp.Click(chromedp.CSS("[data-do=all]")))
	b.eventually(span + ` > 8 * 3600e6`)
	b.do(chromedp.Click(chromedp.CSS("[data-do=fit]")))
	b.eventually(view + ` === "` + home + `"`)
	b.do(chromedp.Focus(chromedp.CSS("#lanes")), chromedp.KeyEvent("9"))
	b.eventually(span + ` > 8 * 3600e6`)
	b = open(t, browser, saved(t, sample(3, 3)), 1280, 900, "light")
	b.is(`document.getElementById("all").hidden`, "true")
}

// pictures takes the pictures that a person looks at: make pictures, or SESAME_PICTURES=DIR.
func pictures(t *testing.T, browser context.Context, path string) {
	directory := os.Getenv("SESAME_PICTURES")
	story := saved(t, storyData(t))
	for scheme, end := range map[string]string{"light": "", "dark": "-dark"} {
		for name, size := range map[string][2]int64{"page": {1280, 960}, "narrow": {390, 1100}} {
			b := open(t, browser, path, size[0], size[1], scheme)
			b.picture(directory, "hour-"+name+end)
			b = open(t, browser, story, size[0], size[1], scheme)
			b.do(chromedp.Evaluate[chromedp.Void](`document.querySelectorAll("#attempts-table tbody button")[1].click()`))
			b.eventually(chosen + ` === "Stopped"`)
			b.do(chromedp.Evaluate[chromedp.Void](`scrollTo(0, 0)`))
			b.picture(directory, name+end)
		}
	}
	// What a printer gets.
	b := open(t, browser, story, 800, 1100, "dark")
	b.do(chromedp.Evaluate[chromedp.Void](`dispatchEvent(new Event("beforeprint"))`))
	b.media("print", "light")
	b.picture(directory, "print")
}
