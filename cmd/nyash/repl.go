package main

import (
	"bufio"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/peterh/liner"
	"github.com/spf13/cobra"

	"github.com/nyash-plugins/nyash-go/internal/command"
	"github.com/nyash-plugins/nyash-go/internal/interrupt"
	"github.com/nyash-plugins/nyash-go/internal/terminal"
	"github.com/nyash-plugins/nyash-go/loader"
	"github.com/nyash-plugins/nyash-go/tools/script"
)

func newREPL(s *settings) *cobra.Command {
	return &cobra.Command{
		Use:   "repl",
		Short: "Read statements, evaluate them and print their values",
		Long: `Read Starlark statements as scripts have them, evaluate them and print their values.
help lists the boxes and the commands, why explains the last error, exit ends the
session, as Ctrl-D does. A block ends with an empty line.

At a terminal, Tab completes names, methods and arguments, the arrow keys and Ctrl-R
find earlier lines, and Ctrl-C ends what runs. A call that runs in this process
cannot be ended: --isolation process has calls run in others.

Lines are kept in nyash/history in the folder of XDG_STATE_HOME (~/.local/state
without it), or in the file that NYASH_HISTORY names; where it is empty, nowhere.

Without a terminal, lines are read as they are and there are no prompts; what fails
is told, the lines after it are run, and the exit status is then 1.`,
		Args: command.None,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if terminal.Is(cmd.InOrStdin()) && terminal.Is(cmd.OutOrStdout()) && liner.TerminalSupported() {
				return s.withHost(cmd, func(host *loader.Host) error { return runEditor(cmd, host) }, printableConsole(cmd))
			}
			return s.withHost(cmd, func(host *loader.Host) error { return runPlain(cmd, host) })
		},
	}
}

// repl is one run of `nyash repl`.
type repl struct {
	cmd     *cobra.Command
	steps   *interrupt.Steps
	session *script.Session
}

func newSession(cmd *cobra.Command, host *loader.Host) *repl {
	return &repl{cmd, interrupt.NewSteps(cmd.Context()), newScript(cmd, host).NewSession()}
}

// runPlain runs lines that no person types.
func runPlain(cmd *cobra.Command, host *loader.Host) error {
	r := newSession(cmd, host)
	defer r.steps.Close()
	failed, n := 0, 0
	first, last := 0, 0 // lines: of the statement, and of the end of the one before
	in := bufio.NewReader(cmd.InOrStdin())
	line := func(begins bool) (string, error) {
		if n++; begins {
			first = n
		}
		text, err := in.ReadString('\n')
		if errors.Is(err, io.EOF) && text != "" {
			err = nil
		}
		return strings.TrimRight(text, "\r\n"), err
	}
	err := r.loop(line, func(stmt *script.Statement) error {
		at := cmp.Or(first, last) // a line that ended the one before may begin this one
		first, last = 0, n
		err := r.run(stmt)
		if err != nil && !errors.Is(err, script.ErrExit) {
			failed++
			fmt.Fprintf(cmd.ErrOrStderr(), "error: line %d: %s\n", at, r.session.Brief(err))
		}
		return err
	})
	if err == nil && failed > 0 {
		return fmt.Errorf("%d of the statements failed", failed)
	}
	return err
}

// loop reads and runs statements until the input ends, or one of them asks for the end.
func (r *repl) loop(line func(first bool) (string, error), run func(*script.Statement) error) error {
	for {
		stmt, err := r.session.Read(line)
		switch {
		case errors.Is(err, liner.ErrPromptAborted):
			continue // Ctrl-C drops a statement
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return err
		}
		if errors.Is(run(stmt), script.ErrExit) {
			return nil
		}
	}
}

// stuckAfter is when a statement that was told to end and has not is spoken of.
const stuckAfter = time.Second

// run executes a statement, which SIGINT ends.
func (r *repl) run(stmt *script.Statement) error {
	return r.interruptible(func(ctx context.Context) error { return r.session.Run(ctx, stmt) })
}

// interruptible has SIGINT end the context of f, and a second one the process.
func (r *repl) interruptible(f func(context.Context) error) error {
	ctx, end := r.steps.Begin(r.cmd.Context())
	defer end()
	done := make(chan struct{})
	defer close(done)
	go func() {
		select {
		case <-ctx.Done():
		case <-done:
			return
		}
		select {
		case <-time.After(stuckAfter):
			fmt.Fprintln(r.cmd.ErrOrStderr(), "a call in this process cannot be ended; Ctrl-C once more ends nyash (with --isolation process it would end the call)")
		case <-done:
		}
	}()
	return f(ctx)
}

// maxShown is how many bytes of a value are shown at a terminal.
const maxShown = 4000

// editor is a repl at a terminal.
type editor struct {
	*repl
	line    *liner.State
	history *history
	plain   liner.ModeApplier // the terminal as it is without an editor
	editing liner.ModeApplier
	pending []string // the lines of the statement that is being read
	advised bool     // that why explains
}

// runEditor runs what a person types.
func runEditor(cmd *cobra.Command, host *loader.Host) error {
	plain, err := liner.TerminalMode()
	if err != nil {
		return fmt.Errorf("the terminal: %w", err)
	}
	e := &editor{repl: newSession(cmd, host), line: liner.NewLiner(), plain: plain}
	defer e.steps.Close()
	defer func() { _ = e.line.Close() }() // which has no error to report
	// The line editor has Ctrl-C be no signal only after it has shown its prompt: what is typed at
	// once would be lost.
	if err := terminal.KeysAreInput(os.Stdin); err != nil {
		return err
	}
	if e.editing, err = liner.TerminalMode(); err != nil {
		return fmt.Errorf("the terminal: %w", err)
	}
	e.line.SetCtrlCAborts(true)
	e.line.SetMultiLineMode(true)
	e.line.SetTabCompletionStyle(liner.TabPrints)
	e.line.SetWordCompleter(e.complete)
	e.session.MaxShown = maxShown
	if e.history, err = openHistory(historyFile(), e.line); err != nil {
		fmt.Fprintf(cmd.ErrOrStderr(), "nyash: warning: lines are not kept: %v\n", err)
		e.history = &history{}
	}
	defer e.history.close()
	fmt.Fprintln(cmd.OutOrStdout(), "help lists boxes and commands, why explains the last error, exit ends")
	return e.loop(e.read, func(stmt *script.Statement) (err error) {
		failed := e.withoutEditor(func() {
			if err = e.run(stmt); err != nil && !errors.Is(err, script.ErrExit) {
				e.tell(err)
			}
			e.freshLine()
		})
		return cmp.Or(failed, err)
	})
}

// withoutEditor runs f, which may enter a plugin: that finds the terminal as it would be without an
// editor, and leaves it so where it crashes, and Ctrl-C is a signal.
func (e *editor) withoutEditor(f func()) error {
	if err := e.plain.ApplyMode(); err != nil {
		return fmt.Errorf("the terminal: %w", err)
	}
	f()
	if err := e.editing.ApplyMode(); err != nil {
		return fmt.Errorf("the terminal: %w", err)
	}
	return nil
}

// read reads a line. A session whose context ends waits for none.
func (e *editor) read(first bool) (string, error) {
	prompt := "... "
	if first {
		prompt, e.pending = ">>> ", nil
	}
	type answer struct {
		text string
		err  error
	}
	read := make(chan answer, 1)
	go func() {
		text, err := e.line.Prompt(prompt)
		read <- answer{text, err}
	}()
	select {
	case a := <-read:
		if errors.Is(a.err, io.EOF) {
			fmt.Fprintln(e.cmd.OutOrStdout()) // the shell's prompt has a line of its own
		}
		if a.err != nil {
			return "", a.err
		}
		e.keep(a.text)
		e.pending = append(e.pending, a.text)
		return a.text, nil
	case <-e.cmd.Context().Done():
		return "", context.Cause(e.cmd.Context())
	}
}

// keep has a line be found again.
func (e *editor) keep(line string) {
	if strings.TrimSpace(line) == "" {
		return
	}
	remember(e.line, line)
	if err := e.history.add(line); err != nil {
		fmt.Fprintf(e.cmd.ErrOrStderr(), "nyash: warning: lines are not kept: %v\n", err)
		e.history.close()
		e.history = &history{}
	}
}

// complete implements liner.WordCompleter; at counts characters. It may load a library, as a
// statement may.
func (e *editor) complete(line string, at int) (head string, words []string, tail string) {
	head, tail = string([]rune(line)[:at]), string([]rune(line)[at:])
	earlier := ""
	if len(e.pending) > 0 {
		earlier = strings.Join(e.pending, "\n") + "\n"
	}
	from := len(earlier) + len(head)
	failed := e.withoutEditor(func() {
		_ = e.interruptible(func(context.Context) error {
			from, words = e.session.Complete(earlier + head)
			return nil
		})
	})
	if failed != nil {
		return head, nil, tail // the next statement says so
	}
	if strings.HasPrefix(tail, "(") {
		for i, word := range words {
			words[i] = strings.TrimSuffix(word, "(")
		}
	}
	return head[:from-len(earlier)], words, tail
}

// tell shows an error in short.
func (e *editor) tell(err error) {
	w := e.cmd.ErrOrStderr()
	label := "error:"
	if terminal.Colours(w) {
		label = "\x1b[31merror:\x1b[0m"
	}
	fmt.Fprintf(w, "%s %s\n", label, e.session.Brief(err))
	if !e.advised {
		fmt.Fprintln(w, "(why explains it)")
		e.advised = true
	}
}

// freshLine begins a line where the cursor is not on the first column: enough spaces wrap to the
// next line from anywhere but there, and are written over.
func (e *editor) freshLine() {
	out := e.cmd.OutOrStdout()
	if columns := terminal.Columns(out); columns > 1 && wraps {
		fmt.Fprintf(out, "%*s\r\x1b[K", columns, "")
	}
}
