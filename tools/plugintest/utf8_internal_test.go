package plugintest

import (
	"slices"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/assert"
)

// decoder is UTF-8 as a plugin may check it. All bounds are inclusive.
type decoder struct {
	lead2, last2, last4            byte // the first and the last that begins two bytes, the last that begins four
	afterE0, afterED, afterF0, aF4 byte // the least, the most, the least and the most behind those
	least, most                    byte // of what goes on
	endsEarly                      bool
}

var rightDecoder = decoder{lead2: 0xc2, last2: 0xdf, last4: 0xf4, afterE0: 0xa0, afterED: 0x9f, afterF0: 0x90, aF4: 0x8f, least: 0x80, most: 0xbf}

func (d decoder) takes(s string) bool {
	for i := 0; i < len(s); {
		lead, more := s[i], 0
		switch {
		case lead < 0x80:
		case lead >= d.lead2 && lead <= d.last2:
			more = 1
		case lead >= 0xe0 && lead <= 0xef:
			more = 2
		case lead >= 0xf0 && lead <= d.last4:
			more = 3
		default:
			return false
		}
		for k := 1; k <= more; k++ {
			if i+k == len(s) {
				return d.endsEarly
			}
			low, high := d.least, d.most
			if k == 1 {
				low = max(low, map[byte]byte{0xe0: d.afterE0, 0xf0: d.afterF0}[lead])
				if top, ok := map[byte]byte{0xed: d.afterED, 0xf4: d.aF4}[lead]; ok {
					high = top
				}
			}
			if s[i+k] < low || s[i+k] > high {
				return false
			}
		}
		i += more + 1
	}
	return true
}

// TestNotUTF8: none of the texts is UTF-8, and decoders with one bound wrong take some of them.
func TestNotUTF8(t *testing.T) {
	for _, text := range notUTF8 {
		assert.False(t, utf8.ValidString(text), "%q", text)
		assert.False(t, rightDecoder.takes(text), "%q", text)
	}
	for name, wrong := range map[string]func(*decoder){
		"C1 begins two":     func(d *decoder) { d.lead2 = 0xc1 },
		"80 begins two":     func(d *decoder) { d.lead2 = 0x80 },
		"E0 begins two":     func(d *decoder) { d.last2 = 0xe0 },
		"FF begins two":     func(d *decoder) { d.last2 = 0xff },
		"F5 begins four":    func(d *decoder) { d.last4 = 0xf5 },
		"9F behind E0":      func(d *decoder) { d.afterE0 = 0x9f },
		"A0 behind ED":      func(d *decoder) { d.afterED = 0xa0 },
		"8F behind F0":      func(d *decoder) { d.afterF0 = 0x8f },
		"90 behind F4":      func(d *decoder) { d.aF4 = 0x90 },
		"anything goes on":  func(d *decoder) { d.least, d.most = 0, 0xff },
		"ASCII goes on":     func(d *decoder) { d.least = 0x20 },
		"C0 goes on":        func(d *decoder) { d.most = 0xc0 },
		"ends in the midst": func(d *decoder) { d.endsEarly = true },
	} {
		d := rightDecoder
		wrong(&d)
		assert.True(t, slices.ContainsFunc(notUTF8, d.takes), name)
	}
}
