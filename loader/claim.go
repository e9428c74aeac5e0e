package loader

import (
	"os"
	"slices"
)

// claim makes the library's file its own in this host, until disclaim. Of two entries that
// lead to one file, and that nyash.toml does not make one library, the second to be loaded
// is refused: they would know the same instances and each end them.
func (h *Host) claim(l *library) error {
	var err error
	if l.info, err = os.Stat(l.file); err != nil {
		return nil // it was opened, and is known no more
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, other := range h.claimed {
		if other != l && os.SameFile(other.info, l.info) {
			return l.conf.SameFile(other.conf)
		}
	}
	if !slices.Contains(h.claimed, l) {
		h.claimed = append(h.claimed, l)
	}
	return nil
}

// disclaim gives up the file of a library that was not loaded after all.
func (h *Host) disclaim(l *library) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.claimed = slices.DeleteFunc(h.claimed, func(other *library) bool { return other == l })
}
