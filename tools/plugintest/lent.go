package plugintest

import (
	"bytes"
	"fmt"
	"strings"
	"sync"

	"github.com/nyash-plugins/nyash-go/internal/contract"
)

// maxTracedBlobs is how many bytes of blobs are kept of a call that may be made again.
const maxTracedBlobs = 128 << 10

// lentBlobs are the blobs that are lent to a worker, by their addresses in it. It is safe for concurrent
// use.
type lentBlobs struct {
	mu sync.RWMutex
	at map[uint64][]byte
}

func (l *lentBlobs) add(addr uint64, data []byte) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.at == nil {
		l.at = make(map[uint64][]byte)
	}
	l.at[addr] = data
}

func (l *lentBlobs) remove(addr uint64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.at, addr)
}

// of are the blobs of a message, in their order; none where one of them is not lent as a whole: the
// message may lie.
func (l *lentBlobs) of(message []byte) (all [][]byte) {
	l.mu.RLock()
	defer l.mu.RUnlock()
	if len(l.at) == 0 {
		return nil
	}
	lies := false
	_ = contract.EachBlob(message, func(addr, length uint64) (uint64, error) {
		data := l.at[addr]
		lies = lies || uint64(len(data)) != length
		all = append(all, data)
		return addr, nil
	})
	if lies {
		return nil
	}
	return all
}

// takeBack ends the lending of a blob.
func (w *worker) takeBack(addr uint64, size int) {
	w.lending.remove(addr)
	w.life.TakeBack(addr, size)
}

// again makes a call of another worker's trace, with its blobs lent to this one.
func (w *worker) again(t *traced, more layout) (*answer, error) {
	s := t.step
	s.layout |= more
	if len(s.lent) > 0 {
		s.args = bytes.Clone(s.args)
		i := 0
		_ = contract.EachBlob(s.args, func(addr, _ uint64) (uint64, error) {
			data := s.lent[i]
			if i++; len(data) == 0 {
				return addr, nil
			}
			return w.lendBlob(data)
		})
	}
	return w.invoke(&s)
}

// withoutLarge is a step to be kept, without blobs that take much memory.
func (s step) withoutLarge() step {
	size := 0
	for _, data := range s.lent {
		size += len(data)
	}
	if size > maxTracedBlobs {
		s.lent = nil
	}
	return s
}

// orBlobs says for a finding that a call has been lent blobs, too; empty for none.
func (s *step) orBlobs() string {
	if len(s.lent) == 0 {
		return ""
	}
	var sizes []string
	for _, data := range s.lent {
		sizes = append(sizes, fmt.Sprint(len(data)))
	}
	return fmt.Sprintf(", or the blob of %s bytes that it was lent", strings.Join(sizes, " or "))
}
