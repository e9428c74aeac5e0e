//! Write a Nyash plugin in Zig: an ordinary struct with ordinary functions, and
//! a list of those that hosts may call. Zig 0.15 or later, with -lc. For
//! wasm32-wasi it makes a WebAssembly module, as a reactor.
//!
//!     const nyash = @import("nyash");
//!
//!     const Counter = struct {
//!         count: i64 = 0,
//!
//!         pub fn birth() Counter {
//!             return .{};
//!         }
//!         pub fn add(self: *Counter, call: *nyash.Call, by: i64) !i64 {
//!             if (by < 0) return call.fail(.invalid_args, "{d} is less than 0", .{by});
//!             self.count +|= by;
//!             return self.count;
//!         }
//!     };
//!
//!     comptime {
//!         nyash.plugin(.{.{
//!             .state = Counter,
//!             .name = "Counter",
//!             .type_id = 7,
//!             .birth = .{ .call = Counter.birth },
//!             .methods = .{
//!                 .{ .id = 1, .name = "add", .call = Counter.add, .args = .{"by"} },
//!             },
//!         }});
//!     }
//!
//! A box may have .doc, .singleton and .concurrent; a method .doc, .args (a name
//! for each argument) and .max, the largest string or bytes that it returns
//! (65,535 unless it says less). If the struct has `pub fn fini(self: *Counter)
//! void`, that is called once for each instance, when no call uses it any more.
//!
//! The types of arguments and results, with those of the wire: bool · i32 · i64
//! · f32 · f64 · []const u8 (string) · Bytes (bytes) · Blob (blob). An optional
//! of one of them is an argument that may be left out; it stands behind all
//! others. Numbers of the other size are taken where they fit, a String as Bytes.
//! A parameter of type *Call is not an argument. Results may be errors;
//! OutOfMemory has its own code, others have their name as message, or what
//! Call.fail was given. Handles, asynchronous methods and events are not here.
//!
//! Arguments, the instance and the room for the largest result are checked
//! before a function runs. What an argument points at is gone when the function
//! returns. Calls on one instance run one after another, unless its box is
//! .concurrent.
//!
//! A panic, as of a failed safety check, ends the process of the host.
const std = @import("std");
const builtin = @import("builtin");

const gpa = std.heap.c_allocator;

/// The codes of errors.
pub const Code = struct {
    number: i32,

    pub const invalid_args: Code = .{ .number = -4 };
    pub const failed: Code = .{ .number = -5 };
    pub const out_of_memory: Code = .{ .number = -6 };
    pub const invalid_utf8: Code = .{ .number = -7 };
    pub const invalid_handle: Code = .{ .number = -8 };

    const short_buffer: Code = .{ .number = -1 };
    const invalid_type: Code = .{ .number = -2 };
    const invalid_method: Code = .{ .number = -3 };
};

/// Bytes that need not be UTF-8.
pub const Bytes = struct { data: []const u8 };

/// Bytes of any length, which travel by reference.
pub const Blob = struct { data: []const u8 };

pub const Level = struct {
    number: i32,

    pub const debug: Level = .{ .number = 0 };
    pub const info: Level = .{ .number = 1 };
    pub const warn: Level = .{ .number = 2 };
    pub const err: Level = .{ .number = 3 };
};

/// Writes a line to the host's log, at most 1,000 bytes of it. From any thread.
pub fn log(level: Level, comptime format: []const u8, args: anytype) void {
    var buffer: [1001]u8 = undefined;
    const text = printed(buffer[0..1000], format, args);
    buffer[text.len] = 0;
    if (host) |h| h.log(level.number, buffer[0..text.len :0]);
}

/// Hands a number to the host program. From any thread.
pub fn wake(number: u64) void {
    if (host) |h| h.wake(number);
}

/// A call under way.
pub const Call = struct {
    buffer: []u8, // the host's, for the result
    max: usize = 0,
    code: Code = .failed,
    text: [512]u8 = undefined,
    text_len: usize = 0,
    need: usize = 0,

    /// Ends the call with an error: `return call.fail(.failed, "no such file: {s}", .{path});`
    pub fn fail(call: *Call, code: Code, comptime format: []const u8, args: anytype) error{Failed} {
        call.code = code;
        call.text_len = printed(&call.text, format, args).len;
        return error.Failed;
    }

    /// Memory for the result, of as many bytes as the method's .max.
    pub fn room(call: *Call) []u8 {
        return call.buffer[front..][0..call.max];
    }

    /// Makes the result with std.fmt: `return call.print("{d}", .{n});`
    pub fn print(call: *Call, comptime format: []const u8, args: anytype) error{Failed}![]const u8 {
        return std.fmt.bufPrint(call.room(), format, args) catch
            call.fail(.failed, "the result has more than {d} bytes", .{call.max});
    }

    fn short(call: *Call, need: usize) error{Failed} {
        call.code = .short_buffer;
        call.need = need;
        return error.Failed;
    }
};

/// Formats as much as the buffer holds, as UTF-8.
fn printed(buffer: []u8, comptime format: []const u8, args: anytype) []u8 {
    @memset(buffer, ' ');
    var text = std.fmt.bufPrint(buffer, format, args) catch buffer;
    for (0..3) |_| { // the cut may go through a character
        if (std.unicode.utf8ValidateSlice(text) or text.len == 0) return text;
        text.len -= 1;
    }
    for (text) |*byte| {
        if (byte.* >= 0x80) byte.* = '?';
    }
    return text;
}

// ---- The ABI ----------------------------------------------------------------

const birth_id = 0;
const fini_id = std.math.maxInt(u32);
const header = 4;
const front = header + 4; // of the only value of a message
const max_payload = std.math.maxInt(u16);
const max_args = 16;

const Host = extern struct {
    alloc: *const fn (usize) callconv(.c) ?[*]u8,
    free: *const fn (?[*]u8) callconv(.c) void,
    wake: *const fn (u64) callconv(.c) void,
    log: *const fn (i32, [*:0]const u8) callconv(.c) void,
};

const MethodInfo = extern struct { method_id: u32, name: [*:0]const u8, signature: u32 };

const PluginInfo = extern struct { type_id: u32, type_name: [*:0]const u8, method_count: usize, methods: [*]const MethodInfo };

const BatchCall = extern struct {
    type_id: u32,
    method_id: u32,
    instance_id: u32,
    code: i32,
    args: ?[*]const u8,
    args_len: usize,
    result: ?[*]u8,
    result_len: usize,
};

var host: ?*const Host = null;

const Tag = enum { bool, i32, i64, f32, f64, string, bytes, handle, void, blob };

/// The tags in the order of their numbers, which begin at 1.
const tags = [_]Tag{ .bool, .i32, .i64, .f32, .f64, .string, .bytes, .handle, .void, .blob };

fn tagNumber(tag: Tag) u8 {
    for (tags, 1..) |one, number| {
        if (one == tag) return @intCast(number);
    }
    unreachable;
}

/// The size of a payload; null where it varies.
fn fixedSize(tag: Tag) ?usize {
    return switch (tag) {
        .bool => 1,
        .i32, .f32 => 4,
        .i64, .f64, .handle => 8,
        .void => 0,
        .blob => 16,
        .string, .bytes => null,
    };
}

fn tagOf(comptime T: type) Tag {
    return switch (T) {
        bool => .bool,
        i32 => .i32,
        i64 => .i64,
        f32 => .f32,
        f64 => .f64,
        []const u8, []u8 => .string,
        Bytes => .bytes,
        Blob => .blob,
        void => .void,
        else => @compileError("the wire has no type for " ++ @typeName(T)),
    };
}

// ---- Messages ---------------------------------------------------------------

const Value = struct { tag: Tag, data: []const u8 };

const Arguments = struct {
    count: usize = 0,
    values: [max_args]Value = undefined, // the first of them
};

fn u16At(data: []const u8, at: usize) usize {
    return std.mem.readInt(u16, data[at..][0..2], .little);
}

fn decode(call: *Call, data: []const u8) error{Failed}!Arguments {
    var args: Arguments = .{};
    if (data.len < header)
        return call.fail(.invalid_args, "malformed arguments: the header needs {d} bytes, the message has {d}", .{ header, data.len });
    if (u16At(data, 0) != 1)
        return call.fail(.invalid_args, "malformed arguments: TLV version {d}, not 1, at byte 0", .{u16At(data, 0)});
    const count = u16At(data, 2);
    var at: usize = header;
    while (args.count < count) : (args.count += 1) {
        if (data.len - at < 4)
            return call.fail(.invalid_args, "malformed arguments: entry missing or cut short at byte {d}", .{at});
        if (data[at] >= 20 and data[at] <= 22)
            return call.fail(.invalid_args, "malformed arguments: reserved tag {d} ({s}) at byte {d}", .{ data[at], ([_][]const u8{ "result", "option", "array" })[data[at] - 20], at });
        if (data[at] < 1 or data[at] > tags.len)
            return call.fail(.invalid_args, "malformed arguments: unknown tag {d} at byte {d}", .{ data[at], at });
        if (data[at + 1] != 0)
            return call.fail(.invalid_args, "malformed arguments: reserved byte is {d} at byte {d}", .{ data[at + 1], at + 1 });
        const tag = tags[data[at] - 1];
        const size = u16At(data, at + 2);
        if (fixedSize(tag)) |fixed| if (size != fixed)
            return call.fail(.invalid_args, "malformed arguments: {s} of {d} bytes, not {d}, at byte {d}", .{ @tagName(tag), size, fixed, at + 2 });
        at += 4;
        if (size > data.len - at)
            return call.fail(.invalid_args, "malformed arguments: {s} of {d} bytes, and {d} are left, at byte {d}", .{ @tagName(tag), size, data.len - at, at - 2 });
        const payload = data[at..][0..size];
        if (tag == .string and !std.unicode.utf8ValidateSlice(payload))
            return call.fail(.invalid_utf8, "malformed arguments: the string at byte {d} is not UTF-8", .{at});
        if (args.count < max_args) args.values[args.count] = .{ .tag = tag, .data = payload };
        at += size;
    }
    if (at != data.len)
        return call.fail(.invalid_args, "malformed arguments: trailing bytes from byte {d} on", .{at});
    return args;
}

/// The type that an argument of another type takes as well: a host that knows no
/// types, as of arguments that may be left out, sends each number as I64 or F64.
fn alsoTaken(tag: Tag) ?Tag {
    return switch (tag) {
        .i32 => .i64,
        .i64 => .i32,
        .f32 => .f64,
        .f64 => .f32,
        .bytes => .string,
        else => null,
    };
}

fn int(comptime T: type, data: []const u8) T {
    return std.mem.readInt(T, data[0..@sizeOf(T)], .little);
}

/// The argument i as a P.
fn take(comptime P: type, call: *Call, args: *const Arguments, comptime i: usize, comptime name: []const u8) error{Failed}!P {
    const also = comptime alsoTaken(tagOf(Bare(P)));
    const wanted = comptime @tagName(tagOf(Bare(P))) ++ (if (also) |a| " or " ++ @tagName(a) else "");
    if (i >= args.count or (P != Bare(P) and args.values[i].tag == .void)) {
        if (P != Bare(P)) return null;
        return call.fail(.invalid_args, "argument {d} ({s}) is missing: wanted {s}", .{ i + 1, name, wanted });
    }
    const v = args.values[i];
    if (v.tag != tagOf(Bare(P)) and v.tag != also)
        return call.fail(.invalid_args, "argument {d} ({s}): wanted {s}, got {s}", .{ i + 1, name, wanted, @tagName(v.tag) });
    return switch (Bare(P)) {
        bool => v.data[0] != 0,
        i32 => if (v.tag == .i32) int(i32, v.data) else std.math.cast(i32, int(i64, v.data)) orelse
            return call.fail(.invalid_args, "argument {d} ({s}): {d} does not fit 32 bits", .{ i + 1, name, int(i64, v.data) }),
        i64 => if (v.tag == .i32) int(i32, v.data) else int(i64, v.data),
        f32 => if (v.tag == .f32) @bitCast(int(u32, v.data)) else @floatCast(@as(f64, @bitCast(int(u64, v.data)))),
        f64 => if (v.tag == .f32) @as(f32, @bitCast(int(u32, v.data))) else @bitCast(int(u64, v.data)),
        []const u8 => v.data,
        Bytes => Bytes{ .data = v.data },
        Blob => blob: {
            const address = int(u64, v.data);
            const size = int(u64, v.data[8..]);
            if (size == 0) break :blob Blob{ .data = "" };
            if (address == 0 or address > std.math.maxInt(usize) or size > std.math.maxInt(isize))
                return call.fail(.invalid_args, "argument {d} ({s}): a blob of {d} bytes at address {d}", .{ i + 1, name, size, address });
            const data: [*]const u8 = @ptrFromInt(@as(usize, @intCast(address)));
            break :blob Blob{ .data = data[0..@intCast(size)] };
        },
        else => comptime unreachable,
    };
}

fn Bare(comptime P: type) type {
    return if (@typeInfo(P) == .optional) @typeInfo(P).optional.child else P;
}

/// What a function returns, without the error.
fn Result(comptime f: anytype) type {
    const R = @typeInfo(@TypeOf(f)).@"fn".return_type.?;
    return if (@typeInfo(R) == .error_union) @typeInfo(R).error_union.payload else R;
}

/// Writes a message of one value and returns its size.
fn entry(to: []u8, tag: Tag, size: usize) usize {
    std.mem.writeInt(u32, to[0..4], 0x0001_0001, .little);
    to[4] = tagNumber(tag);
    to[5] = 0;
    std.mem.writeInt(u16, to[6..8], @intCast(size), .little);
    return front + size;
}

/// Answers a result whose room has been checked.
fn give(call: *Call, value: anytype) error{Failed}!usize {
    const T = @TypeOf(value);
    const to = call.buffer;
    switch (T) {
        void => return 0,
        bool => to[front] = @intFromBool(value),
        i32 => std.mem.writeInt(i32, to[front..][0..4], value, .little),
        i64 => std.mem.writeInt(i64, to[front..][0..8], value, .little),
        f32 => std.mem.writeInt(u32, to[front..][0..4], @bitCast(value), .little),
        f64 => std.mem.writeInt(u64, to[front..][0..8], @bitCast(value), .little),
        Blob => {
            var address: usize = 0;
            if (value.data.len > 0) {
                const copy = host.?.alloc(value.data.len) orelse
                    return call.fail(.out_of_memory, "no memory for {d} bytes", .{value.data.len});
                @memcpy(copy, value.data);
                address = @intFromPtr(copy);
            }
            std.mem.writeInt(u64, to[front..][0..8], address, .little);
            std.mem.writeInt(u64, to[front..][8..16], value.data.len, .little);
        },
        else => {
            const data: []const u8 = if (T == Bytes) value.data else value;
            if (data.len > call.max)
                return call.fail(.failed, "the result has {d} bytes, at most {d} can be returned", .{ data.len, call.max });
            if (T != Bytes and !std.unicode.utf8ValidateSlice(data))
                return call.fail(.invalid_utf8, "the result is not UTF-8", .{});
            @memmove(to[front..][0..data.len], data);
            return entry(to, tagOf(T), data.len);
        },
    }
    return entry(to, tagOf(T), fixedSize(tagOf(T)).?);
}

// ---- Instances ----------------------------------------------------------------

const Lock = if (builtin.single_threaded) struct {
    fn lock(_: *Lock) void {}
    fn unlock(_: *Lock) void {}
} else if (builtin.os.tag == .windows) struct {
    word: ?*anyopaque = null,
    extern "kernel32" fn AcquireSRWLockExclusive(*?*anyopaque) callconv(.winapi) void;
    extern "kernel32" fn ReleaseSRWLockExclusive(*?*anyopaque) callconv(.winapi) void;
    fn lock(l: *Lock) void {
        AcquireSRWLockExclusive(&l.word);
    }
    fn unlock(l: *Lock) void {
        ReleaseSRWLockExclusive(&l.word);
    }
} else struct {
    mutex: std.c.pthread_mutex_t = .{},
    fn lock(l: *Lock) void {
        _ = std.c.pthread_mutex_lock(&l.mutex);
    }
    fn unlock(l: *Lock) void {
        _ = std.c.pthread_mutex_unlock(&l.mutex);
    }
};

const Instance = struct {
    type_id: u32,
    uses: std.atomic.Value(usize) = .init(1), // by calls, and one for the id
    lock: Lock = .{},
    end: *const fn (*Instance) void,

    fn release(i: *Instance) void {
        if (i.uses.fetchSub(1, .acq_rel) == 1) i.end(i);
    }
};

var table_lock: Lock = .{};
var table: std.AutoHashMapUnmanaged(u32, *Instance) = .empty;
var last_id: u32 = 0;

fn publish(i: *Instance) error{OutOfMemory}!u32 {
    table_lock.lock();
    defer table_lock.unlock();
    last_id +%= 1;
    while (last_id == 0 or table.contains(last_id)) last_id +%= 1;
    try table.put(gpa, last_id, i);
    return last_id;
}

/// Finds an instance that the caller must release.
fn find(type_id: u32, id: u32) ?*Instance {
    table_lock.lock();
    defer table_lock.unlock();
    const i = table.get(id) orelse return null;
    if (i.type_id != type_id) return null;
    _ = i.uses.fetchAdd(1, .monotonic);
    return i;
}

fn remove(type_id: u32, id: u32) ?*Instance {
    table_lock.lock();
    defer table_lock.unlock();
    const i = table.get(id) orelse return null;
    if (i.type_id != type_id) return null;
    _ = table.remove(id);
    return i;
}

// ---- Boxes and methods --------------------------------------------------------

fn option(comptime of: anytype, comptime name: []const u8, comptime default: anytype) @TypeOf(if (@hasField(@TypeOf(of), name)) @field(of, name) else default) {
    return if (@hasField(@TypeOf(of), name)) @field(of, name) else default;
}

/// What is made of the description of one box.
fn Boxed(comptime box: anytype) type {
    return struct {
        const T = box.state;

        const Slot = struct {
            head: Instance,
            state: T,

            fn end(head: *Instance) void {
                const slot: *Slot = @alignCast(@fieldParentPtr("head", head));
                if (@hasDecl(T, "fini")) slot.state.fini();
                gpa.destroy(slot);
            }
        };

        fn bear(call: *Call, args: *const Arguments) error{Failed}!usize {
            if (Result(box.birth.call) != T) @compileError(box.name ++ ": birth must return a " ++ @typeName(T));
            const in = try arguments(box.birth, call, args, null);
            if (call.buffer.len < 4) return call.short(4);
            const slot = gpa.create(Slot) catch return memory(call);
            errdefer gpa.destroy(slot);
            slot.* = .{ .head = .{ .type_id = box.type_id, .end = Slot.end }, .state = try unwrap(call, @call(.auto, box.birth.call, in)) };
            const id = publish(&slot.head) catch {
                if (@hasDecl(T, "fini")) slot.state.fini();
                return memory(call);
            };
            std.mem.writeInt(u32, call.buffer[0..4], id, .little);
            return 4;
        }

        fn run(comptime m: anytype, call: *Call, args: *const Arguments, i: *Instance) error{Failed}!usize {
            const slot: *Slot = @alignCast(@fieldParentPtr("head", i));
            const in = try arguments(m, call, args, &slot.state);
            const R = Result(m.call);
            call.max = if (fixedSize(comptime tagOf(R)) == null) option(m, "max", max_payload) else 0;
            const need = if (R == void) 0 else front + (fixedSize(comptime tagOf(R)) orelse call.max);
            if (call.buffer.len < need) return call.short(need);
            if (!option(box, "concurrent", false)) slot.head.lock.lock();
            defer if (!option(box, "concurrent", false)) slot.head.lock.unlock();
            return give(call, try unwrap(call, @call(.auto, m.call, in)));
        }

        fn dispatch(call: *Call, method_id: u32, id: u32, message: []const u8) error{Failed}!usize {
            const none = "there is no " ++ box.name ++ " with instance id {d}";
            if (method_id == fini_id) { // some hosts finalise without a message
                if (message.len > 0) _ = try decode(call, message);
                const i = remove(box.type_id, id) orelse return call.fail(.invalid_handle, none, .{id});
                i.release();
                return 0;
            }
            if (method_id == birth_id) return bear(call, &try decode(call, message));
            inline for (box.methods) |m| {
                if (method_id == m.id) {
                    const args = try decode(call, message);
                    const i = find(box.type_id, id) orelse return call.fail(.invalid_handle, none, .{id});
                    defer i.release();
                    return run(m, call, &args, i);
                }
            }
            return call.fail(.invalid_method, box.name ++ " has no method with id {d}", .{method_id});
        }
    };
}

fn memory(call: *Call) error{Failed} {
    return call.fail(.out_of_memory, "out of memory", .{});
}

/// The value of what a function returned, or the call's error.
fn unwrap(call: *Call, returned: anytype) error{Failed}!(if (@typeInfo(@TypeOf(returned)) == .error_union) @typeInfo(@TypeOf(returned)).error_union.payload else @TypeOf(returned)) {
    if (@typeInfo(@TypeOf(returned)) != .error_union) return returned;
    return returned catch |err| {
        if (err == error.OutOfMemory) return memory(call);
        if (call.text_len == 0) return call.fail(.failed, "{s}", .{@errorName(err)});
        return error.Failed;
    };
}

/// The parameters of a function: the instance, the call, and arguments.
fn arguments(comptime m: anytype, call: *Call, args: *const Arguments, state: anytype) error{Failed}!std.meta.ArgsTuple(@TypeOf(m.call)) {
    const names = option(m, "args", .{});
    const what = option(m, "name", "birth");
    if (args.count > names.len)
        return call.fail(.invalid_args, "{s} takes at most {d} arguments, got {d}", .{ what, names.len, args.count });
    var in: std.meta.ArgsTuple(@TypeOf(m.call)) = undefined;
    comptime var n = 0;
    inline for (0..in.len) |i| {
        const P = @TypeOf(in[i]);
        if (P == *Call) {
            in[i] = call;
        } else if (P == @TypeOf(state)) {
            in[i] = state;
        } else {
            if (n >= names.len) @compileError(what ++ ": .args needs a name for each argument");
            in[i] = try take(P, call, args, n, names[n]);
            n += 1;
        }
    }
    if (n != names.len or n > max_args) @compileError(what ++ ": .args needs a name for each argument, and at most 16");
    return in;
}

// ---- The self-description -------------------------------------------------------

/// The types of a method's arguments; null if one may be left out, which
/// nyash.toml cannot say.
fn wireTypes(comptime state: type, comptime m: anytype) ?[]const Tag {
    const in: std.meta.ArgsTuple(@TypeOf(m.call)) = undefined;
    var types: []const Tag = &.{};
    for (0..in.len) |i| {
        const P = @TypeOf(in[i]);
        if (P == *Call or P == *state) continue;
        if (P != Bare(P)) return null;
        types = types ++ [_]Tag{tagOf(P)};
    }
    return types;
}

fn returns(comptime m: anytype) []const u8 {
    return if (@hasField(@TypeOf(m), "id")) @tagName(tagOf(Result(m.call))) else "";
}

/// FNV-1a of name(to,to)returns.
fn signature(comptime state: type, comptime m: anytype) u32 {
    var args: []const u8 = "";
    if (wireTypes(state, m)) |types| {
        for (types, 0..) |tag, i| args = args ++ (if (i > 0) "," else "") ++ @tagName(tag);
    } else args = "...";
    return std.hash.Fnv1a_32.hash(option(m, "name", "birth") ++ "(" ++ args ++ ")" ++ returns(m));
}

/// A string of TOML.
fn quote(comptime text: []const u8) []const u8 {
    var out: []const u8 = "\"";
    for (text) |c| {
        out = out ++ switch (c) {
            '"', '\\' => &[_]u8{ '\\', c },
            0...0x1F, 0x7F => std.fmt.comptimePrint("\\u{X:0>4}", .{c}),
            else => &[_]u8{c},
        };
    }
    return out ++ "\"";
}

fn docOf(comptime of: anytype, comptime before: []const u8, comptime after: []const u8) []const u8 {
    return if (@hasField(@TypeOf(of), "doc")) before ++ "doc = " ++ quote(of.doc) ++ after else "";
}

fn describeMethod(comptime state: type, comptime m: anytype) []const u8 {
    var out: []const u8 = quote(option(m, "name", "birth")) ++ std.fmt.comptimePrint(" = {{ method_id = {d}", .{option(m, "id", birth_id)});
    if (wireTypes(state, m)) |types| {
        out = out ++ ", args = [";
        for (types, 0..) |tag, i| {
            const from = switch (tag) {
                .bool => "bool",
                .i32, .i64 => "integer",
                .f32, .f64 => "float",
                .string => "string",
                else => "bytes",
            };
            const name = quote(option(m, "args", .{})[i]);
            out = out ++ (if (i > 0) ", " else "") ++ "{ name = " ++ name ++ ", from = \"" ++ from ++ "\", to = \"" ++ @tagName(tag) ++ "\" }";
        }
        out = out ++ "]";
    }
    if (returns(m).len > 0) out = out ++ ", returns = \"" ++ returns(m) ++ "\"";
    return out ++ docOf(m, ", ", "") ++ " }\n";
}

fn describe(comptime boxes: anytype) [:0]const u8 {
    @setEvalBranchQuota(1_000_000);
    var out: []const u8 = "";
    for (boxes) |box| {
        out = out ++ "[plugins." ++ quote(box.name) ++ std.fmt.comptimePrint("]\ntype_id = {d}\n", .{box.type_id});
        out = out ++ docOf(box, "", "\n") ++ (if (option(box, "singleton", false)) "singleton = true\n" else "");
        out = out ++ "\n[plugins." ++ quote(box.name) ++ ".methods]\n" ++ describeMethod(box.state, box.birth);
        for (box.methods) |m| out = out ++ describeMethod(box.state, m);
        out = out ++ "\n";
    }
    if (out.len >= 1 << 20) @compileError("the description has more than 1 MiB: shorten the docs");
    return out ++ "";
}

fn methodInfo(comptime box: anytype) []const MethodInfo {
    @setEvalBranchQuota(100_000);
    var all: []const MethodInfo = &.{
        .{ .method_id = birth_id, .name = "birth", .signature = signature(box.state, box.birth) },
        .{ .method_id = fini_id, .name = "fini", .signature = 0 },
    };
    for (box.methods) |m| {
        if (m.id == birth_id or m.id == fini_id) @compileError(m.name ++ ": birth and fini have its id");
        for (all) |other| {
            if (other.method_id == m.id) @compileError(m.name ++ ": another method has its id");
            if (std.mem.eql(u8, std.mem.span(other.name), m.name)) @compileError(m.name ++ ": another method has its name");
        }
        all = all ++ [_]MethodInfo{.{ .method_id = m.id, .name = m.name, .signature = signature(box.state, m) }};
    }
    return all;
}

// ---- WebAssembly --------------------------------------------------------------

/// A host cannot put its functions into a module's table of functions: the module
/// imports them, and makes the host's table itself, for whose address the host asks.
const wasm = struct {
    const import = struct {
        extern "nyash" fn log(level: i32, message: [*:0]const u8) void;
        extern "nyash" fn wake(handle: u64) void;
    };

    fn alloc(size: usize) callconv(.c) ?[*]u8 {
        return @ptrCast(std.c.malloc(size));
    }

    fn free(ptr: ?[*]u8) callconv(.c) void {
        std.c.free(ptr);
    }

    fn hostTable() callconv(.c) *const Host {
        return &.{ .alloc = &alloc, .free = &free, .wake = &import.wake, .log = &import.log };
    }
};

// ---- What the host calls ----------------------------------------------------------

/// Says what the library has, in a comptime block. The first box is the one
/// that NyashPluginInfo has room for; the self-description has all.
pub fn plugin(comptime boxes: anytype) void {
    const Library = struct {
        const text = describe(boxes);
        const methods = methodInfo(boxes[0]);

        fn abi() callconv(.c) u32 {
            return 1;
        }

        fn config() callconv(.c) [*:0]const u8 {
            return text;
        }

        fn init(h: ?*const Host, info: ?*PluginInfo) callconv(.c) i32 {
            if (h == null or info == null) return Code.invalid_args.number;
            host = h;
            info.?.* = .{ .type_id = boxes[0].type_id, .type_name = boxes[0].name, .method_count = methods.len, .methods = methods.ptr };
            return 0;
        }

        fn dispatch(call: *Call, type_id: u32, method_id: u32, id: u32, message: []const u8) error{Failed}!usize {
            inline for (boxes) |box| {
                if (box.type_id == type_id) return Boxed(box).dispatch(call, method_id, id, message);
            }
            return call.fail(.invalid_type, "this library has no type {d}", .{type_id});
        }

        fn invoke(type_id: u32, method_id: u32, id: u32, args: ?[*]const u8, args_len: usize, result: ?[*]u8, result_len: ?*usize) callconv(.c) i32 {
            var ignored: usize = 0;
            const len = result_len orelse &ignored;
            const message: []const u8 = if (args) |a| a[0..args_len] else "";
            var call: Call = .{ .buffer = if (result) |r| r[0..len.*] else &.{} };
            if (dispatch(&call, type_id, method_id, id, message)) |size| {
                len.* = size;
                return 0;
            } else |_| {}
            if (call.code.number == Code.short_buffer.number) {
                len.* = call.need;
            } else if (call.buffer.len >= front) {
                const size = printed(call.buffer[front..@min(call.buffer.len, front + call.text_len)], "{s}", .{call.text[0..call.text_len]}).len;
                len.* = entry(call.buffer, .string, size);
            }
            return call.code.number;
        }

        fn invokeBatch(calls: [*]BatchCall, count: usize) callconv(.c) usize {
            for (calls[0..count], 1..) |*c, made| {
                c.code = invoke(c.type_id, c.method_id, c.instance_id, c.args, c.args_len, c.result, &c.result_len);
                if (c.code == Code.short_buffer.number) return made;
            }
            return count;
        }

        fn shutdown() callconv(.c) void {
            table_lock.lock();
            var left = table;
            table = .empty;
            table_lock.unlock();
            var all = left.valueIterator();
            while (all.next()) |i| i.*.release();
            left.deinit(gpa);
        }
    };
    @export(&Library.abi, .{ .name = "nyash_plugin_abi" });
    @export(&Library.config, .{ .name = "nyash_plugin_config" });
    @export(&Library.init, .{ .name = "nyash_plugin_init" });
    @export(&Library.invoke, .{ .name = "nyash_plugin_invoke" });
    @export(&Library.invokeBatch, .{ .name = "nyash_plugin_invoke_batch" });
    @export(&Library.shutdown, .{ .name = "nyash_plugin_shutdown" });
    if (builtin.target.cpu.arch.isWasm()) {
        @export(&wasm.hostTable, .{ .name = "nyash_host_table" });
        @export(&wasm.alloc, .{ .name = "nyash_alloc" });
        @export(&wasm.free, .{ .name = "nyash_free" });
    }
}
