package wire

// Layout is how a worker lays out the memory of one call of OpProbe. Without any
// bits, the message ends and the room for the result ends in front of memory that
// cannot be touched, and both are taken away when the call has returned.
type Layout uint32

// The layouts.
const (
	NullArgs    Layout = 1 << iota // no arguments are a NULL pointer
	NullResult                     // no room is a NULL pointer
	Slack                          // SlackSize bytes that may be touched behind message and room
	Keep                           // neither is taken away
	OtherThread                    // the call is made on a thread that makes no other
	OneThread                      // the call is made on the thread of all calls with this layout
	Watch                          // look at the process before and after it
	AtStart                        // the message begins behind memory that cannot be touched
	OwnBlobs                       // the blobs of the message are moved, and laid out as it is
)

// Damage is what a call of OpProbe has done to memory that is not its own.
type Damage uint32

// The damages.
const (
	ArgsWritten  Damage = 1 << iota // to its arguments
	BeforeResult                    // in front of the room for its result
	BehindResult                    // behind it
	Left                            // it left something in the thread or in the process; see package probe
)

// SlackSize is what [Slack] adds, in bytes, and Filler what memory is filled with
// that the plugin has not written: the room for a result too, but for its first
// four bytes.
const (
	SlackSize      = 64 << 10
	Filler    byte = 0xa5
)

// Probe is how the memory of a call is to be laid out, and what the call did to it.
type Probe struct {
	Layout Layout
	Damage Damage
}
