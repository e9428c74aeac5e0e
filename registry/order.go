package registry

import (
	"cmp"
	"slices"
)

// LoadStep is a library in the order of loading.
type LoadStep struct {
	Library *Library
	// After are the libraries, all of earlier steps, that are loaded before this one, each
	// once. Steps whose After are loaded may be loaded at the same time.
	After []*Library
}

// Dependencies are the libraries of the boxes that l uses, each once, in the order of
// l.Uses: without l itself, and without boxes that come from elsewhere than this file.
func (c *Config) Dependencies(l *Library) []*Library {
	var all []*Library
	seen := map[*Library]bool{l: true}
	for _, u := range l.Uses {
		if b := c.boxes[u.Box]; b != nil && !seen[b.Library] {
			seen[b.Library] = true
			all = append(all, b.Library)
		}
	}
	return all
}

// LoadOrder lists all libraries, each after those that it uses. Those that use one another
// in a circle follow one after the other in the order of the file.
func (c *Config) LoadOrder() []LoadStep {
	o := &loadOrder{config: c, nodes: make(map[*Library]*orderNode, len(c.Libraries))}
	for i, l := range c.Libraries {
		o.nodes[l] = &orderNode{library: l, at: i}
	}
	for _, l := range c.Libraries {
		if n := o.nodes[l]; n.number == 0 {
			o.visit(n)
		}
	}
	return o.steps
}

// loadOrder finds the circles as Tarjan's algorithm does: each is complete after all that
// it reaches.
type loadOrder struct {
	config *Config
	nodes  map[*Library]*orderNode
	open   []*orderNode // visited, and not known yet in which circle
	count  int
	steps  []LoadStep
}

// orderNode is a library while the order is found.
type orderNode struct {
	library *Library
	at      int // in the file
	uses    []*orderNode
	number  int // of the visit, from 1; 0 for none
	lowest  int // number of an open library that this one reaches
	circle  int // from 1; 0 while it is open
}

func (o *loadOrder) visit(n *orderNode) {
	o.count++
	n.number, n.lowest = o.count, o.count
	o.open = append(o.open, n)
	for _, l := range o.config.Dependencies(n.library) {
		used := o.nodes[l]
		n.uses = append(n.uses, used)
		if used.number == 0 {
			o.visit(used)
		}
		if used.circle == 0 {
			n.lowest = min(n.lowest, used.lowest)
		}
	}
	if n.lowest < n.number {
		return // a library that was visited earlier is of the same circle
	}
	first := len(o.open) - 1
	for o.open[first] != n {
		first--
	}
	o.circle(slices.Clone(o.open[first:]), n.number)
	o.open = o.open[:first]
}

// circle adds the libraries of a circle, or one that is in none.
func (o *loadOrder) circle(nodes []*orderNode, number int) {
	slices.SortFunc(nodes, func(a, b *orderNode) int { return cmp.Compare(a.at, b.at) })
	for _, n := range nodes {
		n.circle = number
	}
	for i, n := range nodes {
		step := LoadStep{Library: n.library}
		if i > 0 {
			step.After = append(step.After, nodes[i-1].library)
		}
		for _, used := range n.uses {
			if used.circle != number {
				step.After = append(step.After, used.library)
			}
		}
		o.steps = append(o.steps, step)
	}
}
