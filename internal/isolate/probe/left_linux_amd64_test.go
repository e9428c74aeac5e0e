package probe

const roundingBit = 1 << 14 // of MXCSR
