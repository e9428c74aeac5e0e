package probe

import (
	"debug/elf"
	"encoding/binary"
	"maps"
	"math"
	"slices"
	"sync/atomic"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/nyash-plugins/nyash-go/hostvtable"
	"github.com/nyash-plugins/nyash-go/internal/cmem"
	"github.com/nyash-plugins/nyash-go/internal/native"
)

// Faults tells whether functions of the system can be made to fail on this system.
const Faults = true

// faults has functions of the system fail that a library calls. The library's own table of what it
// imports (.got) leads to a stub for each function, which counts the call and goes on to the function,
// or fails in its place. So does that of the C++ library which it uses, for memory: new is a function
// of that one, as are those of std::string. Calls of other libraries, and of this process, are as
// they were. The host's alloc, which is a function of this process, fails the same way.
type faults struct {
	names []string
	state *faultState
	code  []codeRange // of the library
}

// faultState is what the stubs use; they know where its fields are.
type faultState struct {
	calls  uint64 // so far
	number uint64 // of the call that fails
	fired  uint64 // from 1: the stub that has failed
	last   uint64 // call that fails
	mode   uint64
	kinds  [keptKinds]uint8 // the stubs of the first calls
	stack  [keptWords]uint64
}

// codeRange is where code of a library lies, and where that is in its file.
type codeRange struct{ start, end, offset uint64 }

const (
	keptKinds = 1024
	keptWords = 96  // of the stack of the first call that fails, from its return address on
	maxPlaces = 8   // of the library's calls in them
	stubRoom  = 224 // bytes of each stub, at most
	maxStubs  = math.MaxUint8
)

func newFaults(library string) (*faults, error) {
	tables, count, err := faultTables(library)
	if err != nil {
		return nil, err
	}
	errno := native.System("__errno_location")
	if count == 0 || errno == 0 {
		return nil, errImports
	}
	memory, err := mapPages(int(unsafe.Sizeof(faultState{})))
	if err != nil {
		return nil, err
	}
	code, err := mapPages(stubRoom * count)
	if err != nil {
		return nil, err
	}
	f := &faults{state: stateAt(memory), code: codeOf(library)}
	f.state.number = NoFault
	targets := make(map[uint64]uint64) // of each slot
	for _, slots := range tables {
		for _, name := range slices.Sorted(maps.Keys(slots)) {
			at := slots[name]
			was := binary.LittleEndian.Uint64(cmem.Memory(uintptr(at[0]), 8))
			if was == 0 || len(f.names) >= maxStubs-1 {
				continue
			}
			stub := code[len(f.names)*stubRoom:][:stubRoom]
			writeStub(stub, systemFunctions[name], stubAddresses{state: cmem.Address(memory), function: was, errno: uint64(errno)}, len(f.names))
			f.names = append(f.names, name)
			for _, slot := range at {
				targets[slot] = cmem.Address(stub)
			}
		}
	}
	hostvtable.RefuseAlloc(f.refuses(len(f.names)))
	f.names = append(f.names, hostAlloc)
	if err := unix.Mprotect(code, unix.PROT_READ|unix.PROT_EXEC); err != nil {
		return nil, err
	}
	return f, redirect(targets)
}

// faultTables are the slots of a library, and of the C++ library that it uses, and how many functions
// they are of.
func faultTables(library string) (tables []map[string][]uint64, count int, err error) {
	slots, err := importsOf(library, func(name string) bool { return systemFunctions[name].kind != 0 })
	if err != nil {
		return nil, 0, err
	}
	tables = append(tables, slots)
	for _, file := range cxxLibrariesOf(library) {
		slots, err := importsOf(file, Memory)
		if err != nil {
			return nil, 0, err
		}
		tables = append(tables, slots)
	}
	for _, slots := range tables {
		count += len(slots)
	}
	return tables, count, nil
}

func stateAt(memory []byte) *faultState {
	return (*faultState)(unsafe.Pointer(unsafe.SliceData(memory)))
}

func (f *faults) arm(number uint64, mode FaultMode) {
	s := f.state
	atomic.StoreUint64(&s.number, NoFault)
	atomic.StoreUint64(&s.mode, uint64(mode))
	atomic.StoreUint64(&s.fired, 0)
	atomic.StoreUint64(&s.calls, 0)
	last := number
	if mode == FaultForGood {
		last = NoFault
	}
	atomic.StoreUint64(&s.last, last)
	atomic.StoreUint64(&s.number, number)
}

func (f *faults) seen() Faulted {
	out := Faulted{Known: true}
	calls := min(atomic.LoadUint64(&f.state.calls), keptKinds)
	for _, kind := range f.state.kinds[:calls] {
		if int(kind) < len(f.names) {
			out.Calls = append(out.Calls, f.names[kind])
		}
	}
	if fired := atomic.LoadUint64(&f.state.fired); fired > 0 && fired <= uint64(len(f.names)) {
		out.Fired = f.names[fired-1]
		if out.Fired != hostAlloc {
			out.At = f.places()
		}
	}
	return out
}

// codeOf is where the code of a library lies, which is open; nothing where that cannot be told.
func codeOf(library string) (all []codeRange) {
	base, err := baseOf(library)
	if err != nil {
		return nil
	}
	file, err := elf.Open(library)
	if err != nil {
		return nil
	}
	defer func() { _ = file.Close() }() // which was only read
	for _, s := range file.Progs {
		if s.Type == elf.PT_LOAD && s.Flags&elf.PF_X != 0 {
			all = append(all, codeRange{base + s.Vaddr, base + s.Vaddr + s.Filesz, s.Off})
		}
	}
	return all
}

// places are those of the library's calls of which the stack has the return addresses: words that are addresses behind a
// call. What a function has left in memory that it does not use may be among them.
func (f *faults) places() (all []uint64) {
	for _, word := range f.state.stack {
		for _, c := range f.code {
			if c.start+longestCall <= word && word < c.end && followsCall(cmem.Memory(uintptr(word-longestCall), longestCall)) && len(all) < maxPlaces {
				all = append(all, word-1-c.start+c.offset)
			}
		}
	}
	return all
}

// longestCall is the size of the longest call instruction that is known, in bytes.
const longestCall = 7

// followsCall tells whether code ends in a call: of a place, or of what a register or memory has the address of.
func followsCall(code []byte) bool {
	end := len(code)
	if code[end-5] == 0xe8 {
		return true
	}
	for _, size := range []int{2, 3, 4, 6, 7} {
		if code[end-size] == 0xff && code[end-size+1]>>3&7 == 2 {
			return true
		}
	}
	return false
}

// refuses is what a stub does, for the host's alloc, which is a function of this process.
func (f *faults) refuses(number int) func() bool {
	s := f.state
	return func() bool {
		call := atomic.AddUint64(&s.calls, 1) - 1
		if call < keptKinds {
			s.kinds[call] = uint8(number)
		}
		if call < atomic.LoadUint64(&s.number) || call > atomic.LoadUint64(&s.last) {
			return false
		}
		atomic.StoreUint64(&s.fired, uint64(number)+1)
		return true
	}
}

// stubAddresses are what a stub uses: the state, the function itself, and the one that tells where errno is.
type stubAddresses struct{ state, function, errno uint64 }

// writeStub writes the code of stub number, which changes no register that a call has arguments in.
func writeStub(out []byte, f systemFunction, at stubAddresses, number int) {
	var code []byte
	add := func(b ...byte) { code = append(code, b...) }
	add64 := func(n uint64) { code = binary.LittleEndian.AppendUint64(code, n) }
	add32 := func(n uint32) { code = binary.LittleEndian.AppendUint32(code, n) }
	// jump leaves a place for a distance, which land fills in.
	jump := func(op byte) int { add(op, 0); return len(code) }
	land := func(from int) { code[from-1] = byte(len(code) - from) }
	loadState := func() { add(0x49, 0xbb); add64(at.state) }                      // mov r11, state
	goOn := func() { add(0x49, 0xbb); add64(at.function); add(0x41, 0xff, 0xe3) } // mov r11, function; jmp r11

	add(0xf3, 0x0f, 0x1e, 0xfa) // endbr64
	loadState()
	add(0x41, 0xba, 1, 0, 0, 0)       // mov r10d, 1
	add(0xf0, 0x4d, 0x0f, 0xc1, 0x13) // lock xadd [r11], r10
	add(0x49, 0x81, 0xfa)             // cmp r10, keptKinds
	add32(keptKinds)
	many := jump(0x73)                              // jae
	add(0x43, 0xc6, 0x44, 0x13, 0x28, byte(number)) // mov byte [r11+r10+40], number
	land(many)
	add(0x4d, 0x3b, 0x53, 0x08) // cmp r10, [r11+8]
	reached := jump(0x73)       // jae
	passes := len(code)
	goOn()
	land(reached)
	add(0x4d, 0x3b, 0x53, 0x18)           // cmp r10, [r11+24]
	add(0x77, byte(passes-(len(code)+2))) // ja
	add(0x49, 0x83, 0x7b, 0x10, 0)        // cmp qword [r11+16], 0
	again := jump(0x75)                   // jne
	add(0x56, 0x57, 0x51)                 // push rsi; push rdi; push rcx
	add(0x48, 0x8d, 0x74, 0x24, 0x18)     // lea rsi, [rsp+24]
	add(0x49, 0x8d, 0xbb)                 // lea rdi, [r11+stack]
	add32(uint32(unsafe.Offsetof(faultState{}.stack)))
	add(0xb9) // mov ecx, keptWords
	add32(keptWords)
	add(0xf3, 0x48, 0xa5) // rep movsq
	add(0x59, 0x5f, 0x5e) // pop rcx; pop rdi; pop rsi
	land(again)
	add(0x49, 0xc7, 0x43, 0x10) // mov qword [r11+16], number+1
	add32(uint32(number + 1))
	if f.parts {
		add(0x41, 0x83, 0x7b, 0x20, byte(FaultPart)) // cmp dword [r11+32], FaultPart
		whole := jump(0x75)                          // jne
		add(0x48, 0xd1, 0xea)                        // shr rdx, 1
		some := jump(0x75)                           // jnz
		add(0xba, 1, 0, 0, 0)                        // mov edx, 1
		land(some)
		goOn()
		land(whole)
	}
	add(0x48, 0x83, 0xec, 0x08) // sub rsp, 8
	if f.kind == ofClosing {
		add(0x48, 0xb8) // mov rax, function
		add64(at.function)
		add(0xff, 0xd0) // call rax
	}
	add(0x48, 0xb8) // mov rax, errno
	add64(at.errno)
	add(0xff, 0xd0)             // call rax
	add(0x48, 0x83, 0xc4, 0x08) // add rsp, 8
	add(0xc7, 0x00)             // mov dword [rax], number of the error
	add32(f.errno)
	if f.interrupts {
		loadState()
		add(0x41, 0x83, 0x7b, 0x20, byte(FaultInterrupted)) // cmp dword [r11+32], FaultInterrupted
		plain := jump(0x75)                                 // jne
		add(0xc7, 0x00)
		add32(errInterrupted)
		land(plain)
	}
	add(0x48, 0xb8) // mov rax, answer
	add64(f.answer)
	add(0xc3) // ret
	copy(out, code)
}
