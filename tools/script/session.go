package script

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"go.starlark.net/resolve"
	"go.starlark.net/starlark"
	"go.starlark.net/syntax"

	"github.com/nyash-plugins/nyash-go/internal/contract"
)

// ErrExit is what a statement of a [Session] asks for with exit.
var ErrExit = errors.New("exit")

// Session is an interactive run: statements that are read and run one after the other, and that
// share their names. The value of the last expression is in _. Beside what scripts have, there
// are the commands help, why and exit, with parentheses or without.
//
// A Session is for one goroutine.
type Session struct {
	// MaxShown is how many bytes of a value are shown; 0 for all of it.
	MaxShown int

	env      *Env
	globals  starlark.StringDict
	boxes    map[*starlark.Builtin]bool // that make boxes
	commands map[string]*starlark.Builtin
	pushed   []string            // lines that were read behind a statement, for the next
	sources  map[string][]string // the lines of each statement, by its name
	last     *failure
}

// Statement is one that a [Session] has read.
type Statement struct {
	name string
	file *syntax.File // nil where it is no Starlark
	err  error        // then why
}

// failure is an error with what is needed to explain it.
type failure struct {
	err  error
	stmt string // the statement that failed
}

// NewSession begins an interactive run with the boxes of the host.
func (e *Env) NewSession() *Session {
	s := &Session{env: e, globals: e.predeclared(), boxes: make(map[*starlark.Builtin]bool), sources: make(map[string][]string)}
	for _, name := range e.host.Boxes() {
		s.boxes[s.globals[name].(*starlark.Builtin)] = true
	}
	s.commands = map[string]*starlark.Builtin{
		"exit": starlark.NewBuiltin("exit", s.exit),
		"help": starlark.NewBuiltin("help", s.help),
		"why":  starlark.NewBuiltin("why", s.why),
	}
	for name, command := range s.commands {
		if !s.globals.Has(name) { // a box of that name is
			s.globals[name] = command
		}
	}
	return s
}

// asked is help where a line is ?, and help(NAME) where it is ?NAME or NAME?.
func asked(line string) string {
	text := strings.TrimSpace(line)
	name := strings.Trim(text, "?")
	switch {
	case name == text || strings.ContainsAny(name, "?\"'#"):
		return line
	case strings.TrimSpace(name) == "":
		return "help"
	}
	return "help(" + strings.TrimSpace(name) + ")"
}

// Read reads a statement: a line, or as many as its brackets, strings and blocks have. A block ends
// with an empty line. line gives one line without its end; first tells whether it begins a statement.
// Errors are those of line; [io.EOF] ends a block like an empty line, and is returned where a statement
// would begin. What is wrong with a statement is told by [Session.Run].
func (s *Session) Read(line func(first bool) (string, error)) (*Statement, error) {
	stmt := &Statement{name: fmt.Sprintf("[%d]", len(s.sources)+1)}
	var lines []string
	var failed error
	options := *dialect
	options.LoadBindsGlobally = true
	file, err := options.ParseCompoundStmt(stmt.name, func() ([]byte, error) {
		var text string
		if len(s.pushed) > 0 {
			text, s.pushed = s.pushed[0], s.pushed[1:]
		} else if text, failed = line(len(lines) == 0); failed != nil {
			if !errors.Is(failed, io.EOF) || len(lines) == 0 || lines[len(lines)-1] == "" {
				return nil, failed
			}
			text, failed = "", nil
		}
		if strings.TrimSpace(text) == "" {
			text = "" // an editor may have indented it
		}
		if len(lines) == 0 {
			text = asked(text)
		}
		lines = append(lines, text)
		return []byte(text + "\n"), nil
	})
	switch {
	case errors.Is(failed, io.EOF) && len(lines) > 0:
		stmt.err = syntax.Error{Pos: syntax.MakePosition(&stmt.name, int32(len(lines)), 1), Msg: "the input ends within a statement"}
	case failed != nil:
		return nil, failed
	case err != nil:
		stmt.err = err
	case checkDepth(file) != nil:
		stmt.err = checkDepth(file)
	default:
		stmt.file = file
		lines = s.pushBack(file, lines)
	}
	for len(lines) > 1 && lines[len(lines)-1] == "" {
		lines = lines[:len(lines)-1]
	}
	if stmt.err != nil || len(stmt.file.Stmts) > 0 {
		s.sources[stmt.name] = lines
	}
	return stmt, nil
}

// pushBack keeps the line for the next statement that showed that a block had ended. It returns the
// others.
func (s *Session) pushBack(file *syntax.File, lines []string) []string {
	if len(file.Stmts) == 0 {
		return lines
	}
	_, end := file.Stmts[len(file.Stmts)-1].Span()
	last := len(lines) - 1
	if int(end.Line) > last || lines[last] == "" {
		return lines
	}
	s.pushed = append(s.pushed, lines[last])
	return lines[:last]
}

// Run executes a statement, and shows the value of an expression. It returns [ErrExit] where the
// statement asks for the end of the session, and else an error that [Session.Explain] explains.
// The statement, and the box's call that it is in, end with ctx.
func (s *Session) Run(ctx context.Context, stmt *Statement) error {
	err := stmt.err
	if err == nil {
		err = s.run(ctx, stmt)
	}
	switch {
	case err == nil:
		return nil
	case errors.Is(err, ErrExit):
		return ErrExit
	}
	err = inSession(reserved(suggested(err, s.globals), s.sources[stmt.name]))
	if ctx.Err() != nil {
		err = interruptedAt(err, ctx)
	}
	s.last = &failure{err, stmt.name}
	return err
}

func (s *Session) run(ctx context.Context, stmt *Statement) error {
	// A file that is loaded again may be another by then.
	l := &modules{env: s.env, ctx: ctx, loaded: make(map[string]*module), printable: true}
	thread := l.thread(stmt.name)
	stop := context.AfterFunc(ctx, func() { thread.Cancel(context.Cause(ctx).Error()) })
	defer stop()
	expr := soleExpr(stmt.file)
	if expr == nil {
		return l.ended(starlark.ExecREPLChunk(stmt.file, thread, s.globals))
	}
	v, err := starlark.EvalExprOptions(stmt.file.Options, thread, expr, s.globals)
	if err := l.ended(err); err != nil {
		return err
	}
	for _, command := range s.commands {
		if v == starlark.Value(command) { // without parentheses
			_, err := starlark.Call(thread, command, nil, nil)
			return err
		}
	}
	if v == starlark.None {
		return nil
	}
	s.globals["_"] = v
	text := contract.PrintableLines(v.String())
	if s.MaxShown > 0 && len(text) > s.MaxShown {
		cut := strings.ToValidUTF8(text[:s.MaxShown], "")
		text = fmt.Sprintf("%s … (%d bytes more; print(_) shows all)", cut, len(text)-len(cut))
	}
	return s.env.write(text + "\n")
}

func soleExpr(file *syntax.File) syntax.Expr {
	if len(file.Stmts) != 1 {
		return nil
	}
	if stmt, ok := file.Stmts[0].(*syntax.ExprStmt); ok {
		return stmt.X
	}
	return nil
}

// interruptedAt is the error of a statement whose context is done.
func interruptedAt(err error, ctx context.Context) error {
	e := &Error{Err: context.Cause(ctx)}
	var at *Error
	if errors.As(err, &at) {
		e.Pos, e.place, e.backtrace = at.Pos, at.place, at.backtrace
	}
	return e
}

// Brief is the error of a statement in one line, with its place where that is not plain.
func (s *Session) Brief(err error) string {
	var e *Error
	if !errors.As(err, &e) || s.last == nil {
		return contract.PrintableLines(err.Error())
	}
	if e.Pos == "" || e.place.Filename() == s.last.stmt && len(s.sources[s.last.stmt]) == 1 {
		return contract.PrintableLines(e.Err.Error())
	}
	return contract.PrintableLines(e.Error())
}

func (s *Session) exit(_ *starlark.Thread, fn *starlark.Builtin, args starlark.Tuple, kwargs []starlark.Tuple) (starlark.Value, error) {
	if err := starlark.UnpackArgs(fn.Name(), args, kwargs); err != nil {
		return nil, err
	}
	return nil, ErrExit
}

// inSession is an error as an [*Error], where that is known with its place.
func inSession(err error) error {
	err = located(err)
	e := &Error{}
	var wrong syntax.Error
	var unknown resolve.Error
	var unknowns resolve.ErrorList
	switch {
	case errors.As(err, &e):
		return err
	case errors.As(err, &wrong):
		e.place, e.Err = wrong.Pos, errors.New(wrong.Msg)
	case errors.As(err, &unknown):
		e.place, e.Err = unknown.Pos, errors.New(unknown.Msg)
	case errors.As(err, &unknowns):
		e.place, e.Err = unknowns[0].Pos, errors.New(unknowns[0].Msg)
	default:
		return err
	}
	e.Pos = e.place.String()
	return e
}

// names are all that a statement can name, in order.
func (s *Session) names() []string {
	all := append(s.globals.Keys(), starlark.Universe.Keys()...)
	slices.Sort(all)
	return slices.Compact(all)
}
