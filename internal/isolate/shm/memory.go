//go:build linux

package shm

import (
	"fmt"
	"os"
	"sync/atomic"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/nyash-plugins/nyash-go/internal/isolate/wire"
)

// Memory is the shared memory, mapped.
type Memory struct {
	mem []byte
	fd  int // of the memory, for Allocated; -1 where Map made this
}

// Slot is the head of one call. State is written last by the side that hands the
// slot over; everything else belongs to the side that has it.
type Slot struct {
	State      atomic.Uint32
	Op         uint32
	TypeID     uint32
	Method     uint32
	Instance   uint32
	Code       int32
	Args       uint64 // offset of the message, or an address for OpAdopt and OpFree
	ArgsLength uint64
	Room       uint64 // offset of the room for the result
	RoomLength uint64
	Length     uint64      // of the result, as the plugin says
	Layout     wire.Layout // of OpProbe
	Damage     wire.Damage // that it did
	// Where limits.cpu_time is set, the worker says while State is Running which
	// thread makes the call, and what that had of processor time before, in
	// nanoseconds. Thread is 0 until the call begins, and is written last.
	Thread    atomic.Uint32
	ThreadCPU uint64
	// Of a batch, whose number of calls is Method, and Length the room for each result: how
	// many the worker has answered, whether it is to make no more, and whether it is to make
	// them one by one.
	Made   atomic.Uint32
	Stop   atomic.Uint32
	Single uint32
}

// HostCall is the head of a call of the plugin to its host. The worker fills it in and
// then stores Calling: in the state of the slot that the call belongs to, or in State,
// which is a lane's. The host answers, and stores Running there.
type HostCall struct {
	State  atomic.Uint32
	Asleep atomic.Uint32 // the plugin's thread sleeps on the state
	// Resolve is 1 where a method is looked for: the message is the names, and Instance
	// the length of the first. Loading is 1 in a lane whose call is of connect or init.
	Resolve, Loading uint32
	TypeID           uint32 // of resolve, the answers
	Method           uint32
	Instance         uint32
	Code             int32
	Thread           uint64 // of the library
	Args             uint64 // offset of the message
	ArgsLength       uint64
	Room             uint64 // offset of the room for the result
	RoomLength       uint64
	Length           uint64 // of the result, or that it needs
}

// Create makes and maps shared memory. The file is to be passed to the worker, and
// to be closed; until Unmap there is another descriptor, for Allocated.
func Create() (*Memory, *os.File, error) {
	fd, err := unix.MemfdCreate("nyash-worker", unix.MFD_CLOEXEC|unix.MFD_ALLOW_SEALING)
	if err != nil {
		return nil, nil, fmt.Errorf("memfd_create: %w", err)
	}
	file := os.NewFile(uintptr(fd), "nyash-worker")
	if err := file.Truncate(Size); err != nil {
		file.Close()
		return nil, nil, fmt.Errorf("size the shared memory: %w", err)
	}
	// A worker that cut the file short would kill the host at its next access.
	if _, err := unix.FcntlInt(uintptr(fd), unix.F_ADD_SEALS, unix.F_SEAL_SHRINK|unix.F_SEAL_GROW|unix.F_SEAL_SEAL); err != nil {
		file.Close()
		return nil, nil, fmt.Errorf("seal the shared memory: %w", err)
	}
	m, err := Map(fd)
	if err != nil {
		file.Close()
		return nil, nil, err
	}
	if m.fd, err = unix.FcntlInt(uintptr(fd), unix.F_DUPFD_CLOEXEC, 0); err != nil {
		m.fd = -1
		m.Unmap()
		file.Close()
		return nil, nil, fmt.Errorf("duplicate a descriptor: %w", err)
	}
	return m, file, nil
}

// Map maps the shared memory that Create made.
func Map(fd int) (*Memory, error) {
	var stat unix.Stat_t
	if err := unix.Fstat(fd, &stat); err != nil {
		return nil, fmt.Errorf("look at the shared memory: %w", err)
	}
	if stat.Size != Size {
		return nil, fmt.Errorf("the shared memory has %d bytes, and this version needs %d", stat.Size, int64(Size))
	}
	mem, err := unix.Mmap(fd, 0, Size, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED|unix.MAP_NORESERVE)
	if err != nil {
		return nil, fmt.Errorf("map the shared memory: %w", err)
	}
	return &Memory{mem: mem, fd: -1}, nil
}

// Unmap ends the use of the memory. Nothing of it may be used any more.
func (m *Memory) Unmap() {
	_ = unix.Munmap(m.mem)
	if m.fd >= 0 {
		_ = unix.Close(m.fd)
	}
}

// Allocated is how much of the memory has pages, in bytes, whoever touched them and
// wherever. Only the side that made the memory can tell.
func (m *Memory) Allocated() (uint64, error) {
	var stat unix.Stat_t
	if err := unix.Fstat(m.fd, &stat); err != nil {
		return 0, fmt.Errorf("look at the shared memory: %w", err)
	}
	const block = 512 // whatever the file system's own are
	return uint64(stat.Blocks) * block, nil
}

// Guard makes the pages behind the results of the slots unreachable here.
func (m *Memory) Guard() error {
	for i := range wire.Slots {
		at := GuardOffset(i)
		if err := unix.Mprotect(m.mem[at:at+PageSize], unix.PROT_NONE); err != nil {
			return fmt.Errorf("guard slot %d: %w", i, err)
		}
	}
	return nil
}

// Drop gives the memory of whole pages back to the system. They read as zeros
// afterwards, on both sides.
func (m *Memory) Drop(offset, length uint64) {
	_ = unix.Madvise(m.mem[offset:offset+length], unix.MADV_REMOVE)
}

// Bytes is a part of the memory; the caller has checked that there is one.
func (m *Memory) Bytes(offset, length uint64) []byte {
	return m.mem[offset : offset+length : offset+length]
}

// Base is the address of the memory's first byte.
func (m *Memory) Base() uint64 { return uint64(uintptr(unsafe.Pointer(&m.mem[0]))) }

// Slot is the head of slot i.
func (m *Memory) Slot(i int) *Slot {
	return (*Slot)(unsafe.Pointer(&m.mem[offSlots+i*slotSize]))
}

// HostCall is the head of call i to the host: slot i's, or that of lane i - wire.Slots.
func (m *Memory) HostCall(i int) *HostCall {
	return (*HostCall)(unsafe.Pointer(&m.mem[offHostCalls+i*hostCallSize]))
}

// HostCallState is the state of call i to the host.
func (m *Memory) HostCallState(i int) *atomic.Uint32 {
	if i < wire.Slots {
		return &m.Slot(i).State
	}
	return &m.HostCall(i).State
}

func (m *Memory) word(offset int) *atomic.Uint32 {
	return (*atomic.Uint32)(unsafe.Pointer(&m.mem[offset]))
}

func (m *Memory) long(offset int) *atomic.Uint64 {
	return (*atomic.Uint64)(unsafe.Pointer(&m.mem[offset]))
}

// Pending has a bit for each slot with a request that no server has taken.
func (m *Memory) Pending() *atomic.Uint64 { return m.long(offPending) }

// Requests is what servers without work wait on.
func (m *Memory) Requests() *atomic.Uint32 { return m.word(offRequests) }

// Watching is the number of servers that look for requests and are awake.
func (m *Memory) Watching() *atomic.Uint32 { return m.word(offWatching) }

// Completions is what the host waits on.
func (m *Memory) Completions() *atomic.Uint32 { return m.word(offCompletions) }

// Begun is 1 when the worker is about to load the library.
func (m *Memory) Begun() *atomic.Uint32 { return m.word(offBegun) }

// Spun is for how many nanoseconds the worker's servers have looked for requests;
// the worker counts where limits.cpu_total is set.
func (m *Memory) Spun() *atomic.Uint64 { return m.long(offSpun) }

// HostAsleep is 1 while the host waits on Completions.
func (m *Memory) HostAsleep() *atomic.Uint32 { return m.word(offHostAsleep) }

// Lanes has a bit for each lane with a call to the host that no listener has taken.
func (m *Memory) Lanes() *atomic.Uint32 { return m.word(offLanes) }

// LaneCalls is what listeners of the host wait on.
func (m *Memory) LaneCalls() *atomic.Uint32 { return m.word(offLaneCalls) }

// LaneAsleep is the number of listeners that wait on LaneCalls.
func (m *Memory) LaneAsleep() *atomic.Uint32 { return m.word(offLaneAsleep) }
