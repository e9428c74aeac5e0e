package native

import (
	"context"

	"github.com/nyash-plugins/nyash-go/abi"
	"github.com/nyash-plugins/nyash-go/hostvtable"
)

// around runs the library's connect, init or shutdown with the context that the user of the
// library gives for it.
func (im *image) around(f func()) {
	run := func(ctx context.Context) {
		defer hostvtable.Enter(ctx).Leave()
		f()
	}
	if im.config.Around == nil {
		run(context.Background())
		return
	}
	im.config.Around(run)
}

// connect hands the library the functions that it calls its host through, if it wants them.
func (im *image) connect() error {
	if im.entry.connect == 0 {
		return nil
	}
	addr, err := im.table.CallsAddr()
	if err != nil {
		return &Error{File: im.config.File, Reason: ErrConnect, Detail: err.Error(), Err: err}
	}
	calls := im.config.Calls
	if calls == nil {
		calls = refuser{}
	}
	// A file that was replaced is another library of the system's loader, and has the
	// table of the one before.
	if im.stopCalls = im.table.Serve(calls); im.stopCalls == nil {
		return &Error{File: im.config.File, Reason: ErrBusy,
			Detail: "this process has the library open that was at this path before, and only one of them can call its host; close that one first"}
	}
	if code := callConnect(im.entry.connect, addr); code != abi.OK {
		return &Error{File: im.config.File, Reason: ErrConnect, Err: code,
			Detail: abi.SymbolConnect + " returned " + code.Error()}
	}
	return nil
}

// disconnect has the library answered that it is closed.
func (im *image) disconnect() {
	if im.stopCalls != nil {
		im.stopCalls()
		im.stopCalls = nil
	}
}

// refuser permits nothing.
type refuser struct{}

func (refuser) Resolve(context.Context, string, string) (typeID, methodID uint32, code abi.Code) {
	return 0, 0, abi.ErrNotPermitted
}

func (refuser) Invoke(_ context.Context, c *abi.Call, _ hostvtable.Caller) {
	c.Code, c.ResultLength = abi.ErrNotPermitted, 0
}

// enterAndInvoke is Invoke for a library that may call its host: what it asks within the
// call is found to belong to ctx, on the goroutine that makes the call.
func (l *Library) enterAndInvoke(ctx context.Context, c *abi.Call) error {
	call, fn := invokeTable, l.table(c.TypeID)
	if fn == 0 {
		call, fn = invoke, l.invoke
	}
	switch {
	case fn == 0:
		c.Code, c.ResultLength = abi.ErrInvalidType, 0
		return nil
	case l.turn != nil:
		return enterInTurn(ctx, l.turn, call, fn, c)
	}
	enterAnd(ctx, call, fn, c)
	return nil
}

func enterAnd(ctx context.Context, call func(uintptr, *abi.Call), fn uintptr, c *abi.Call) {
	// By defer, because a function that the library calls may end its goroutine.
	defer hostvtable.Enter(ctx).Leave()
	call(fn, c)
}

// enterInTurn is apart from enterAndInvoke so that only calls which wait for their turn pay
// for the closure.
func enterInTurn(ctx context.Context, t turn, call func(uintptr, *abi.Call), fn uintptr, c *abi.Call) error {
	return t.do(ctx, func() { enterAnd(ctx, call, fn, c) })
}

// enterAndInvokeBatch is enterAndInvoke for a batch.
func (l *Library) enterAndInvokeBatch(ctx context.Context, calls []abi.Call) (made uintptr, err error) {
	run := func() {
		defer hostvtable.Enter(ctx).Leave()
		made = invokeBatch(l.batch, calls)
	}
	if l.turn == nil {
		run()
		return made, nil
	}
	err = l.turn.do(ctx, run)
	return made, err
}
