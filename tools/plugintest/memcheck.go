package plugintest

import (
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// valgrind runs a worker and writes what it finds to a file.
func valgrind(report string) []string {
	return []string{"valgrind", "--quiet", "--leak-check=full", "--show-leak-kinds=definite", "--errors-for-leak-kinds=definite",
		"--track-origins=yes", "--num-callers=30", "--error-limit=no", "--xml=yes", "--xml-file=" + report}
}

// slowness is how many times as long a call may take under valgrind.
const slowness = 20

// mostMutants are the hostile messages of a method under valgrind.
const mostMutants = 60

// memcheck calls everything under valgrind, or without it where there is none:
// then only what goes through the host's alloc and free is seen.
func (t *Tester) memcheck() error {
	if err := t.learn(); err != nil {
		return err
	}
	if _, err := exec.LookPath("valgrind"); err != nil {
		t.skip("memory that is not of host->alloc: valgrind is not installed (apt install valgrind, dnf install valgrind)")
		return t.memoryWork(rigOptions{})
	}
	dir, err := os.MkdirTemp("", "plugin-tester-")
	if err != nil {
		return fmt.Errorf("%w: %w", ErrCannotRun, err)
	}
	defer func() { _ = os.RemoveAll(dir) }()
	// One file for each process: a crash begins another.
	if err := t.memoryWork(rigOptions{wrapper: valgrind(filepath.Join(dir, "%p.xml")), slow: slowness}); err != nil {
		return err
	}
	reports, err := filepath.Glob(filepath.Join(dir, "*.xml"))
	if err != nil || len(reports) == 0 {
		return fmt.Errorf("%w: valgrind has written no report", ErrCannotRun)
	}
	for _, report := range reports {
		if err := t.readReport(report); err != nil {
			return err
		}
	}
	return nil
}

// memoryWork is what valgrind watches.
func (t *Tester) memoryWork(o rigOptions) error {
	var work []func(*rig) error
	work = append(work, (*rig).everything)
	for _, b := range t.boxes {
		work = append(work, func(r *rig) error { return r.manyForMemcheck(b) }, func(r *rig) error { return r.endedTwice(b) })
		for _, m := range b.methods {
			if !m.broken {
				work = append(work, func(r *rig) error { return r.hostileForMemcheck(m) })
			}
		}
		if !slices.ContainsFunc(fileMethods, func(name string) bool { return b.method(name) == nil }) {
			work = append(work, func(r *rig) error { return (&fileBox{r, b}).contents() })
		}
	}
	// In one process, as starting valgrind takes long, until that is lost.
	for len(work) > 0 {
		left := len(work)
		err := t.scenario(o, func(r *rig) error {
			r.options.quiet = o.wrapper != nil // what is to be found without valgrind was
			for len(work) > 0 {
				f := work[0]
				work = work[1:]
				if err := t.ignoreBirth(f(r)); err != nil {
					return err
				}
			}
			return r.finiAll()
		})
		if err := t.ignoreBirth(err); err != nil || len(work) == left {
			return err
		}
	}
	return nil
}

func (r *rig) manyForMemcheck(b *box) error {
	for range 10 {
		if _, err := r.born(b); err != nil {
			return err
		}
	}
	return r.finiAll()
}

func (r *rig) hostileForMemcheck(m *method) error {
	r.t.at(m)
	k := known{}
	if len(m.known) > 0 {
		k = m.known[0]
	}
	id, _, err := r.ready(m, k.orNothing())
	if err != nil {
		return err
	}
	mutants := r.t.mutants(r.encode(k.plain(), m.box, id))
	step := max(1, len(mutants)/mostMutants)
	for i := 0; i < len(mutants); i += step {
		if _, err := r.hostileCall(m, id, mutants[i]); err != nil {
			return err
		}
	}
	return nil
}

// The parts of valgrind's XML, protocol 4.
type (
	valgrindError struct {
		Kind     string          `xml:"kind"`
		What     string          `xml:"what"`
		XWhat    valgrindXWhat   `xml:"xwhat"`
		AuxWhats []string        `xml:"auxwhat"`
		Stacks   []valgrindStack `xml:"stack"`
	}
	valgrindXWhat struct {
		Text string `xml:"text"`
	}
	valgrindStack struct {
		Frames []valgrindFrame `xml:"frame"`
	}
	valgrindFrame struct {
		Obj  string `xml:"obj"`
		Fn   string `xml:"fn"`
		Dir  string `xml:"dir"`
		File string `xml:"file"`
		Line string `xml:"line"`
	}
)

// readReport takes from valgrind's report what has the plugin's code in a stack.
// The end of a report is missing where the process crashed.
func (t *Tester) readReport(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	d := xml.NewDecoder(f)
	for {
		token, err := d.Token()
		var syntax *xml.SyntaxError
		if errors.Is(err, io.EOF) || errors.As(err, &syntax) {
			return nil
		}
		if err != nil {
			return err
		}
		if start, ok := token.(xml.StartElement); ok && start.Name.Local == "error" {
			var e valgrindError
			if err := d.DecodeElement(&e, &start); err == nil {
				t.valgrindFinding(&e)
			}
		}
	}
}

func (t *Tester) valgrindFinding(e *valgrindError) {
	file, err := filepath.EvalSymlinks(t.config.File)
	if err != nil {
		file = t.config.File
	}
	var place *valgrindFrame
	var frames []string
	for _, stack := range e.Stacks {
		for i := range stack.Frames {
			frame := &stack.Frames[i]
			if frame.Obj != file && frame.Obj != t.config.File {
				continue
			}
			if place == nil {
				place = frame
			}
			frames = append(frames, frame.String())
		}
	}
	if place == nil {
		return // not the plugin's
	}
	message := e.What
	if message == "" {
		message = e.XWhat.Text
	}
	if len(e.AuxWhats) > 0 {
		message += "; " + strings.Join(e.AuxWhats, "; ")
	}
	finding := Finding{Code: e.code(), Message: message, Function: place.Fn, File: place.path(), Backtrace: frames}
	finding.Line, _ = strconv.Atoi(place.Line)
	t.add(finding)
}

func (f *valgrindFrame) path() string {
	if f.Dir == "" {
		return f.File
	}
	return filepath.Join(f.Dir, f.File)
}

func (f *valgrindFrame) String() string {
	if f.File == "" {
		return f.Fn
	}
	return fmt.Sprintf("%s at %s:%s", f.Fn, f.path(), f.Line)
}

// code is the code of a finding for what valgrind reports.
func (e *valgrindError) code() string {
	freed := slices.ContainsFunc(e.AuxWhats, func(text string) bool { return strings.Contains(text, "free'd") })
	switch e.Kind {
	case "Leak_DefinitelyLost":
		return codeLeak
	case "InvalidFree", "MismatchedFree":
		return codeDoubleFree
	case "UninitCondition", "UninitValue", "SyscallParam":
		return codeUninitialised
	case "InvalidRead":
		if freed {
			return codeAfterFree
		}
		return codeInvalidRead
	}
	if freed {
		return codeAfterFree
	}
	return codeInvalidWrite
}
