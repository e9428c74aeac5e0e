package sig

import (
	"hash/fnv"
	"strings"
)

// Hash is the FNV-1a-32 hash of a method's declaration by which a library and its
// description are compared (docs/abi.md, "Signatures").
func Hash(name string, s Signature) uint32 {
	h := fnv.New32a()
	_, _ = h.Write([]byte(HashText(name, s)))
	return h.Sum32()
}

// HashText is what is hashed: `name(to,to)returns`, with "any" for an argument whose
// type on the wire is not declared, "..." for arguments that are not declared at all, and
// nothing for a result that is not.
func HashText(name string, s Signature) string {
	if !s.ArgsDeclared {
		return name + "(...)" + s.Returns.String()
	}
	words := make([]string, len(s.Args))
	for i, a := range s.Args {
		words[i] = "any"
		if a.To != 0 {
			words[i] = a.To.String()
		}
	}
	return name + "(" + strings.Join(words, ",") + ")" + s.Returns.String()
}
