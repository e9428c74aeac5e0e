package loader

import "github.com/nyash-plugins/nyash-go/internal/files"

// claim makes the library's file its own in this host, until disclaim. Of two entries that
// lead to one file, and that nyash.toml does not make one library, the second to be loaded
// is refused: they would know the same instances and each end them.
func (h *Host) claim(l *library) error {
	if l.identity == (files.Identity{}) {
		var err error
		if l.identity, err = files.Identify(l.file); err != nil {
			return nil // it was opened, and is known no more
		}
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if other := h.claimed[l.identity]; other != nil && other != l {
		return l.conf.SameFile(other.conf)
	}
	if h.claimed == nil {
		h.claimed = make(map[files.Identity]*library, len(h.libraries))
	}
	h.claimed[l.identity] = l
	return nil
}

// disclaim gives up the file of a library that was not loaded after all.
func (h *Host) disclaim(l *library) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.claimed[l.identity] == l {
		delete(h.claimed, l.identity)
	}
}
