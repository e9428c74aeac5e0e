//! A plugin with every type that the SDK for Zig has.
const std = @import("std");
const nyash = @import("nyash");

var ended: std.atomic.Value(i64) = .init(0);

const long = text: {
    @setEvalBranchQuota(10_000);
    var all: []const u8 = "";
    for (0..300) |_| all = all ++ "é";
    break :text all;
};

const Types = struct {
    start: i32,

    fn birth(call: *nyash.Call, start: ?i32) !Types {
        const n = start orelse 0;
        if (n < 0) return call.fail(.failed, "not below zero", .{});
        return .{ .start = n };
    }
    pub fn fini(_: *Types) void {
        _ = ended.fetchAdd(1, .monotonic);
    }
    fn flip(_: *Types, v: bool) bool {
        return !v;
    }
    fn small(self: *Types, v: i32) i32 {
        return v +% self.start;
    }
    fn large(_: *Types, v: i64) i64 {
        return -%v;
    }
    fn single(_: *Types, v: f32) f32 {
        return v / 2;
    }
    fn double(_: *Types, v: f64) f64 {
        return v / 2;
    }
    fn text(_: *Types, call: *nyash.Call, v: []const u8) ![]const u8 {
        return call.print("{s}{s}", .{ v, v });
    }
    fn bytes(_: *Types, call: *nyash.Call, v: nyash.Bytes) !nyash.Bytes {
        const room = call.room();
        if (v.data.len == room.len) return call.fail(.failed, "no room for one byte more", .{});
        @memcpy(room[0..v.data.len], v.data);
        room[v.data.len] = 255;
        return .{ .data = room[0 .. v.data.len + 1] };
    }
    fn blob(_: *Types, v: nyash.Blob) nyash.Blob {
        return v;
    }
    fn sum(_: *Types, a: i64, b: ?i64) i64 {
        return a +% (b orelse 0);
    }
    fn nothing(_: *Types) void {}
    fn fail(_: *Types, call: *nyash.Call, how: []const u8) !void {
        nyash.log(.debug, "to fail: {s}", .{how});
        if (std.mem.eql(u8, how, "code")) return call.fail(.invalid_args, "a code of its own: {d}", .{-4});
        if (std.mem.eql(u8, how, "name")) return error.OutOfOrder;
        if (std.mem.eql(u8, how, "memory")) return error.OutOfMemory;
        return call.fail(.failed, "{s}", .{long});
    }
    fn broken(_: *Types) []const u8 {
        return "\xff";
    }
};

const Other = struct {
    fn birth() Other {
        return .{};
    }
    fn count(_: *Other) i64 {
        return ended.load(.monotonic);
    }
};

comptime {
    nyash.plugin(.{ .{
        .state = Types,
        .name = "Types",
        .type_id = 1,
        .doc = "All \"types\",\na \\ and all.",
        .birth = .{ .call = Types.birth, .args = .{"start"} },
        .methods = .{
            .{ .id = 1, .name = "flip", .call = Types.flip, .args = .{"v"} },
            .{ .id = 2, .name = "small", .call = Types.small, .args = .{"v"} },
            .{ .id = 3, .name = "large", .call = Types.large, .args = .{"v"} },
            .{ .id = 4, .name = "single", .call = Types.single, .args = .{"v"} },
            .{ .id = 5, .name = "double", .call = Types.double, .args = .{"v"} },
            .{ .id = 6, .name = "text", .call = Types.text, .args = .{"v"}, .max = 100 },
            .{ .id = 7, .name = "bytes", .call = Types.bytes, .args = .{"v"} },
            .{ .id = 8, .name = "blob", .call = Types.blob, .args = .{"v"} },
            .{ .id = 9, .name = "sum", .call = Types.sum, .args = .{ "a", "b" } },
            .{ .id = 10, .name = "nothing", .call = Types.nothing },
            .{ .id = 11, .name = "fail", .call = Types.fail, .args = .{"how"} },
            .{ .id = 12, .name = "broken", .call = Types.broken },
        },
    }, .{
        .state = Other,
        .name = "Other",
        .type_id = 2,
        .concurrent = true,
        .birth = .{ .call = Other.birth },
        .methods = .{
            .{ .id = 1, .name = "ended", .call = Other.count },
        },
    } });
}
