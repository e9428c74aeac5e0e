package isolate

import (
	"context"
	"os"

	"github.com/nyash-plugins/nyash-go/abi"
	"github.com/nyash-plugins/nyash-go/internal/isolate/channel"
)

// link is one way to reach a worker. Its methods may be called at any time by
// several goroutines, but for load, which comes first. Where one waits, its
// context or the plugin's timeouts bound that.
type link interface {
	// load has the worker load the library. io.EOF is a worker that ended instead.
	load(*channel.Load) (channel.Loaded, error)
	// call calls nyash_plugin_invoke; see [Session.Invoke]. With p, which then holds
	// c, the memory is laid out as p says.
	call(ctx context.Context, c *abi.Call, p *Probe) error
	// operate asks for something that is not a call, one of channel's operations. When
	// ctx ends, nobody learns what came of it.
	operate(ctx context.Context, op uint32, args, length uint64) (answer []byte, err error)

	lend(ctx context.Context, data []byte) (addr uint64, err error)
	takeBack(addr uint64, length int)
	adopt(ctx context.Context, addr, length uint64) (data []byte, release func(), err error)
	discard(addr, length uint64)

	// active is the number of requests under way; counts are the calls that there
	// were, and answers how many of them have ended.
	active() int
	counts() (calls, failed uint64)
	answers() uint64
	// queue is the number of calls that wait for a slot.
	queue() int
	// admit has those who wait for a slot look again.
	admit()
	// lastWords hands on what a worker that has ended said before.
	lastWords()
	// begun tells whether a worker that has died had come to loading the library.
	begun() bool
	// hangUp has the worker exit by itself.
	hangUp()
	// die has those who wait look, and gives back what nobody uses any more. The
	// session is dead by then, or never began.
	die()
}

// Of a link's slots the first are for what is not a call: however many calls there
// are, and however long they take, a blob can be freed and the plugin shut down.
const controlSlots = 4

// gift is what a worker is started with.
type gift struct {
	files []*os.File // its first descriptors behind the standard ones
	kind  channel.Kind
}

// close closes the host's copies.
func (g *gift) close() {
	for _, f := range g.files {
		f.Close()
	}
}

// newLink makes the link that the plugin's configuration asks for.
func newLink(s *Session) (link, *gift, error) {
	if kind := s.plugin.config.Channel; kind == ChannelPipe || kind == ChannelAuto && !memoryWorks() {
		return newPipeLink(s)
	}
	return newMemoryLink(s)
}

// outcome is how a wait for an answer ended.
type outcome uint8

const (
	answered outcome = iota
	died             // the worker did
	gaveUp           // ctx has ended
)

// signal leaves a sign in a channel that has room for enough of them.
func signal(c chan<- struct{}) bool {
	select {
	case c <- struct{}{}:
		return true
	default:
		return false
	}
}
