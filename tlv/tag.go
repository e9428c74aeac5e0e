package tlv

import "fmt"

// Sizes of the format, in bytes or entries.
const (
	Version         = 1
	HeaderSize      = 4
	EntryHeaderSize = 4
	MaxPayload      = 65535
	MaxEntries      = 65535
)

// Tag says what an entry holds.
type Tag uint8

// The tags of BID-1. Blob is an extension, which appears only where nyash.toml
// declares it.
const (
	TagBool    Tag = 1
	TagInt32   Tag = 2
	TagInt64   Tag = 3
	TagFloat32 Tag = 4
	TagFloat64 Tag = 5
	TagString  Tag = 6
	TagBytes   Tag = 7
	TagHandle  Tag = 8
	TagVoid    Tag = 9
	TagBlob    Tag = 10
)

// Reserved tags, which a decoder rejects by name.
const (
	tagResult Tag = 20
	tagOption Tag = 21
	tagArray  Tag = 22
)

// variable marks the tags whose payload has no fixed size.
const variable = -1

type tagInfo struct {
	name string
	size int // of the payload
}

// fits reports whether the tag can have a payload of n bytes.
func (t *tagInfo) fits(n int) bool { return t.size == n || t.size == variable }

var tags = [...]tagInfo{
	TagBool:    {"bool", 1},
	TagInt32:   {"i32", 4},
	TagInt64:   {"i64", 8},
	TagFloat32: {"f32", 4},
	TagFloat64: {"f64", 8},
	TagString:  {"string", variable},
	TagBytes:   {"bytes", variable},
	TagHandle:  {"handle", 8},
	TagVoid:    {"void", 0},
	TagBlob:    {"blob", 16},
	tagResult:  {"result", variable},
	tagOption:  {"option", variable},
	tagArray:   {"array", variable},
}

// String returns the tag's name, as nyash.toml writes it.
func (t Tag) String() string {
	if int(t) < len(tags) && tags[t].name != "" {
		return tags[t].name
	}
	return fmt.Sprintf("tag %d", uint8(t))
}

func (t Tag) valid() bool { return t >= TagBool && t <= TagBlob }

func (t Tag) reserved() bool { return t >= tagResult && t <= tagArray }
