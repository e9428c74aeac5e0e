package worker

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"sync"

	"github.com/nyash-plugins/nyash-go/abi"
	"github.com/nyash-plugins/nyash-go/internal/cmem"
	"github.com/nyash-plugins/nyash-go/internal/isolate/channel"
	"github.com/nyash-plugins/nyash-go/internal/native"
)

const (
	// fenceSize is what stands before and behind a result, in bytes: a small
	// overrun is damage to see, a large one meets what cannot be touched.
	fenceSize = 64
	// alignment of what a plugin is given, in bytes, as malloc gives it.
	alignment = 16
	// guardSize is how much behind an area cannot be touched: more than the size of
	// any entry, which a plugin may skip unread.
	guardSize = 80 << 10
	// takenAway is how many areas stay reserved and cannot be touched, so that a
	// plugin that kept a pointer crashes and does not meet another call's memory.
	takenAway = 256
)

// areas are the memory of past probes.
type areas struct {
	mu   sync.Mutex
	past [][]byte
}

// newArea is memory for size bytes and what stands behind them; the last guardSize
// bytes of the whole cannot be touched.
func newArea(size, behind int) (whole, own []byte, err error) {
	page := os.Getpagesize()
	behind += -(size + behind) & (alignment - 1)
	pages := (fenceSize + size + behind + page - 1) / page
	whole, err = mapPages(pages*page + guardSize)
	if err != nil {
		return nil, nil, err
	}
	if err := forbid(whole[pages*page:]); err != nil {
		return nil, nil, err
	}
	usable := whole[:pages*page]
	for i := range usable {
		usable[i] = channel.Filler
	}
	start := len(usable) - size - behind
	return whole, usable[start : start+size : start+size], nil
}

// retire takes an area away, and gives an older one back.
func (a *areas) retire(keep bool, retired ...[]byte) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, whole := range retired {
		if keep || whole == nil {
			continue
		}
		_ = forbid(whole)
		a.past = append(a.past, whole)
	}
	for len(a.past) > takenAway {
		unmapPages(a.past[0])
		a.past = a.past[1:]
	}
}

// probe makes a call with memory that is laid out for it, and copies the result
// into the call's own room.
func (w *worker) probe(c *abi.Call, layout channel.Layout) (damage channel.Damage) {
	message, room := c.Message(), c.ResultBuffer()
	slack := 0
	if layout&channel.Slack != 0 {
		slack = channel.SlackSize
	}
	argsArea, args, err := newArea(len(message), slack)
	if err != nil {
		c.Code = abi.ErrOutOfMemory
		return 0
	}
	resultArea, result, err := newArea(len(room), fenceSize+slack)
	if err != nil {
		c.Code = abi.ErrOutOfMemory
		w.areas.retire(false, argsArea)
		return 0
	}
	copy(args, message)
	clear(result[:min(len(result), 4)])
	c.SetArgs(args)
	c.SetResultBuffer(result)
	if len(args) == 0 && layout&channel.NullArgs != 0 {
		c.Args = nil
	}
	if len(result) == 0 && layout&channel.NullResult != 0 {
		c.Result = nil
	}
	w.invoke(c)
	if !bytes.Equal(args, message) {
		damage |= channel.ArgsWritten
	}
	usable := resultArea[:len(resultArea)-guardSize]
	before, behind := around(usable, result)
	if !filled(before) {
		damage |= channel.BeforeResult
	}
	if !filled(behind) {
		damage |= channel.BehindResult
	}
	copy(room, result)
	w.areas.retire(layout&channel.Keep != 0, argsArea, resultArea)
	return damage
}

// batch makes the calls of a channel.Batch, and answers it.
func (w *worker) batch(request []byte) ([]byte, error) {
	var b channel.Batch
	if err := json.Unmarshal(request, &b); err != nil {
		return nil, err
	}
	calls := make([]abi.Call, len(b.Calls))
	rooms := make([][]byte, len(b.Calls))
	for i, c := range b.Calls {
		rooms[i] = bytes.Repeat([]byte{channel.Filler}, c.Room+fenceSize)
		clear(rooms[i][:min(c.Room, 4)])
		calls[i] = abi.Call{TypeID: c.TypeID, Method: c.Method, Instance: c.Instance, Code: abi.Code(channel.Unwritten)}
		calls[i].SetArgs(c.Args)
		calls[i].SetResultBuffer(rooms[i][:c.Room])
	}
	var err error
	if b.Made, err = w.lib.Load().InvokeBatch(context.Background(), calls); err != nil {
		return nil, err
	}
	for i := range calls {
		own := &b.Calls[i]
		own.Code, own.Length, own.Result = int32(calls[i].Code), uint64(calls[i].ResultLength), rooms[i][:own.Room]
		own.Args = nil
		if !filled(rooms[i][own.Room:]) {
			b.Damage |= channel.BehindResult
		}
	}
	return json.Marshal(b)
}

// around is what stands before and behind part in whole.
func around(whole, part []byte) (before, behind []byte) {
	at := int(cmem.Address(part) - cmem.Address(whole))
	return whole[:at], whole[at+len(part):]
}

func filled(memory []byte) bool {
	for _, b := range memory {
		if b != channel.Filler {
			return false
		}
	}
	return true
}

// reload shuts the plugin down and loads it again.
func (w *worker) reload() error {
	if err := w.lib.Load().Close(); err != nil {
		return err
	}
	lib, err := native.Open(context.Background(), w.config)
	if err != nil {
		return err
	}
	w.lib.Store(lib)
	w.findPinned()
	return nil
}

func (w *worker) changes(threads bool) ([]byte, error) {
	if w.before == nil {
		return json.Marshal(channel.Changes{})
	}
	now, err := surroundings(threads)
	if err != nil {
		return nil, err
	}
	return json.Marshal(channel.Changes{Before: *w.before, Now: *now})
}
