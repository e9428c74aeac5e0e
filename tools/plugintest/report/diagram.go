package report

import (
	"fmt"
	"slices"
	"strings"

	"github.com/nyash-plugins/nyash-go/internal/contract"
	"github.com/nyash-plugins/nyash-go/tools/plugintest"
)

// diagram is a sequence diagram: lifelines from left to right, time from top to bottom.
type diagram struct {
	Width, Height int
	Bottom        int // where lifelines end
	Lifelines     []lifeline
	Arrows        []arrow
	Marks         []mark
	Words         string // what it shows, for people who do not see it
}

type lifeline struct {
	X    int
	Box  int // the left edge of its head
	Name string
	Full string
}

// arrow is a call, or an answer, which is dashed and goes to the left.
type arrow struct {
	From, To, Y int
	TextX       int
	Text, Full  string
	Answer      bool
	Fault       bool
}

// mark is behind a step that shows the fault.
type mark struct {
	Y, Height int
}

// The measures, in the units of the picture: about one for a pixel.
const (
	diagramMargin  = 12
	diagramColumn  = 190
	diagramHead    = 30
	diagramHeadBox = 150
	diagramRow     = 24
	maxThreads     = 5  // with a lifeline each
	maxSteps       = 60 // that are drawn
	letterWidth    = 7  // of the text of arrows
	maxName        = 18 // letters of a head
)

// newDiagram draws the steps of a finding; nil for none.
func newDiagram(f plugintest.Finding) *diagram {
	steps := f.Steps
	if len(steps) == 0 {
		return nil
	}
	d := &diagram{}
	hidden := len(steps) - maxSteps
	if hidden > 0 { // the fault is at the end
		steps = steps[hidden:]
	}
	threads := threadsOf(steps)
	columns := make(map[string]int)
	add := func(key, name string) {
		if _, ok := columns[key]; ok {
			return
		}
		x := diagramMargin + diagramHeadBox/2 + len(d.Lifelines)*diagramColumn
		columns[key] = x
		name = contract.Printable(name)
		d.Lifelines = append(d.Lifelines, lifeline{X: x, Box: x - diagramHeadBox/2, Name: shorten(name, maxName), Full: name})
	}
	hostOf := func(thread int) string { return fmt.Sprintf("host %d", thread) }
	switch {
	case len(threads) > maxThreads:
		hostOf = func(int) string { return "host" }
		add("host", "host, many threads")
	case len(threads) == 1:
		add(hostOf(threads[0]), "host")
	default:
		for _, n := range threads {
			add(hostOf(n), fmt.Sprintf("host, thread %d", n))
		}
	}
	for _, s := range steps {
		add("instance "+s.Instance, s.Instance)
	}
	last := d.Lifelines[len(d.Lifelines)-1].X
	d.Width = last + diagramHeadBox/2 + diagramMargin
	y := diagramMargin + diagramHead + diagramRow
	if hidden > 0 {
		where := "in the script"
		if f.Sequence == "" {
			where = "left out"
		}
		d.text(d.Lifelines[0].X, y, fmt.Sprintf("%d earlier calls are %s", hidden, where), false)
		y += diagramRow
	}
	var words []string
	for i, s := range steps {
		from, to := columns[hostOf(s.Thread)], columns["instance "+s.Instance]
		top := y
		if s.Call != "" {
			text := s.Call
			if len(threads) > maxThreads {
				text = fmt.Sprintf("thread %d: %s", s.Thread, text)
			}
			d.arrow(from, to, y, text, false, s.Fault)
			y += diagramRow
		}
		if s.Note != "" {
			d.text(from, y, s.Note, s.Fault)
			y += diagramRow
		}
		answer := s.Answer
		if answer == "" && s.Fault {
			answer = "no answer"
			if f.Code != "hang" {
				answer += ": " + f.Code
			}
		}
		if answer != "" {
			d.arrow(to, from, y, answer, true, s.Fault)
			y += diagramRow
		}
		if s.Fault {
			d.Marks = append(d.Marks, mark{Y: top - diagramRow + 6, Height: y - top})
		}
		words = append(words, spoken(i+1, s, answer))
		y += diagramRow / 3
	}
	d.Bottom = y
	d.Height = y + diagramMargin
	d.Words = strings.Join(words, "; ")
	return d
}

func threadsOf(steps []plugintest.Step) (all []int) {
	for _, s := range steps {
		all = append(all, s.Thread)
	}
	slices.Sort(all)
	return slices.Compact(all)
}

func (d *diagram) arrow(from, to, y int, text string, answer, fault bool) {
	d.put(arrow{From: from, To: to, Y: y, Answer: answer, Fault: fault}, text)
}

// text is a line without an arrow.
func (d *diagram) text(x, y int, text string, fault bool) {
	d.put(arrow{From: x, To: x, Y: y, Fault: fault}, text)
}

func (d *diagram) put(a arrow, text string) {
	a.TextX = min(a.From, a.To) + 8
	a.Full = contract.Printable(text)
	a.Text = shorten(a.Full, max(maxName, (d.Width-a.TextX)/letterWidth))
	d.Arrows = append(d.Arrows, a)
}

func spoken(number int, s plugintest.Step, answer string) string {
	var parts []string
	if s.Call != "" {
		parts = append(parts, fmt.Sprintf("thread %d calls %s on %s", s.Thread, s.Call, s.Instance))
	}
	if s.Note != "" {
		parts = append(parts, s.Note)
	}
	if answer != "" {
		parts = append(parts, "answered "+answer)
	}
	text := strings.Join(parts, ", ")
	if s.Fault {
		text += " (here is the fault)"
	}
	return contract.Printable(fmt.Sprintf("%d. %s", number, text))
}

func shorten(text string, letters int) string {
	runes := []rune(text)
	if len(runes) <= letters {
		return text
	}
	return string(runes[:letters-1]) + "…"
}

// Classes are those of the page's style sheet.
func (a arrow) Classes() string {
	var all []string
	if a.Answer {
		all = append(all, "answer")
	}
	if a.Fault {
		all = append(all, "fault")
	}
	return strings.Join(all, " ")
}

// Head is the point of the arrow, as a polygon.
func (a arrow) Head() string {
	const size = 7
	back := a.To - size
	if a.To < a.From {
		back = a.To + size
	}
	return fmt.Sprintf("%d,%d %d,%d %d,%d", a.To, a.Y, back, a.Y-size/2-1, back, a.Y+size/2+1)
}

// Line tells whether it is more than text.
func (a arrow) Line() bool { return a.From != a.To }

// TextY is where its text stands.
func (a arrow) TextY() int { return a.Y - 5 }

// Letter is where the letter of a mark stands.
func (m mark) Letter() int { return m.Y + diagramRow*2/3 }

// The heads of lifelines.
func (*diagram) HeadTop() int    { return diagramMargin }
func (*diagram) HeadHeight() int { return diagramHead }
func (*diagram) HeadWidth() int  { return diagramHeadBox }
func (*diagram) HeadEnd() int    { return diagramMargin + diagramHead }
func (*diagram) NameY() int      { return diagramMargin + diagramHead*2/3 }
