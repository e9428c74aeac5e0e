package wasm

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"math"

	"github.com/tetratelabs/wazero/api"

	"github.com/nyash-plugins/nyash-go/internal/contract"
)

// scratch is memory of the module's that calls are laid out in: the result's length, the
// arguments, the result. args and result are offsets from at.
type scratch struct {
	at, size     uint32
	args, result uint32
}

// lengthSize is the part of the result's length; what follows is aligned to 8.
const lengthSize = 8

// layOut makes room for a call, and returns the memory of scratch.
func (m *Module) layOut(args, result int) ([]byte, error) {
	s := &m.scratch
	if uint32(args) <= s.result-s.args && uint64(args) <= math.MaxUint32 && uint64(result) <= uint64(s.size-s.result) && s.size > 0 {
		if view, ok := m.memory.Read(s.at, s.size); ok {
			return view, nil
		}
		return nil, errShrunk
	}
	return m.layOutAnew(args, result)
}

func (m *Module) layOutAnew(args, result int) ([]byte, error) {
	s := &m.scratch
	argsSize := max(uint64(args), uint64(s.result-s.args), firstArgs)
	if argsSize <= maxSlack { // messages that become longer bit by bit are not to move it each time
		argsSize += argsSize / 4
	}
	argsSize = (argsSize + 7) &^ 7
	resultSize := max(uint64(result)+canarySize, uint64(s.size-s.result))
	total := lengthSize + argsSize + resultSize
	if total > math.MaxUint32 {
		return nil, fmt.Errorf("a call of %d bytes is too long for a module", total)
	}
	if s.size > 0 {
		old := s.at
		*s = scratch{}
		if err := m.release(old); err != nil {
			return nil, err
		}
	}
	at, err := m.allocate(uint32(total))
	if err != nil {
		return nil, err
	}
	*s = scratch{at: at, size: uint32(total), args: lengthSize, result: lengthSize + uint32(argsSize)}
	view, ok := m.memory.Read(s.at, s.size)
	if !ok {
		return nil, errShrunk
	}
	return view, nil
}

// firstArgs is the room for arguments that there is at the beginning, in bytes.
const firstArgs = 1 << 10

// maxSlack is up to what size the room for arguments is made larger than is needed, in bytes.
const maxSlack = 256 << 10

// canarySize is what package loader uses of a result's buffer for itself.
const canarySize = 8

var errNoMemory = errors.New("nyash_alloc returned NULL")

// allocate has the module allocate memory, and checks where that is. What goes wrong but NULL
// ends the module.
func (m *Module) allocate(size uint32) (uint32, error) {
	got, err := m.callAllocator(m.alloc, size)
	if err != nil {
		return 0, err
	}
	at := api.DecodeU32(got)
	if at == 0 {
		return 0, fmt.Errorf("%w for %d bytes", errNoMemory, size)
	}
	if _, err := m.pointer(uint64(at), uint64(size)); err != nil {
		err = fmt.Errorf("nyash_alloc returned what is not there: %w", err)
		m.fail(err)
		return 0, err
	}
	return at, nil
}

func (m *Module) release(at uint32) error {
	_, err := m.callAllocator(m.free, at)
	return err
}

// callAllocator calls one of the two functions of the allocator, perhaps in the middle of a call
// of the module's.
func (m *Module) callAllocator(f api.Function, argument uint32) (result uint64, err error) {
	if m.call.allocates { // from within itself
		return 0, errAllocates
	}
	m.call.allocates = true
	m.word[0] = uint64(argument)
	err = f.CallWithStack(m.ctx, m.word[:])
	m.call.allocates = false
	if err != nil {
		m.fail(trapped(err))
		return 0, err
	}
	return m.word[0], nil
}

var errAllocates = errors.New("it calls its host from within nyash_alloc or nyash_free")

// text reads a string that ends in NUL, of at most most bytes without it.
func (m *Module) text(at uint64, most int) (string, error) {
	if at == 0 {
		return "", errors.New("it is NULL")
	}
	start, err := m.pointer(at, 1)
	if err != nil {
		return "", err
	}
	size := min(uint64(m.memory.Size()-start), uint64(most)+1)
	view, ok := m.memory.Read(start, uint32(size))
	if !ok {
		return "", errShrunk
	}
	end := bytes.IndexByte(view, 0)
	switch {
	case end >= 0:
		return string(view[:end]), nil
	case size == uint64(most)+1:
		return "", fmt.Errorf("it has no end within the %d bytes that are read", most)
	}
	return "", errors.New("it has no end in the module's memory")
}

// words reads numbers of 32 bits.
func (m *Module) words(at uint32, n uint32) ([]uint32, error) {
	if _, err := m.pointer(uint64(at), uint64(n)*4); err != nil {
		return nil, err
	}
	view, ok := m.memory.Read(at, n*4)
	if !ok {
		return nil, errShrunk
	}
	all := make([]uint32, n)
	for i := range all {
		all[i] = binary.LittleEndian.Uint32(view[4*i:])
	}
	return all, nil
}

func firstLine(text string) string {
	if i := bytes.IndexByte([]byte(text), '\n'); i >= 0 {
		text = text[:i]
	}
	return contract.Excerpt(text)
}
