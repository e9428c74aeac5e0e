package probe

const roundingBit = 1 << 22 // of FPCR
