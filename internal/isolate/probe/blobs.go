package probe

import (
	"bytes"

	"github.com/nyash-plugins/nyash-go/internal/cmem"
	"github.com/nyash-plugins/nyash-go/internal/contract"
	"github.com/nyash-plugins/nyash-go/internal/isolate/wire"
)

// maxOwnBlob is the size of the largest blob that is laid out, in bytes.
const maxOwnBlob = 16 << 20

// lentBlob is a blob of a message that has memory of its own.
type lentBlob struct {
	area
	from []byte // a copy of what was lent
}

// layOutBlobs moves the blobs of a message to memory of their own, each of which ends, or begins, at
// memory that cannot be touched, as the message does. Who asks for it has lent all of them.
func layOutBlobs(message []byte, slack int, layout wire.Layout) (all []lentBlob) {
	_ = contract.EachBlob(message, func(addr, length uint64) (uint64, error) {
		if addr == 0 || length == 0 || length > maxOwnBlob {
			return addr, nil
		}
		data := bytes.Clone(cmem.Memory(uintptr(addr), int(length)))
		a, err := argsArea(len(data), slack, layout)
		if err != nil {
			return addr, nil //nolint:nilerr // it stays where it is
		}
		if _, behind := around(a.usable, a.own); slack > 0 {
			clear(behind)
		}
		copy(a.own, data)
		all = append(all, lentBlob{a, data})
		return cmem.Address(a.own), nil
	})
	return all
}
