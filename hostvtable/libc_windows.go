package hostvtable

import "golang.org/x/sys/windows"

func findLibc(name string) (uintptr, error) {
	proc := windows.NewLazySystemDLL("ucrtbase.dll").NewProc(name)
	if err := proc.Find(); err != nil {
		return 0, err
	}
	return proc.Addr(), nil
}
