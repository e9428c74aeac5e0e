package interleave

import (
	"context"
	"os"
	"path/filepath"
	"strconv"
	"sync"
)

// leastPart is how many runs a part has at least.
const leastPart = 8

// DoParts is Do with the runs in up to so many parts at once, each with a driver of its own: in a run
// one thread stands still, mostly, while another goes on. What belongs to one life of the library
// stays together. An error is that of the first part that has one.
func (p *Program) DoParts(ctx context.Context, driver string, most int) ([]Result, error) {
	parts := p.parts(most)
	if len(parts) < 2 {
		return p.Do(ctx, driver, nil)
	}
	results, errs := make([][]Result, len(parts)), make([]error, len(parts))
	var running sync.WaitGroup
	for i := range parts {
		parts[i].Dir = filepath.Join(p.Dir, "part"+strconv.Itoa(i))
		if err := os.Mkdir(parts[i].Dir, 0o700); err != nil {
			return nil, err
		}
	}
	for i := range parts {
		running.Go(func() { results[i], errs[i] = parts[i].Do(ctx, driver, nil) })
	}
	running.Wait()
	var all []Result
	for i := range parts {
		if errs[i] != nil {
			return nil, errs[i]
		}
		all = append(all, results[i]...)
	}
	return all, nil
}

// parts are the program's runs in up to so many programs, about as many in each.
func (p *Program) parts(most int) (all []Program) {
	each := max(leastPart, (len(p.Runs)+most-1)/most)
	for from := 0; from < len(p.Runs); {
		to := min(from+each, len(p.Runs))
		for to < len(p.Runs) && !p.Runs[to].Fresh {
			to++
		}
		part := *p
		part.Runs = p.Runs[from:to]
		all = append(all, part)
		from = to
	}
	return all
}
