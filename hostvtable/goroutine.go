package hostvtable

// goroutine is the address of the runtime's structure for the calling goroutine: no other
// that lives has it.
func goroutine() uintptr
