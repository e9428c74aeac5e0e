package probe

// The bits of MXCSR that are its state and not its control: exceptions that have been.
const controlBits = ^uint32(0x3f)

// controlTexts tell what differs between two states of the floating-point unit.
func controlTexts(was, is control) (texts []string) {
	roundings := []string{"to nearest", "downward", "upward", "toward zero"}
	if a, b := was.first>>13&3, is.first>>13&3; a != b {
		texts = append(texts, "it rounds "+roundings[b]+" (SSE), and rounded "+roundings[a])
	}
	if a, b := was.second>>10&3, is.second>>10&3; a != b {
		texts = append(texts, "it rounds "+roundings[b]+" (x87), and rounded "+roundings[a])
	}
	exceptions := []string{"invalid", "denormal", "division by zero", "overflow", "underflow", "inexact"}
	for i, name := range exceptions {
		sse, x87 := uint32(1)<<(7+i), uint16(1)<<i
		switch {
		case was.first&^is.first&sse != 0 || was.second&^is.second&x87 != 0:
			texts = append(texts, "the exception "+name+" ends the process")
		case is.first&^was.first&sse != 0 || is.second&^was.second&x87 != 0:
			texts = append(texts, "the exception "+name+" is masked")
		}
	}
	for _, bit := range []struct {
		mask uint32
		name string
	}{{1 << 15, "results that are denormal become zero"}, {1 << 6, "operands that are denormal count as zero"}} {
		if (was.first^is.first)&bit.mask != 0 {
			texts = append(texts, bit.name+switched(is.first&bit.mask != 0))
		}
	}
	if a, b := was.second>>8&3, is.second>>8&3; a != b {
		texts = append(texts, "the x87 computes with "+[]string{"24", "?", "53", "64"}[b]+" bits, and did with "+[]string{"24", "?", "53", "64"}[a])
	}
	return texts
}
