package plugintest

import (
	"strings"

	"github.com/nyash-plugins/nyash-go/tlv"
)

// A method that is called again and again within one call of the tester answers numbers
// that double and begin again with 0, true and false by turns, and text and no text by
// turns: so loops come to an end that wait for a time, for the last of something, or for a
// yes or a no. They depend on nothing else, so that a method of the library answers the
// same each time, on whatever thread.
const (
	doublings32 = 22 // i32 and floats: up to 2,097,152
	doublings64 = 42
)

// plausible is the result of a declared type of a method that was called so many times
// before; ok is false for Void, and for what is not declared.
func plausible(tag tlv.Tag, before int, long bool) (v tlv.Value, ok bool) {
	power := func(doublings int) int64 {
		if before %= doublings; before == doublings-1 {
			return 0
		}
		return 1 << before
	}
	text := ""
	if before%2 == 0 {
		text = "a"
	}
	if long && text != "" {
		text = strings.Repeat(text, tlv.MaxPayload)
	}
	switch tag {
	case tlv.TagBool:
		return tlv.Bool(before%2 == 0), true
	case tlv.TagInt32:
		return tlv.Int32(int32(power(doublings32))), true
	case tlv.TagInt64:
		return tlv.Int64(power(doublings64)), true
	case tlv.TagFloat32:
		return tlv.Float32(1.5 * float32(power(doublings32))), true
	case tlv.TagFloat64:
		return tlv.Float64(1.5 * float64(power(doublings32))), true
	case tlv.TagString:
		return tlv.String(text), true
	case tlv.TagBytes:
		return tlv.Bytes([]byte(text)), true
	}
	return v, false
}

// plausibleBlob is the data of a blob.
func plausibleBlob(before int, long bool) []byte {
	if before%2 != 0 {
		return nil
	}
	if long {
		return []byte(strings.Repeat("a", 1<<20))
	}
	return []byte(blobText)
}

// Handles of the host's boxes among the samples of arguments, like selfSample: encode
// replaces them.

// hostSample stands for a handle of the box with this number among those that the library
// may call.
func hostSample(i int) tlv.Value { return tlv.HandleValue(tlv.Handle{Type: uint32(i) + 1}) }

// sampleNumber is the reverse of hostSample.
func sampleNumber(v tlv.Value) (i int, ok bool) {
	h, err := v.Handle()
	return int(h.Type) - 1, err == nil && h.Instance == 0 && h.Type > 0 && h.Type <= maxHostSamples
}

// sampleHandle is the handle that a hostSample becomes.
func sampleHandle(i int) tlv.Handle {
	return tlv.Handle{Type: firstHostType + uint32(i), Instance: firstSample + uint32(i)}
}

// maxHostSamples is how many of the host's boxes are tried as arguments.
const maxHostSamples = 4

// hostSamples are the host's boxes as arguments.
func (h *host) hostSamples() []tlv.Value {
	h.mu.Lock()
	defer h.mu.Unlock()
	if !h.ready {
		return nil
	}
	all := make([]tlv.Value, len(h.samples))
	for i := range all {
		all[i] = hostSample(i)
	}
	return all
}
