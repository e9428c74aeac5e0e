// Package fence moves the cost of a memory barrier from a path that is always taken to one
// that hardly ever is (an asymmetric fence). A value is released with a plain store instead of
// a locked one, and who is about to sleep until it is released has all processors make a
// barrier.
//
//	releaser                     sleeper
//	fence.Release(&owner)        waiters.Add(1)
//	if waiters.Load() != 0 {     fence.Heavy()
//		wake                     if owner.Load() == 0 { … }
//	}                            sleep
//
// Without a barrier between its two lines the releaser could read waiters before its store is
// seen, and the sleeper, who looks meanwhile, would sleep for ever. Heavy makes that barrier in
// the releaser's place: it returns when all threads of the process have made one since it was
// called. So the sleeper sees the store, or the releaser the waiter.
package fence
