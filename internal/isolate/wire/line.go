package wire

// Kinds of lines.
const (
	// LineWake is a call of wake; the bytes are the handle, a u64.
	LineWake uint32 = 1 << 31
	// LineUncertain is set where the library that speaks is not certain.
	LineUncertain uint32 = 1 << 30
	// The other bits are the level of a log line, from 0 to 255; see Level.
)

// MaxLine is the largest line, in bytes.
const MaxLine = 64 << 10
