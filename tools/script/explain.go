package script

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"go.starlark.net/starlark"

	"github.com/nyash-plugins/nyash-go/abi"
	"github.com/nyash-plugins/nyash-go/internal/contract"
	"github.com/nyash-plugins/nyash-go/loader"
	"github.com/nyash-plugins/nyash-go/registry"
)

func (s *Session) why(_ *starlark.Thread, fn *starlark.Builtin, args starlark.Tuple, kwargs []starlark.Tuple) (starlark.Value, error) {
	if err := starlark.UnpackArgs(fn.Name(), args, kwargs); err != nil {
		return nil, err
	}
	var text strings.Builder
	s.Explain(&text)
	return starlark.None, s.env.write(text.String())
}

// Explain writes all that is known of the last error: its place, the calls that led there, what the
// plugin logged, and what to do. The text is printable.
func (s *Session) Explain(w io.Writer) {
	if s.last == nil {
		fmt.Fprintln(w, "nothing has failed")
		return
	}
	err := s.last.err
	var b strings.Builder
	b.WriteString(err.Error() + "\n")
	if e := (*Error)(nil); errors.As(err, &e) {
		s.showPlace(&b, e)
		if e.backtrace != "" {
			fmt.Fprintf(&b, "\n%s\n", strings.TrimSpace(e.backtrace))
		}
	}
	var call *loader.CallError
	if errors.As(err, &call) && len(call.Log) > 0 {
		b.WriteString("\nThe library's last log lines, which need not be of this call:\n")
		for _, line := range call.Log {
			fmt.Fprintf(&b, "  %s\n", line)
		}
	}
	if advice := s.advice(err); len(advice) > 0 {
		b.WriteByte('\n')
		for _, line := range advice {
			b.WriteString(line + "\n")
		}
	}
	io.WriteString(w, contract.PrintableLines(b.String()))
}

// showPlace writes the line that an error is on, with a caret below its column.
func (s *Session) showPlace(b *strings.Builder, e *Error) {
	lines := s.sources[e.place.Filename()]
	line, column := int(e.place.Line), int(e.place.Col)
	if line < 1 || line > len(lines) || column < 1 {
		return
	}
	text := []rune(lines[line-1])
	// Tabs stay, so that the caret stands below its place.
	before := strings.Map(func(r rune) rune {
		if r == '\t' {
			return r
		}
		return ' '
	}, string(text[:min(column-1, len(text))]))
	fmt.Fprintf(b, "\n  %d | %s\n  %*s | %s^\n", line, string(text), len(fmt.Sprint(line)), "", before)
}

// adviceFor is what to do about errors whatever they are about.
var adviceFor = []struct {
	err  error
	text string
}{
	{context.Canceled, "You interrupted it. A plugin may go on with a call that has begun."},
	{context.DeadlineExceeded, "The plugin took longer than the caller waits."},
	{loader.ErrClosed, "fini() has ended this box, or the host is closed. Make another box."},
	{loader.ErrPluginBroken, "The plugin crashed too often and is left alone for a time. restart in nyash.toml says when it is tried again; plugin-tester all LIBRARY finds why it crashes."},
	{loader.ErrInstanceLost, "The process that this box lived in has ended. Make another box: it lives in a new one."},
	{loader.ErrLimit, "The plugin used more than limits in nyash.toml allow, and was ended. Its boxes are lost: make others."},
	{loader.ErrPluginCrashed, "The plugin's process has ended, and its boxes with it: make others. plugin-tester all LIBRARY finds why."},
	{loader.ErrCallTimeout, "It took longer than call_timeout in nyash.toml, and its process was ended. Its boxes are lost: make others."},
	{loader.ErrNoAnswer, "The plugin's process did not answer and was ended. plugin-tester all LIBRARY finds why."},
	{loader.ErrForeignBox, "A box can be passed to plugins of its own host only."},
	{loader.ErrProtocol, "The plugin broke a rule of the ABI (docs/abi.md): tell its author. plugin-tester all LIBRARY shows the same."},
	{loader.ErrResultSize, "The result is larger than this host takes. Ask for less of it at once."},
}

// advice is what to do about an error, in lines.
func (s *Session) advice(err error) (lines []string) {
	var call *loader.CallError
	if errors.As(err, &call) {
		lines = append(lines, s.adviceOfCall(call)...)
	}
	var load *loader.LoadError
	for _, a := range adviceFor {
		if errors.Is(err, a.err) {
			return append(lines, a.text)
		}
	}
	switch {
	case errors.As(err, &load):
		lines = append(lines, "The library cannot be loaded. nyash inspect LIBRARY shows what it exports and says of itself.")
	case errors.Is(err, loader.ErrNoBox), strings.Contains(err.Error(), ": undefined: "):
		lines = append(lines, "help lists the boxes.")
	}
	return lines
}

func (s *Session) adviceOfCall(call *loader.CallError) (lines []string) {
	t := s.typeOf(call.Box)
	if t == nil {
		return nil
	}
	switch {
	case errors.Is(call, loader.ErrNoMethod):
		if len(t.Methods) == 0 {
			return []string{fmt.Sprintf("%s has no methods that are known: nyash.toml does not list any.", call.Box)}
		}
		return []string{fmt.Sprintf("%s has %s.", call.Box, strings.Join(methodNames(t), ", "))}
	case call.Method == abi.NameBirth:
		lines = append(lines, "It is declared as "+constructorLine(t)+".")
		if t.BirthDoc != "" {
			lines = append(lines, t.BirthDoc)
		}
	default:
		m := methodOf(t, call.Method)
		if m == nil {
			return nil
		}
		lines = append(lines, fmt.Sprintf("It is declared as %s.%v.", call.Box, *m))
		if m.Doc != "" {
			lines = append(lines, m.Doc)
		}
	}
	switch {
	case call.Code == abi.ErrInvalidArgs && call.Err == nil:
		lines = append(lines, "The plugin refused the arguments. Where their types are right, a declaration in nyash.toml may be wrong: plugin-tester typecheck LIBRARY --config nyash.toml tells.")
	case call.Code != abi.OK && call.Message != "":
		lines = append(lines, "The message is the plugin's own.")
	}
	return lines
}

// typeTimeout is how long a library may take to load for the sake of a help text or a completion.
const typeTimeout = 2 * time.Second

// typeOf is what is known of a box, or nil.
func (s *Session) typeOf(box string) *registry.Type {
	ctx, cancel := context.WithTimeout(context.Background(), typeTimeout)
	defer cancel()
	t, err := s.env.host.Type(ctx, box)
	if err != nil {
		return nil
	}
	return t
}

func methodOf(t *registry.Type, name string) *registry.Method {
	for i := range t.Methods {
		if t.Methods[i].Name == name {
			return &t.Methods[i]
		}
	}
	return nil
}

func methodNames(t *registry.Type) []string {
	names := make([]string, len(t.Methods))
	for i := range t.Methods {
		names[i] = t.Methods[i].Name
	}
	return names
}
