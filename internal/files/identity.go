package files

// Identity tells a file from all others that there are at the same time, whatever path leads
// to it. Identities are compared with ==; the zero value is no file's.
type Identity struct{ Volume, File uint64 }
