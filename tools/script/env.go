package script

import (
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"strings"
	"sync"

	"go.starlark.net/starlark"
	"go.starlark.net/syntax"

	"github.com/nyash-plugins/nyash-go/internal/contract"
	"github.com/nyash-plugins/nyash-go/internal/files"
	"github.com/nyash-plugins/nyash-go/loader"
	"github.com/nyash-plugins/nyash-go/registry"
)

// The dialect: what a person who writes a top-level script expects to work.
var dialect = &syntax.FileOptions{
	Set:             true,
	While:           true,
	TopLevelControl: true,
	GlobalReassign:  true,
	Recursion:       true,
}

// Env is what scripts of one host share. It is safe for concurrent use, as long
// as each script runs on one goroutine.
type Env struct {
	host   *loader.Host
	stdout io.Writer
	args   []string

	mu   sync.Mutex
	held map[*loader.Box]int // how many Starlark values stand for a box
}

// New makes an environment. print writes to stdout; args are what scripts find in args.
func New(host *loader.Host, stdout io.Writer, args ...string) *Env {
	return &Env{host: host, stdout: stdout, args: args, held: make(map[*loader.Box]int)}
}

// maxFile is the largest script that is read, in bytes.
const maxFile = 64 << 20

// Run executes the Starlark file, as [Env.RunSource] does.
func (e *Env) Run(ctx context.Context, file string) error {
	source, err := files.Read(file, maxFile)
	if err != nil {
		return fmt.Errorf("run script: %w", err)
	}
	return e.RunSource(ctx, file, source)
}

// RunSource executes a script that is called file in errors, and loads others from that one's
// folder. A box's call does not begin once ctx is done, and neither does the script's next step.
// Errors are [*Error] where the script had begun to run.
func (e *Env) RunSource(ctx context.Context, file string, source []byte) error {
	l := &modules{env: e, ctx: ctx, loaded: make(map[string]*module)}
	_, err := l.exec(file, source)
	return err
}

// What scripts have beside Starlark's own names and the boxes.
const (
	nameCatch = "catch"
	nameArgs  = "args"
)

// Hides lists the boxes of the host that hide a name of every script: print, say.
func (e *Env) Hides() []string {
	var all []string
	for _, name := range e.host.Boxes() {
		if starlark.Universe.Has(name) || name == nameCatch || name == nameArgs {
			all = append(all, name)
		}
	}
	return all
}

func (e *Env) predeclared() starlark.StringDict {
	words := make([]starlark.Value, len(e.args))
	for i, arg := range e.args {
		words[i] = starlark.String(arg)
	}
	names := starlark.StringDict{nameCatch: starlark.NewBuiltin(nameCatch, catch), nameArgs: starlark.NewList(words)}
	for _, name := range e.host.Boxes() {
		names[name] = e.constructor(name)
	}
	return names
}

func (e *Env) constructor(name string) starlark.Value {
	return starlark.NewBuiltin(name, func(thread *starlark.Thread, _ *starlark.Builtin, args starlark.Tuple, kwargs []starlark.Tuple) (starlark.Value, error) {
		ctx := contextOf(thread)
		var birth registry.Signature
		if len(kwargs) > 0 { // the library may be what declares them
			t, err := e.host.Type(ctx, name)
			if err != nil {
				return nil, err
			}
			birth = t.Birth
		}
		in, err := goArgs(name, birth, args, kwargs)
		if err != nil {
			return nil, err
		}
		box, err := e.host.New(ctx, name, in...)
		if err != nil {
			return nil, inScript(err)
		}
		return e.hold(box), nil
	})
}

// modules runs a script and what it loads, each file once.
type modules struct {
	env    *Env
	ctx    context.Context
	loaded map[string]*module

	printable bool  // what print writes is for a terminal
	unwritten error // why print has ended the script; nil where it has not
}

type module struct {
	globals starlark.StringDict
	err     error
	running bool
}

func (l *modules) exec(file string, source []byte) (starlark.StringDict, error) {
	thread := l.thread(file)
	stop := context.AfterFunc(l.ctx, func() { thread.Cancel(context.Cause(l.ctx).Error()) })
	defer stop()
	predeclared := l.env.predeclared()
	globals, err := execIn(thread, file, source, predeclared)
	return globals, l.ended(located(reserved(suggested(err, predeclared), strings.Split(string(source), "\n"))))
}

func execIn(thread *starlark.Thread, file string, source []byte, predeclared starlark.StringDict) (starlark.StringDict, error) {
	f, err := parse(file, source)
	if err != nil {
		return nil, err
	}
	program, err := starlark.FileProgram(f, predeclared.Has)
	if err != nil {
		return nil, err
	}
	globals, err := program.Init(thread, predeclared)
	globals.Freeze()
	return globals, err
}

func (l *modules) thread(file string) *starlark.Thread {
	thread := &starlark.Thread{
		Name:  file,
		Print: l.print,
		Load: func(_ *starlark.Thread, name string) (starlark.StringDict, error) {
			if !filepath.IsAbs(name) {
				name = filepath.Join(filepath.Dir(file), name)
			}
			return l.load(name)
		},
	}
	thread.SetLocal(contextKey, l.ctx)
	return thread
}

// print ends the script where the text cannot be written: print itself has no error.
func (l *modules) print(thread *starlark.Thread, text string) {
	if l.printable {
		text = contract.PrintableLines(text)
	}
	if err := l.env.write(text + "\n"); err != nil && l.unwritten == nil {
		l.unwritten = err
		thread.Cancel(err.Error())
	}
}

// ended is the error of a script, which for the interpreter is none or a cancelled one where print has
// ended it.
func (l *modules) ended(err error) error {
	at := (*Error)(nil)
	if l.unwritten == nil {
		if cause := context.Cause(l.ctx); cause != nil && errors.As(err, &at) && at.Err.Error() == "Starlark computation cancelled: "+cause.Error() {
			at.Err = cause
		}
		return err
	}
	if errors.As(err, &at) {
		at.Err = l.unwritten
		return at
	}
	return l.unwritten
}

// write writes what a script shows.
func (e *Env) write(text string) error {
	if _, err := io.WriteString(e.stdout, text); err != nil {
		return fmt.Errorf("cannot write the output: %w", err)
	}
	return nil
}

// contextKey is the name that a thread has the context of its calls by.
const contextKey = "context"

func contextOf(thread *starlark.Thread) context.Context {
	return thread.Local(contextKey).(context.Context)
}

func (l *modules) load(file string) (starlark.StringDict, error) {
	m := l.loaded[file]
	if m == nil {
		m = &module{running: true}
		l.loaded[file] = m
		var source []byte
		if source, m.err = files.Read(file, maxFile); m.err == nil {
			m.globals, m.err = l.exec(file, source)
		}
		m.running = false
	}
	if m.running {
		return nil, fmt.Errorf("%s loads itself", file)
	}
	return m.globals, m.err
}
