package hostvtable

import "golang.org/x/sys/unix"

func thread() uint64 { return uint64(unix.Gettid()) }
