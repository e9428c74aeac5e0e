package meter

// callGraph sorts the functions, callees before callers, and finds those whose frames can be many on the stack: the
// strongly connected components of the graph of calls, by Tarjan's algorithm without recursion. A call through a
// table goes to one more node, from which all functions go out that a table can hold.
func (m *module) callGraph() {
	if m.err != nil {
		return
	}
	type node struct {
		number, low int // order of the visit, from 1; the least number that can be reached
		open        bool
	}
	type visit struct {
		node uint32
		next int
	}
	table := uint32(len(m.bodies))
	nodes := make([]node, len(m.bodies)+1)
	m.components = make([]component, len(m.bodies)+1)
	m.order = make([]uint32, 0, len(m.bodies))
	edge := func(n uint32, i int) (uint32, bool) {
		if n == table {
			if i < len(m.referenced) {
				return m.referenced[i], true
			}
			return 0, false
		}
		f := &m.bodies[n]
		if i < len(f.callees) {
			return f.callees[i], true
		}
		return table, f.table && i == len(f.callees)
	}
	var visits []visit
	var component []uint32
	number := 0
	begin := func(n uint32) {
		number++
		nodes[n] = node{number: number, low: number, open: true}
		component = append(component, n)
		visits = append(visits, visit{node: n})
	}
	for root := range m.bodies {
		if nodes[root].number > 0 {
			continue
		}
		begin(uint32(root))
		for len(visits) > 0 {
			v := &visits[len(visits)-1]
			n := v.node
			to, ok := edge(n, v.next)
			v.next++
			switch {
			case ok && nodes[to].number == 0:
				begin(to)
			case ok && nodes[to].open:
				nodes[n].low = min(nodes[n].low, nodes[to].number)
				if to == n {
					m.components[n].cycle = true
				}
			case ok:
				m.components[n].height = max(m.components[n].height, m.components[to].height)
			default:
				visits = visits[:len(visits)-1]
				if len(visits) > 0 {
					p := visits[len(visits)-1].node
					nodes[p].low = min(nodes[p].low, nodes[n].low)
				}
				if n != table {
					m.order = append(m.order, n)
				}
				if nodes[n].low < nodes[n].number {
					continue
				}
				height, size := 0, 0
				for i := len(component) - 1; ; i-- {
					size++
					height = max(height, m.components[component[i]].height)
					if component[i] == n {
						break
					}
				}
				members := component[len(component)-size:]
				component = component[:len(component)-size]
				for _, c := range members {
					nodes[c].open = false
					m.components[c].root = n
					m.components[c].height = height + 1
					m.components[c].cycle = m.components[c].cycle || size > 1
				}
				if len(visits) > 0 {
					p := visits[len(visits)-1].node
					m.components[p].height = max(m.components[p].height, height+1)
				}
			}
		}
	}
}

// component is where a function is in the graph of calls.
type component struct {
	root   uint32 // the same for all functions of a component
	height int    // components on the longest chain of calls from here
	cycle  bool   // the function can be called again before it returns
}

// deep tells whether a call from a function can be one of very many that have not returned: it goes around a cycle, or
// down a long chain. table is the callee of an indirect call.
func (m *module) deep(caller, callee uint32) bool {
	from, to := &m.components[caller], &m.components[callee]
	return from.cycle && from.root == to.root || to.height > maxHeight
}
