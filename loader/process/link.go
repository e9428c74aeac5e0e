package process

import (
	"context"
	"os"

	"github.com/nyash-plugins/nyash-go/abi"
	"github.com/nyash-plugins/nyash-go/loader/process/channel"
)

// link is one way to reach a worker. Its methods may be called at any time by
// several goroutines, but for load, which comes first.
type link interface {
	// load has the worker load the library. io.EOF is a worker that ended instead.
	load(*channel.Load) (channel.Loaded, error)
	// invoke calls nyash_plugin_invoke; see [Session.Invoke].
	invoke(ctx context.Context, c *abi.Call) error
	// probe is invoke with the memory laid out as p says.
	probe(ctx context.Context, p *Probe) error
	// operate asks for something that is not a call, one of channel's operations.
	operate(op uint32, args, length uint64) (answer []byte, err error)

	lend(data []byte) (addr uint64, err error)
	takeBack(addr uint64, length int)
	adopt(addr, length uint64) (data []byte, release func(), err error)

	// active is the number of calls under way; counts are those that there were.
	active() int
	counts() (calls, failed uint64)
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
