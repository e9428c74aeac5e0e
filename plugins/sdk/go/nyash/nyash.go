// Package nyash is for writing Nyash plugins in Go: an ordinary type with
// ordinary methods, and a list of those that hosts may call.
//
//	type Counter struct{ count int64 }
//
//	func (c *Counter) Add(by int64) (int64, error) {
//		if by < 0 {
//			return 0, nyash.Errorf(nyash.InvalidArgs, "%d is less than 0", by)
//		}
//		c.count += by
//		return c.count, nil
//	}
//
//	func init() {
//		nyash.Plugin(nyash.Box{
//			Name: "Counter", TypeID: 7,
//			New:     func() *Counter { return &Counter{} },
//			Methods: []nyash.Method{{ID: 1, Name: "add", Call: (*Counter).Add, Args: []string{"by"}}},
//		})
//	}
//
//	func main() {}
//
// `go build -buildmode=c-shared` makes the library. It needs cgo, so a C
// compiler too.
//
// The types of arguments and results, with those of the wire: bool · int32
// (i32) · int64, int (i64) · float32 (f32) · float64 (f64) · string · []byte
// (bytes) · [Blob]. Numbers of the other size are taken where they fit, and a
// String as bytes. A pointer to one of them is an argument that may be left
// out, and then nil; it stands behind all others. Handles, asynchronous methods
// and events are not here.
//
// Arguments, the instance and the room for the largest result are checked
// before a method runs. Calls on one instance run one after another, unless its
// box is Concurrent; a method that returns an error or panics makes an error of
// the call. A panic in a goroutine that the plugin started ends the process.
//
// A library made by Go brings a Go runtime of its own, with threads and signal
// handlers that stay until the process ends. Let it run in one of its own:
// isolation = "process" in nyash.toml.
package nyash

/*
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

typedef struct {
	uint8_t *(*alloc)(size_t);
	void (*free)(uint8_t *);
	void (*wake)(uint64_t);
	void (*log)(int32_t, const char *);
} nyash_host;

typedef struct {
	uint32_t method_id;
	const char *name;
	uint32_t signature;
} nyash_method_info;

typedef struct {
	uint32_t type_id;
	const char *type_name;
	size_t method_count;
	nyash_method_info *methods;
} nyash_plugin_info;

typedef struct {
	uint32_t type_id, method_id, instance_id;
	int32_t code;
	const uint8_t *args;
	size_t args_len;
	uint8_t *result;
	size_t result_len;
} nyash_call;

// Go cannot call a pointer to a C function.
static inline uint8_t *nyash_alloc(const nyash_host *h, size_t n) { return h->alloc(n); }
static inline void nyash_wake(const nyash_host *h, uint64_t n) { h->wake(n); }
static inline void nyash_log(const nyash_host *h, int32_t level, const char *text) { h->log(level, text); }
*/
import "C"

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/fnv"
	"math"
	"reflect"
	"strings"
	"sync"
	"sync/atomic"
	"unicode/utf8"
	"unsafe"
)

// Box is a type whose instances hosts can make. If it has a method Close(),
// that is called once for each instance, when no call uses it any more.
type Box struct {
	Name       string
	TypeID     uint32
	Doc        string
	Singleton  bool     // the host makes one instance and shares it
	Concurrent bool     // calls on one instance may run at once: its methods see to locking
	New        any      // makes an instance: func(arguments…) *T, or (*T, error)
	NewArgs    []string // a name for each argument of New
	Methods    []Method
}

// Method is what hosts can call.
type Method struct {
	ID   uint32 // counted from 1; it should stay what it is
	Name string
	Call any      // func(*T, arguments…) result, (result, error), error or nothing
	Args []string // a name for each argument behind the receiver
	Max  int      // the largest string or []byte that it returns; 0 is 65,535
	Doc  string
}

// Blob is data of any length, which travels by reference. As an argument it is
// the caller's memory, valid until the method returns.
type Blob []byte

// The codes of errors.
const (
	InvalidArgs   = -4
	Failed        = -5
	OutOfMemory   = -6
	InvalidUTF8   = -7
	InvalidHandle = -8

	shortBuffer   = -1
	invalidType   = -2
	invalidMethod = -3
)

// Error is an error with a code of the plugin's choosing. Any other error has
// the code [Failed].
type Error struct {
	Code int32
	Text string
}

func (e *Error) Error() string { return e.Text }

// Errorf makes an [Error].
func Errorf(code int32, format string, args ...any) error {
	return &Error{code, fmt.Sprintf(format, args...)}
}

// The levels of [Log].
const (
	Debug = iota
	Info
	Warn
	Severe
)

// Log writes a line to the host's log, from any goroutine. Before the host
// knows the plugin it does nothing.
func Log(level int32, text string) {
	if h := host.Load(); h != nil {
		s := C.CString(strings.ReplaceAll(text, "\x00", "?"))
		C.nyash_log(h, C.int32_t(level), s)
		C.free(unsafe.Pointer(s))
	}
}

// Wake hands a number to the host program, from any goroutine.
func Wake(number uint64) {
	if h := host.Load(); h != nil {
		C.nyash_wake(h, C.uint64_t(number))
	}
}

// Plugin says what the library has. It is called once, in an init function.
func Plugin(all ...Box) {
	for _, b := range all {
		boxes = append(boxes, compile(b))
	}
}

// ---- Boxes and methods, made ready for calls ------------------------------

const (
	birthID    = 0
	finiID     = math.MaxUint32
	headerSize = 4
	entrySize  = 4
	maxPayload = math.MaxUint16
	maxConfig  = 1 << 20
)

var tagNames = [...]string{1: "bool", 2: "i32", 3: "i64", 4: "f32", 5: "f64", 6: "string", 7: "bytes", 8: "handle", 9: "void", 10: "blob"}

const (
	tagBool = 1 + iota
	tagI32
	tagI64
	tagF32
	tagF64
	tagString
	tagBytes
	tagHandle
	tagVoid
	tagBlob

	tagResult = 20 // it and the next two are reserved
	tagArray  = 22
)

// fixedSizes are those of payloads, -1 where they vary.
var fixedSizes = [...]int{tagBool: 1, tagI32: 4, tagI64: 8, tagF32: 4, tagF64: 8, tagString: -1, tagBytes: -1, tagHandle: 8, tagVoid: 0, tagBlob: 16}

// alsoTaken are the types that an argument of another type takes as well: a host
// that knows no types, as of arguments that may be left out, sends each number
// as I64 or F64.
var alsoTaken = [...]byte{tagI32: tagI64, tagI64: tagI32, tagF32: tagF64, tagF64: tagF32, tagBytes: tagString, tagBlob: 0}

type param struct {
	name     string
	typ      reflect.Type // without the pointer of an optional one
	tag      byte
	optional bool
}

type method struct {
	Method
	fn     reflect.Value
	params []param
	result byte // tag, or tagVoid
	fails  bool // its last result is an error
}

type box struct {
	Box
	birth    *method
	methods  map[uint32]*method
	mistakes []string // in the Box, which init reports
}

var (
	boxes []*box
	host  atomic.Pointer[C.nyash_host]

	errorType = reflect.TypeFor[error]()
	blobType  = reflect.TypeFor[Blob]()
	byteType  = reflect.TypeFor[[]byte]()
)

func tagOf(t reflect.Type) byte {
	switch t {
	case blobType:
		return tagBlob
	case byteType:
		return tagBytes
	}
	switch t.Kind() {
	case reflect.Bool:
		return tagBool
	case reflect.Int32:
		return tagI32
	case reflect.Int64, reflect.Int:
		return tagI64
	case reflect.Float32:
		return tagF32
	case reflect.Float64:
		return tagF64
	case reflect.String:
		return tagString
	}
	return 0
}

func compile(b Box) *box {
	c := &box{Box: b, methods: map[uint32]*method{}}
	mistake := func(format string, args ...any) {
		c.mistakes = append(c.mistakes, b.Name+": "+fmt.Sprintf(format, args...))
	}
	made := reflect.TypeOf(b.New)
	if made == nil || made.Kind() != reflect.Func || made.NumOut() == 0 || made.NumOut() > 2 || made.NumOut() == 2 && made.Out(1) != errorType {
		mistake("New must be a func(…) *T or a func(…) (*T, error)")
		return c
	}
	c.birth = c.method(Method{ID: birthID, Name: "birth", Call: b.New, Args: b.NewArgs}, 0, mistake)
	names := map[string]bool{"birth": true, "fini": true}
	for _, m := range b.Methods {
		t := reflect.TypeOf(m.Call)
		switch {
		case t == nil || t.Kind() != reflect.Func || t.NumIn() == 0 || t.In(0) != made.Out(0):
			mistake("%s: Call must be a function whose first parameter is a %v", m.Name, made.Out(0))
			continue
		case m.ID == birthID || m.ID == finiID || c.methods[m.ID] != nil || m.Name == "" || names[m.Name]:
			mistake("%s: its id (%d) or its name is another method's", m.Name, m.ID)
		case m.Max < 0 || m.Max > maxPayload:
			mistake("%s: Max is not from 0 to %d", m.Name, maxPayload)
		}
		names[m.Name] = true
		c.methods[m.ID] = c.method(m, 1, mistake)
	}
	return c
}

// method looks at a function whose first skip parameters are not arguments.
func (b *box) method(m Method, skip int, mistake func(string, ...any)) *method {
	t := reflect.TypeOf(m.Call)
	out := &method{Method: m, fn: reflect.ValueOf(m.Call), result: tagVoid}
	if out.Max == 0 {
		out.Max = maxPayload
	}
	if len(m.Args) != t.NumIn()-skip || t.IsVariadic() {
		mistake("%s: it has %d arguments and %d names for them", m.Name, t.NumIn()-skip, len(m.Args))
		return out
	}
	for i, name := range m.Args {
		p := param{name: name, typ: t.In(i + skip)}
		if p.optional = p.typ.Kind() == reflect.Pointer; p.optional {
			p.typ = p.typ.Elem()
		}
		if p.tag = tagOf(p.typ); p.tag == 0 {
			mistake("%s: %s has the type %v, which the wire does not have", m.Name, name, p.typ)
		}
		if !p.optional && i > 0 && out.params[i-1].optional {
			mistake("%s: %s stands behind one that may be left out", m.Name, name)
		}
		out.params = append(out.params, p)
	}
	n := t.NumOut()
	if out.fails = n > 0 && t.Out(n-1) == errorType; out.fails {
		n--
	}
	if m.ID != birthID && n == 1 {
		out.result = tagOf(t.Out(0))
	}
	if n > 1 || out.result == 0 {
		mistake("%s: it returns what the wire does not have", m.Name)
	}
	return out
}

// size is that of the largest result.
func (m *method) size() int {
	switch m.result {
	case tagVoid:
		return 0
	case tagString, tagBytes:
		return headerSize + entrySize + m.Max
	}
	return headerSize + entrySize + fixedSizes[m.result]
}

// ---- Instances -------------------------------------------------------------

type instance struct {
	box   *box
	state reflect.Value
	lock  sync.Mutex
	uses  atomic.Int64 // by calls, and one for the id
}

// release ends the instance with its last use.
func (i *instance) release() {
	if i.uses.Add(-1) > 0 {
		return
	}
	if c, ok := i.state.Interface().(interface{ Close() }); ok {
		defer func() {
			if p := recover(); p != nil {
				Log(Severe, fmt.Sprintf("%s.Close panicked: %v", i.box.Name, p))
			}
		}()
		c.Close()
	}
}

var table struct {
	sync.RWMutex
	byID map[uint32]*instance
	last uint32
}

func publish(i *instance) uint32 {
	i.uses.Store(1)
	table.Lock()
	defer table.Unlock()
	if table.byID == nil {
		table.byID = map[uint32]*instance{}
	}
	table.last++
	for table.last == 0 || table.byID[table.last] != nil {
		table.last++
	}
	table.byID[table.last] = i
	return table.last
}

func missing(b *box, id uint32) error {
	return Errorf(InvalidHandle, "there is no %s with instance id %d", b.Name, id)
}

// find returns an instance that the caller must release.
func find(b *box, id uint32) (*instance, error) {
	table.RLock()
	defer table.RUnlock()
	i := table.byID[id]
	if i == nil || i.box != b {
		return nil, missing(b, id)
	}
	i.uses.Add(1)
	return i, nil
}

func remove(b *box, id uint32) error {
	table.Lock()
	i := table.byID[id]
	if i == nil || i.box != b {
		table.Unlock()
		return missing(b, id)
	}
	delete(table.byID, id)
	table.Unlock()
	i.release()
	return nil
}

// ---- Calls -----------------------------------------------------------------

type value struct {
	tag  byte
	data []byte // the caller's memory
}

// decode reads a message.
func decode(data []byte) ([]value, error) {
	bad := func(at int, what string, args ...any) ([]value, error) {
		return nil, Errorf(InvalidArgs, "malformed arguments: %s at byte %d", fmt.Sprintf(what, args...), at)
	}
	if len(data) < headerSize {
		return bad(len(data), "the header is cut short")
	}
	if v := binary.LittleEndian.Uint16(data); v != 1 {
		return bad(0, "TLV version %d, not 1,", v)
	}
	count, at := int(binary.LittleEndian.Uint16(data[2:])), headerSize
	values := make([]value, 0, min(count, 16))
	for range count {
		if len(data)-at < entrySize {
			return bad(at, "entry missing or cut short")
		}
		tag, size := data[at], int(binary.LittleEndian.Uint16(data[at+2:]))
		switch {
		case tag >= tagResult && tag <= tagArray:
			return bad(at, "reserved tag %d (%s)", tag, [...]string{"result", "option", "array"}[tag-tagResult])
		case tag == 0 || int(tag) >= len(fixedSizes):
			return bad(at, "unknown tag %d", tag)
		case data[at+1] != 0:
			return bad(at+1, "reserved byte is %d", data[at+1])
		case fixedSizes[tag] >= 0 && size != fixedSizes[tag]:
			return bad(at+2, "%s of %d bytes, not %d,", tagNames[tag], size, fixedSizes[tag])
		case size > len(data)-at-entrySize:
			return bad(at+2, "%s of %d bytes, and %d are left,", tagNames[tag], size, len(data)-at-entrySize)
		}
		payload := data[at+entrySize : at+entrySize+size]
		if tag == tagString && !utf8.Valid(payload) {
			return nil, Errorf(InvalidUTF8, "malformed arguments: the string at byte %d is not UTF-8", at)
		}
		values = append(values, value{tag, payload})
		at += entrySize + size
	}
	if at != len(data) {
		return bad(at, "trailing bytes from there on,")
	}
	return values, nil
}

// take turns a value into what the parameter has.
func (p *param) take(v value) (reflect.Value, error) {
	out := reflect.New(p.typ).Elem()
	wanted := tagNames[p.tag]
	u64 := func() uint64 { return binary.LittleEndian.Uint64(v.data) }
	u32 := func() uint32 { return binary.LittleEndian.Uint32(v.data) }
	switch {
	case p.tag != v.tag && alsoTaken[p.tag] != v.tag:
		if also := alsoTaken[p.tag]; also != 0 {
			wanted += " or " + tagNames[also]
		}
		return out, fmt.Errorf("wanted %s, got %s", wanted, tagNames[v.tag])
	case p.tag == tagBool:
		out.SetBool(v.data[0] != 0)
	case v.tag == tagI32:
		out.SetInt(int64(int32(u32())))
	case v.tag == tagI64 && out.OverflowInt(int64(u64())):
		return out, fmt.Errorf("%d does not fit 32 bits", int64(u64()))
	case v.tag == tagI64:
		out.SetInt(int64(u64()))
	case v.tag == tagF32:
		out.SetFloat(float64(math.Float32frombits(u32())))
	case v.tag == tagF64:
		out.SetFloat(math.Float64frombits(u64()))
	case p.tag == tagString:
		out.SetString(string(v.data))
	case p.tag == tagBytes:
		out.SetBytes(append([]byte{}, v.data...))
	case p.tag == tagBlob:
		address, size := u64(), binary.LittleEndian.Uint64(v.data[8:])
		if size == 0 {
			break
		}
		if address == 0 || size > math.MaxInt || uint64(uintptr(address)) != address {
			return out, fmt.Errorf("a blob of %d bytes at address %#x", size, address)
		}
		// The address came as a number; a conversion of that looks like a mistake to vet.
		out.SetBytes(unsafe.Slice(*(**byte)(unsafe.Pointer(&address)), int(size)))
	}
	return out, nil
}

// arguments are those of a message, behind what is in front of them.
func (m *method) arguments(front []reflect.Value, message []byte) ([]reflect.Value, error) {
	values, err := decode(message)
	if err != nil {
		return nil, err
	}
	if len(values) > len(m.params) {
		return nil, Errorf(InvalidArgs, "%s takes at most %d arguments, got %d", m.Name, len(m.params), len(values))
	}
	for i := range m.params {
		p := &m.params[i]
		if i >= len(values) || p.optional && values[i].tag == tagVoid {
			if !p.optional {
				return nil, Errorf(InvalidArgs, "argument %d (%s) is missing: wanted %s", i+1, p.name, tagNames[p.tag])
			}
			front = append(front, reflect.Zero(reflect.PointerTo(p.typ)))
			continue
		}
		v, err := p.take(values[i])
		if err != nil {
			return nil, Errorf(InvalidArgs, "argument %d (%s): %v", i+1, p.name, err)
		}
		if p.optional {
			pointer := reflect.New(p.typ)
			pointer.Elem().Set(v)
			v = pointer
		}
		front = append(front, v)
	}
	return front, nil
}

// run calls the function. A panic is an error.
func (m *method) run(in []reflect.Value) (out reflect.Value, err error) {
	defer func() {
		if p := recover(); p != nil {
			Log(Severe, fmt.Sprintf("%s panicked: %v", m.Name, p))
			err = Errorf(Failed, "%s panicked: %v", m.Name, p)
		}
	}()
	results := m.fn.Call(in)
	if m.fails {
		last := len(results) - 1
		if e := results[last]; !e.IsNil() {
			return out, e.Interface().(error)
		}
		results = results[:last]
	}
	if len(results) > 0 {
		out = results[0]
	}
	return out, nil
}

// short is the answer to a buffer that does not hold the largest result.
type short int

func (s short) Error() string { return fmt.Sprintf("the result needs a buffer of %d bytes", int(s)) }

// invoke makes a call and returns how many bytes of the result it wrote.
func invoke(typeID, methodID, id uint32, args, result []byte) (int, error) {
	var b *box
	for _, one := range boxes {
		if one.TypeID == typeID {
			b = one
		}
	}
	if b == nil {
		return 0, Errorf(invalidType, "this library has no type %d", typeID)
	}
	if methodID == finiID { // some hosts finalise without a message
		if len(args) > 0 {
			if _, err := decode(args); err != nil {
				return 0, err
			}
		}
		return 0, remove(b, id)
	}
	if methodID == birthID {
		return b.bear(args, result)
	}
	m := b.methods[methodID]
	if m == nil {
		return 0, Errorf(invalidMethod, "%s has no method with id %d", b.Name, methodID)
	}
	i, err := find(b, id)
	if err != nil {
		return 0, err
	}
	defer i.release()
	in, err := m.arguments([]reflect.Value{i.state}, args)
	if err != nil {
		return 0, err
	}
	if need := m.size(); need > len(result) {
		return 0, short(need)
	}
	if !b.Concurrent {
		i.lock.Lock()
		defer i.lock.Unlock()
	}
	out, err := m.run(in)
	if err != nil || m.result == tagVoid {
		return 0, err
	}
	return m.write(result, out)
}

func (b *box) bear(args, result []byte) (int, error) {
	in, err := b.birth.arguments(nil, args)
	if err != nil {
		return 0, err
	}
	if len(result) < 4 {
		return 0, short(4)
	}
	state, err := b.birth.run(in)
	if err != nil {
		return 0, err
	}
	binary.LittleEndian.PutUint32(result, publish(&instance{box: b, state: state}))
	return 4, nil
}

// write puts a result into the host's buffer, whose size has been checked.
func (m *method) write(to []byte, v reflect.Value) (int, error) {
	var payload []byte
	switch m.result {
	case tagBool:
		payload = []byte{0}
		if v.Bool() {
			payload[0] = 1
		}
	case tagI32:
		payload = binary.LittleEndian.AppendUint32(nil, uint32(v.Int()))
	case tagI64:
		payload = binary.LittleEndian.AppendUint64(nil, uint64(v.Int()))
	case tagF32:
		payload = binary.LittleEndian.AppendUint32(nil, math.Float32bits(float32(v.Float())))
	case tagF64:
		payload = binary.LittleEndian.AppendUint64(nil, math.Float64bits(v.Float()))
	case tagString:
		payload = []byte(v.String())
		if !utf8.Valid(payload) {
			return 0, Errorf(InvalidUTF8, "the result of %s is not UTF-8", m.Name)
		}
	case tagBytes:
		payload = v.Bytes()
	case tagBlob:
		address, err := handOver(v.Bytes())
		if err != nil {
			return 0, err
		}
		payload = binary.LittleEndian.AppendUint64(nil, uint64(address))
		payload = binary.LittleEndian.AppendUint64(payload, uint64(v.Len()))
	}
	if (m.result == tagString || m.result == tagBytes) && len(payload) > m.Max {
		return 0, Errorf(Failed, "the result of %s has %d bytes, at most %d can be returned", m.Name, len(payload), m.Max)
	}
	return entry(to, m.result, payload), nil
}

// entry writes a message of one value and returns its size.
func entry(to []byte, tag byte, payload []byte) int {
	copy(to, []byte{1, 0, 1, 0, tag, 0, byte(len(payload)), byte(len(payload) >> 8)})
	return headerSize + entrySize + copy(to[headerSize+entrySize:], payload)
}

// handOver copies data into memory that the host frees.
func handOver(data []byte) (uintptr, error) {
	if len(data) == 0 {
		return 0, nil
	}
	p := unsafe.Pointer(C.nyash_alloc(host.Load(), C.size_t(len(data))))
	if p == nil {
		return 0, Errorf(OutOfMemory, "no memory for %d bytes", len(data))
	}
	copy(unsafe.Slice((*byte)(p), len(data)), data)
	return uintptr(p), nil
}

// answer turns what invoke returned into a code, and writes an error's message
// as far as there is room.
func answer(n int, err error, result []byte, resultLen *C.size_t) C.int32_t {
	if resultLen == nil {
		resultLen = new(C.size_t)
	}
	if err == nil {
		*resultLen = C.size_t(n)
		return 0
	}
	var tooShort short
	if errors.As(err, &tooShort) {
		*resultLen = C.size_t(tooShort)
		return shortBuffer
	}
	code := int32(Failed)
	var coded *Error
	if errors.As(err, &coded) && coded.Code < shortBuffer {
		code = coded.Code
	}
	text := strings.ToValidUTF8(err.Error(), "?")
	if room := min(len(result), maxPayload) - headerSize - entrySize; room >= 0 {
		if len(text) > room {
			text = strings.ToValidUTF8(text[:room], "") // the cut may go through a character
		}
		*resultLen = C.size_t(entry(result, tagString, []byte(text)))
	}
	return C.int32_t(code)
}

// ---- What the host calls ---------------------------------------------------

// kept are C's copies of what init and config answered, until shutdown.
var kept struct {
	sync.Mutex
	memory []unsafe.Pointer
	config *C.char
}

func keep(text string) *C.char {
	s := C.CString(text)
	kept.memory = append(kept.memory, unsafe.Pointer(s))
	return s
}

//export nyash_plugin_abi
func nyash_plugin_abi() C.uint32_t { return 1 }

//export nyash_plugin_config
func nyash_plugin_config() *C.char {
	kept.Lock()
	defer kept.Unlock()
	if kept.config == nil {
		text := describe(true)
		if len(text) > maxConfig {
			text = describe(false)
		}
		kept.config = keep(text)
	}
	return kept.config
}

//export nyash_plugin_init
func nyash_plugin_init(h *C.nyash_host, info *C.nyash_plugin_info) C.int32_t {
	if h == nil || info == nil {
		return InvalidArgs
	}
	host.Store(h)
	if len(boxes) == 0 {
		Log(Severe, "no box: call nyash.Plugin in an init function")
		return Failed
	}
	for _, b := range boxes {
		for _, text := range b.mistakes {
			Log(Severe, text)
		}
		if len(b.mistakes) > 0 {
			return Failed
		}
	}
	kept.Lock()
	defer kept.Unlock()
	b := boxes[0] // there is room for one; the self-description has all
	size := C.size_t(unsafe.Sizeof(C.nyash_method_info{}))
	methods := (*C.nyash_method_info)(C.calloc(C.size_t(len(b.Methods)+2), size))
	kept.memory = append(kept.memory, unsafe.Pointer(methods))
	all := unsafe.Slice(methods, len(b.Methods)+2)
	for i, m := range b.Methods {
		all[i] = C.nyash_method_info{method_id: C.uint32_t(m.ID), name: keep(m.Name), signature: C.uint32_t(b.methods[m.ID].signature())}
	}
	all[len(b.Methods)] = C.nyash_method_info{method_id: birthID, name: keep("birth"), signature: C.uint32_t(b.birth.signature())}
	all[len(b.Methods)+1] = C.nyash_method_info{method_id: finiID, name: keep("fini")}
	info.type_id, info.type_name = C.uint32_t(b.TypeID), keep(b.Name)
	info.method_count, info.methods = C.size_t(len(all)), methods
	return 0
}

//export nyash_plugin_invoke
func nyash_plugin_invoke(typeID, methodID, id C.uint32_t, args *C.uint8_t, argsLen C.size_t, result *C.uint8_t, resultLen *C.size_t) C.int32_t {
	var in, out []byte
	if args != nil {
		in = unsafe.Slice((*byte)(args), int(argsLen))
	}
	if result != nil && resultLen != nil {
		out = unsafe.Slice((*byte)(result), int(*resultLen))
	}
	n, err := invoke(uint32(typeID), uint32(methodID), uint32(id), in, out)
	return answer(n, err, out, resultLen)
}

//export nyash_plugin_invoke_batch
func nyash_plugin_invoke_batch(calls *C.nyash_call, count C.size_t) C.size_t {
	all := unsafe.Slice(calls, int(count))
	for i := range all {
		c := &all[i]
		c.code = nyash_plugin_invoke(c.type_id, c.method_id, c.instance_id, c.args, c.args_len, c.result, &c.result_len)
		if c.code == shortBuffer {
			return C.size_t(i + 1)
		}
	}
	return count
}

//export nyash_plugin_shutdown
func nyash_plugin_shutdown() {
	table.Lock()
	left := table.byID
	table.byID = nil
	table.Unlock()
	for _, i := range left {
		i.release()
	}
	kept.Lock()
	defer kept.Unlock()
	for _, p := range kept.memory {
		C.free(p)
	}
	kept.memory, kept.config = nil, nil
}

// ---- The self-description ----------------------------------------------------

// declared reports whether the arguments can be described: nyash.toml cannot
// say that one may be left out.
func (m *method) declared() bool {
	return len(m.params) == 0 || !m.params[len(m.params)-1].optional
}

// returns is the type of the result as nyash.toml writes it.
func (m *method) returns() string {
	if m.ID == birthID {
		return ""
	}
	return tagNames[m.result]
}

// signature is the FNV-1a hash of name(to,to)returns.
func (m *method) signature() uint32 {
	args := "..."
	if m.declared() {
		names := make([]string, len(m.params))
		for i, p := range m.params {
			names[i] = tagNames[p.tag]
		}
		args = strings.Join(names, ",")
	}
	h := fnv.New32a()
	fmt.Fprintf(h, "%s(%s)%s", m.Name, args, m.returns())
	return h.Sum32()
}

// quote writes a string of TOML.
func quote(text string) string {
	var b strings.Builder
	b.WriteByte('"')
	for _, r := range text {
		switch {
		case r == '"' || r == '\\':
			b.WriteByte('\\')
			b.WriteRune(r)
		case r < ' ' || r == 0x7F:
			fmt.Fprintf(&b, `\u%04X`, r)
		default:
			b.WriteRune(r)
		}
	}
	b.WriteByte('"')
	return b.String()
}

func describe(docs bool) string {
	var b strings.Builder
	doc := func(before, text, after string) {
		if docs && text != "" {
			fmt.Fprintf(&b, "%sdoc = %s%s", before, quote(text), after)
		}
	}
	line := func(m *method) {
		fmt.Fprintf(&b, "%s = { method_id = %d", quote(m.Name), m.ID)
		if m.declared() {
			b.WriteString(", args = [")
			for i, p := range m.params {
				if i > 0 {
					b.WriteString(", ")
				}
				fmt.Fprintf(&b, "{ name = %s, from = %q, to = %q }", quote(p.name), from(p.tag), tagNames[p.tag])
			}
			b.WriteString("]")
		}
		if r := m.returns(); r != "" {
			fmt.Fprintf(&b, ", returns = %q", r)
		}
		doc(", ", m.Doc, "")
		b.WriteString(" }\n")
	}
	for _, c := range boxes {
		fmt.Fprintf(&b, "[plugins.%s]\ntype_id = %d\n", quote(c.Name), c.TypeID)
		doc("", c.Doc, "\n")
		if c.Singleton {
			b.WriteString("singleton = true\n")
		}
		fmt.Fprintf(&b, "\n[plugins.%s.methods]\n", quote(c.Name))
		if c.birth != nil {
			line(c.birth)
		}
		for _, m := range c.Methods {
			if compiled := c.methods[m.ID]; compiled != nil {
				line(compiled)
			}
		}
		b.WriteString("\n")
	}
	return b.String()
}

// from is the caller's type for a type of the wire.
func from(tag byte) string {
	switch tag {
	case tagBool:
		return "bool"
	case tagI32, tagI64:
		return "integer"
	case tagF32, tagF64:
		return "float"
	case tagString:
		return "string"
	}
	return "bytes"
}
