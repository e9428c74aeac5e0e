package loader

import (
	"context"
	"sync"

	"github.com/nyash-plugins/nyash-go/registry"
)

// dependencies are what the libraries of nyash.toml use of each other.
type dependencies struct {
	after map[*library][]*library // which are loaded before, see [registry.Config.LoadOrder]
	users map[*library][]*library // which use a library
}

func (h *Host) dependencies() dependencies {
	known := make(map[*registry.Library]*library, len(h.libraries))
	for _, l := range h.libraries {
		if l.conf != nil {
			known[l.conf] = l
		}
	}
	d := dependencies{make(map[*library][]*library), make(map[*library][]*library)}
	for _, step := range h.config.LoadOrder() {
		l := known[step.Library]
		for _, other := range step.After {
			d.after[l] = append(d.after[l], known[other])
		}
		for _, used := range h.config.Dependencies(step.Library) {
			d.users[known[used]] = append(d.users[known[used]], l)
		}
	}
	return d
}

// loadAll loads libraries, each when those that it uses are loaded or cannot be, and
// otherwise at the same time. It calls done with the outcome of each, concurrently.
func (h *Host) loadAll(ctx context.Context, libraries []*library, done func(*library, error)) {
	if len(libraries) == 1 { // a goroutine would cost as much as the loading
		done(libraries[0], libraries[0].load(ctx))
		return
	}
	loaded := make(map[*library]chan struct{}, len(libraries))
	for _, l := range libraries {
		loaded[l] = make(chan struct{})
	}
	var wg sync.WaitGroup
	for _, l := range libraries {
		wg.Go(func() {
			defer close(loaded[l])
			for _, first := range h.order.after[l] {
				if ready := loaded[first]; ready != nil {
					<-ready // bounded by ctx as well, which its own load waits for
				}
			}
			done(l, l.load(ctx))
		})
	}
	wg.Wait()
}

// usersFirst orders libraries for their shutdown: as they are, but each behind those that
// use it.
func (d *dependencies) usersFirst(libraries []*library) []*library {
	seen := make(map[*library]bool, len(libraries))
	ordered := make([]*library, 0, len(libraries))
	var place func(l *library)
	place = func(l *library) {
		if seen[l] {
			return
		}
		seen[l] = true
		for _, user := range d.users[l] {
			place(user)
		}
		ordered = append(ordered, l)
	}
	for _, l := range libraries {
		place(l)
	}
	return ordered
}
