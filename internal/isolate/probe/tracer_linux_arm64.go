package probe

import "golang.org/x/sys/unix"

// neverSleepHere and waitNamesHere are of the system calls that other processors number
// otherwise.
var neverSleepHere []int

var waitNamesHere = map[int]string{unix.SYS_FSTATAT: "newfstatat"}
