package script

import "go.starlark.net/syntax"

// maxDepth is how deep the expressions and statements of a script nest at most. The parser bounds
// parentheses and blocks, but not chains such as 1+1+1 or f()()(): each of them nests, too, and the
// interpreter's passes over a tree recurse, until Go ends the process for want of stack.
const maxDepth = 100_000

// parse parses a script. Its errors have places.
func parse(file string, source []byte) (*syntax.File, error) {
	f, err := dialect.Parse(file, source, 0)
	if err != nil {
		return nil, err
	}
	return f, checkDepth(f)
}

func checkDepth(f *syntax.File) (err error) {
	depth := 0
	syntax.Walk(f, func(n syntax.Node) bool {
		if n == nil {
			depth--
			return true
		}
		if depth >= maxDepth && err == nil {
			err = syntax.Error{Pos: start(n), Msg: "excessive nesting: a chain of operators, calls or elif is too long; divide it"}
		}
		if err != nil {
			return false
		}
		depth++
		return true
	})
	return err
}

// start is where a node begins. Its own Span recurses.
func start(n syntax.Node) syntax.Position {
	for {
		switch x := n.(type) {
		case *syntax.BinaryExpr:
			n = x.X
		case *syntax.CallExpr:
			n = x.Fn
		case *syntax.DotExpr:
			n = x.X
		case *syntax.IndexExpr:
			n = x.X
		case *syntax.SliceExpr:
			n = x.X
		default:
			begin, _ := n.Span()
			return begin
		}
	}
}
