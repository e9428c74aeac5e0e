// Package meter rewrites a WebAssembly module so that its execution can always be interrupted.
//
// The rewritten module behaves as the original does, and calls an imported function, the tick, each time that it has
// done a bounded amount of work. The tick is an ordinary Go function: there the goroutine can be preempted, so that
// the garbage collector can stop the world, and there the host sees that the module is to be closed or that the
// context of the call is over. A host ends the call by a panic in the tick; wazero returns it as the call's error.
//
// # The invariant
//
// Between two ticks a module executes at most a fixed number of units of work (about Budget, see Interval), whatever
// its code, its arguments and its memory are. One instruction is one unit, a call is callWeight units. The units are
// paid in advance:
//
//   - The body of a function, with each of its loops taken out, and the body of each loop, with the loops inside it
//     taken out, is a region. Inside a region control only goes forward, so the most expensive path through it is
//     found in one pass. That path is what entering the region costs: it is charged at the function's entry, and at the
//     loop's head for each turn. A path longer than maxCharge is cut by further charges, so that a large switch in a
//     loop does not pay for the arms that it does not take.
//   - A function is not charged at all (it is free) if it has no loop, is in no cycle of calls, makes no indirect call
//     and no call of an import, and its most expensive path, with the free functions that it calls, is at most
//     freeWeight. Its callers pay its path as their own. Hence a tree of calls that fans out has at most
//     freeWeight units below any charge, and each cycle of calls consists of functions that charge.
//   - A function that calls only free functions (a leaf) is charged without looking whether the budget is used up: its
//     caller, or a loop in it, looks. A path of at most maxCharge units holds at most maxCharge/callWeight such
//     calls, which bounds what is used beyond the budget.
//   - A frame on the stack has paid for what its function does after the call that it waits for. Very many frames wait
//     only where calls go around a cycle, direct or through a table, or down a chain of more than maxHeight: these calls
//     are deep. After a deep call a function gives up its loops' credit and does at most maxTail units before it
//     charges again, so that a deep recursion cannot return for long without a tick.
//   - memory.fill and memory.copy are charged by length and done in pieces of chunk bytes; memory.init, table.init,
//     table.copy, table.fill and table.grow are charged by length and bounded by the size of the file and by
//     Options.MaxTable. memory.grow has a fixed charge: its time is that of the engine's allocation, and of a
//     copy of the memory where the engine does not reserve the memory's limit when it starts.
//
// What other modules do is theirs: a cycle of calls through an import, or through a table that is imported, is not
// found. A host that links modules with each other has to bound these itself.
//
// The budget is a global that the rewriter adds. No code of the module can reach it, nor the other things that the
// rewriter adds (functions, types, locals): an index that is out of range in the original is an error here, because it
// could be in range afterwards.
//
// # Loops
//
// A loop head counts down a local of the function, which the engine keeps in a register, and takes credit
// units at once from the budget. A call on the cold side of a loop head would make wazero's compiler keep each
// live value on the stack in each turn. So a loop
//
//	loop body end
//
// becomes two, of which only the outer one has a call,
//
//	loop  credit < 0 ? (call pay; credit = …)
//	  loop  credit -= weight; credit >= 0 ? nothing : br 1
//	    body
//	  end
//	end
//
// and the body of a small innermost loop is repeated, so that several turns share one charge. Loops with parameters,
// which could not be entered again so, and those of functions with very many loops have the call at their head. A loop
// to whose head nothing branches is not charged.
//
// # Guards
//
// A function of WASI that is given the length of a path, or how many buffers, subscriptions or files there are, works
// on all of that before it comes back, and may need many times as much memory. So a module calls, exports and puts into
// tables a function in front of it, which answers an error of WASI where that number is too large (see guards).
//
// # Bounds
//
// Rewrite also is the gate before the engine's decoder, which allocates what a module claims before it looks whether
// the module has it: each count is checked against the bytes that follow, and functions, locals, nesting, tables
// and the values that an instruction moves are bounded. Memory and time are proportional to the file.
//
// The engine's compiler is not: it cannot be interrupted, and several of its passes take time and memory with a product of
// what a function has. estimator follows the code once more, with the blocks that the charges add, and counts what they do:
//
//   - the values that live in each block, which are those of the operand stack and the locals between their first and
//     last use, with the loops around it;
//   - the dominators of each edge's block, up to the entry;
//   - the parameters of loop heads and merges: squared for each edge, and again for each loop around them;
//   - the values that an edge moves to them.
//
// A function whose sum is above maxWork is refused, about a second and 200 MB, and so is a module whose functions are
// together above maxTotalWork beyond what is in proportion to their size. Functions that compilers make stay below a
// quarter of the bound, those of SQLite included.
package meter
