package probe

// FPCR has control bits alone.
const controlBits = ^uint32(0)

// controlTexts tell what differs between two states of the floating-point unit.
func controlTexts(was, is control) (texts []string) {
	roundings := []string{"to nearest", "upward", "downward", "toward zero"}
	if a, b := was.first>>22&3, is.first>>22&3; a != b {
		texts = append(texts, "it rounds "+roundings[b]+", and rounded "+roundings[a])
	}
	for _, bit := range []struct {
		number int
		name   string
	}{
		{24, "denormal numbers count as zero"}, {25, "every NaN is the default one"},
		{8, "the exception invalid is trapped"}, {9, "the exception division by zero is trapped"}, {10, "the exception overflow is trapped"},
		{11, "the exception underflow is trapped"}, {12, "the exception inexact is trapped"}, {15, "the exception denormal is trapped"},
	} {
		if mask := uint32(1) << bit.number; (was.first^is.first)&mask != 0 {
			texts = append(texts, bit.name+switched(is.first&mask != 0))
		}
	}
	return texts
}
