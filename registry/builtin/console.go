package builtin

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"sync"

	"github.com/nyash-plugins/nyash-go/registry"
	"github.com/nyash-plugins/nyash-go/tlv"
)

// console is shared by all instances of a ConsoleBox, because the streams are.
type console struct {
	mu     sync.Mutex // for writing; lines of several goroutines stay whole
	stdout io.Writer
	stderr io.Writer

	readMu sync.Mutex
	stdin  *bufio.Reader
}

// Console makes ConsoleBox: print(text), println(text), error(text),
// readLine(). readLine gives void at the end of the input. Values other than
// strings are printed as people write them.
func Console(stdin io.Reader, stdout, stderr io.Writer) *Box {
	c := &console{stdin: bufio.NewReader(stdin), stdout: stdout, stderr: stderr}
	text := registry.Arg{Name: "text"}
	return &Box{
		Name:  "ConsoleBox",
		New:   func([]tlv.Value) (any, error) { return nil, nil },
		Birth: signature(0),
		Methods: []Method{
			{"print", signature(tlv.TagVoid, text), c.writer(stdout, "")},
			{"println", signature(tlv.TagVoid, text), c.writer(stdout, "\n")},
			{"error", signature(tlv.TagVoid, text), c.writer(stderr, "\n")},
			{"readLine", signature(0), c.readLine},
		},
	}
}

func (c *console) writer(w io.Writer, end string) func(context.Context, any, []tlv.Value) (tlv.Value, error) {
	return func(_ context.Context, _ any, args []tlv.Value) (tlv.Value, error) {
		text, err := args[0].Text()
		if err != nil {
			text = fmt.Sprint(args[0])
		}
		c.mu.Lock()
		defer c.mu.Unlock()
		_, err = io.WriteString(w, text+end)
		return tlv.Void(), err
	}
}

func (c *console) readLine(context.Context, any, []tlv.Value) (tlv.Value, error) {
	c.readMu.Lock()
	defer c.readMu.Unlock()
	line, err := c.stdin.ReadString('\n')
	if errors.Is(err, io.EOF) && line == "" {
		return tlv.Void(), nil
	}
	if err != nil && !errors.Is(err, io.EOF) {
		return tlv.Void(), fmt.Errorf("read a line: %w", err)
	}
	return tlv.String(trimLineEnd(line)), nil
}

func trimLineEnd(line string) string {
	if n := len(line); n > 0 && line[n-1] == '\n' {
		line = line[:n-1]
	}
	if n := len(line); n > 0 && line[n-1] == '\r' {
		line = line[:n-1]
	}
	return line
}
