package plugintest

import (
	"bytes"
	"debug/elf"
	"encoding/binary"
	"fmt"
	"slices"
	"strings"
	"sync"
	"syscall"

	"github.com/nyash-plugins/nyash-go/abi"
	"github.com/nyash-plugins/nyash-go/internal/contract"
	"github.com/nyash-plugins/nyash-go/internal/isolate/transport"
	"github.com/nyash-plugins/nyash-go/tools/plugintest/interleave"
)

// finding is what a meeting shows, with the first call stopped at pc.
func (x *meetings) finding(t *trial, r *interleave.Result, pc uint32) Finding {
	plan, m := &t.s.program.Plans[t.plan], t.meeting
	calls := [2]string{t.s.show(plan.Threads[0][0]), t.s.show(plan.Threads[1][0])}
	at := x.code.authorsAt(pc)
	f := m.acts[0].m.finding(codeRace, "")
	f.Call, f.Input = calls[0], hexText(t.s.program.Calls[plan.Threads[0][0]].Args)
	f.Function, f.File, f.Line = at.function, at.file, at.line
	f.Backtrace = []string{fmt.Sprintf("%s stopped before %s", m.acts[0].m, at), fmt.Sprintf("%s made meanwhile, as a whole", m.acts[1].m)}
	f.Steps = t.steps(r, at)
	between := fmt.Sprintf("while %s is at %s, another thread calls %s", calls[0], at, calls[1])
	switch r.Status {
	case interleave.StatusHang:
		f.Code, f.Expected = codeHang, "both calls return"
		f.Message = fmt.Sprintf("%s: neither returns within %v", between, x.config.Timeout)
		if r.Value == 1 {
			f.Message = fmt.Sprintf("%s: a deadlock, both wait for ever", between)
			f.Fix = "look at the order of the locks: each thread holds one that the other waits for. Take several always in one order, by their instances' ids say, and give a lock up on every way out"
		}
	case interleave.StatusSignal:
		f.Message = fmt.Sprintf("%s: %s; one after the other they do not crash", between, transport.SignalName(syscall.Signal(r.Value)))
	case interleave.StatusExit:
		f.Message = fmt.Sprintf("%s: the process ends with status %d; one after the other they do not end it", between, r.Value)
	default:
		what := t.difference(r)
		if x.sameBirths(m, r) {
			f.Code, f.Message = codeIDCollision, fmt.Sprintf("%s: both births return the same id", between)
			break
		}
		f.Message = fmt.Sprintf("%s: %s", between, what)
		f.Expected = "what the calls give one after the other, in one of the two orders"
	}
	return f
}

// metFinding is that two calls came to the same memory, the first of them to pc.
func (x *meetings) metFinding(t *trial, pc, met uint32) Finding {
	plan := &t.s.program.Plans[t.plan]
	calls := [2]string{t.s.show(plan.Threads[0][0]), t.s.show(plan.Threads[1][0])}
	at := [2]sourcePlace{x.code.authorsAt(pc), x.code.authorsAt(met)}
	f := t.acts[0].m.finding(codePossibleRace, "%s at %s and %s at %s use the same memory at the same time, and one of them changes it", calls[0], at[0], calls[1], at[1])
	f.Call, f.Input = calls[0], hexText(t.s.program.Calls[plan.Threads[0][0]].Args)
	f.Function, f.File, f.Line = at[0].function, at[0].file, at[0].line
	f.Backtrace = []string{fmt.Sprintf("%v: %s", t.acts[0].m, at[0]), fmt.Sprintf("%v: %s", t.acts[1].m, at[1])}
	return f
}

func (x *meetings) sameBirths(m *meeting, r *interleave.Result) bool {
	if m.acts[0].kind != interleave.KindBirth || m.acts[1].kind != interleave.KindBirth {
		return false
	}
	for _, a := range r.Answers() {
		if bytes.Equal(a.Data, []byte("again")) {
			return true
		}
	}
	return false
}

// difference tells the first answer that neither order has where it stands, or the first that
// the order does not have that begins alike.
func (t *trial) difference(r *interleave.Result) string {
	have := r.Answers()
	var orders [2][]interleave.Answer
	for i := range orders {
		orders[i] = (&interleave.Result{Outcome: t.orders[i]}).Answers()
	}
	same := func(a, b interleave.Answer) bool { return a.Code == b.Code && bytes.Equal(a.Data, b.Data) }
	longest, best := -1, 0
	for i, want := range orders {
		n := 0
		for n < len(have) && n < len(want) && same(have[n], want[n]) {
			n++
		}
		if n > longest {
			longest, best = n, i
		}
	}
	if longest >= len(have) {
		return "other answers"
	}
	var text strings.Builder
	for i := range min(longest, 2) {
		fmt.Fprintf(&text, "%s answers %s, ", t.s.show(have[i].Call), t.s.showAnswer(&have[i]))
	}
	a := &have[longest]
	fmt.Fprintf(&text, "%s answers %s", t.s.show(a.Call), t.s.showAnswer(a))
	if other := &orders[1-best][longest]; longest < len(orders[1-best]) && !same(*other, orders[best][longest]) {
		fmt.Fprintf(&text, "; in order it is %s, or %s", t.s.showAnswer(&orders[best][longest]), t.s.showAnswer(other))
	} else {
		fmt.Fprintf(&text, "; in order it is %s", t.s.showAnswer(&orders[best][longest]))
	}
	return text.String()
}

// show is a call as text. Instances have the numbers of their slots, from 1.
func (s *script) show(call int) string {
	c := s.program.Calls[call]
	m := s.methods[call]
	args := bytes.Clone(c.Args)
	for _, p := range c.Patches {
		if p.Blob == 0 {
			binary.LittleEndian.PutUint32(args[p.Offset:], uint32(p.Slot+1))
		} else {
			binary.LittleEndian.PutUint64(args[p.Offset+8:], uint64(len(s.program.Blobs[p.Blob-1])))
		}
	}
	switch c.Kind {
	case interleave.KindBirth:
		return fmt.Sprintf("%v(%s)", m, showArgs(args))
	case interleave.KindCopy:
		return fmt.Sprintf("%v() on instance %d", m, c.From+1)
	}
	return fmt.Sprintf("%v(%s) on instance %d", m, showArgs(args), c.Slot+1)
}

func (s *script) showAnswer(a *interleave.Answer) string {
	switch {
	case a.Code == abi.ErrShortBuffer:
		return "short buffer"
	case a.Code != abi.OK:
		return fmt.Sprintf("code %d", int32(a.Code))
	case s.program.Calls[a.Call].Kind == interleave.KindBirth:
		return contract.Printable(string(a.Data)) + " id"
	}
	return showMessage(a.Data)
}

// sourcePlace is a place in the library's source.
type sourcePlace struct {
	pc       uint32
	function string // empty where it is not known, and so is file
	file     string
	line     int
}

// String is the place for a person.
func (p sourcePlace) String() string {
	switch {
	case p.file != "" && p.function != "":
		return fmt.Sprintf("%s:%d in %s", p.file, p.line, p.function)
	case p.file != "":
		return fmt.Sprintf("%s:%d", p.file, p.line)
	case p.function != "":
		return fmt.Sprintf("%s (offset 0x%x)", p.function, p.pc)
	}
	return fmt.Sprintf("offset 0x%x", p.pc)
}

// code is what the library's file says of its code. Its methods do nothing where it is nil.
type code struct {
	file    *elf.File
	symbols []elf.Symbol
	lines   *sourceLines // nil without debug information
	shows   func() bool  // showsAtomics
	// imported is findImported.
	imported func() map[uint64]string
}

func codeOf(file string) *code {
	f, err := elf.Open(file)
	if err != nil {
		return nil
	}
	c := &code{file: f}
	c.symbols, _ = f.Symbols()
	dynamic, _ := f.DynamicSymbols()
	c.symbols = append(c.symbols, dynamic...)
	if data, err := f.DWARF(); err == nil {
		c.lines = &sourceLines{data: data}
	}
	c.shows = sync.OnceValue(c.showsAtomics)
	c.imported = sync.OnceValue(c.findImported)
	return c
}

func (c *code) close() {
	if c != nil {
		_ = c.file.Close()
	}
}

// of leaves out the addresses of a trace that are the linker's, between the library and others.
func (c *code) of(trace []interleave.Step) []interleave.Step {
	if c == nil {
		return trace
	}
	return slices.DeleteFunc(slices.Clone(trace), func(step interleave.Step) bool {
		return slices.ContainsFunc(c.file.Sections, func(s *elf.Section) bool {
			return strings.HasPrefix(s.Name, ".plt") && uint64(step.Address) >= s.Addr && uint64(step.Address) < s.Addr+s.Size
		})
	})
}

// at finds an address in the symbols and the debug information.
func (c *code) at(pc uint32) sourcePlace {
	at := sourcePlace{pc: pc}
	if c == nil {
		return at
	}
	for _, symbol := range c.symbols {
		if elf.ST_TYPE(symbol.Info) == elf.STT_FUNC && uint64(pc) >= symbol.Value && uint64(pc) < symbol.Value+symbol.Size {
			at.function = contract.Printable(symbol.Name)
			break
		}
	}
	if c.lines == nil {
		return at
	}
	file, line := c.lines.at(uint64(pc))
	at.file, at.line = contract.Printable(file), line
	return at
}

// authorsAt is the place of an address for the plugin's author: of the SDK's code that is inlined, its call.
func (c *code) authorsAt(pc uint32) sourcePlace {
	at := c.at(pc)
	if at.ofSDK() {
		if file, line := c.lines.callerOf(uint64(pc), ofSDK); file != "" {
			at.file, at.line = contract.Printable(file), line
		}
	}
	at.file = shownPath(at.file)
	return at
}
