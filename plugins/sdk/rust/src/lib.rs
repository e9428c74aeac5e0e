//! Write Nyash plugins in Rust: an ordinary type with ordinary methods, and a
//! list of those that hosts may call. No `unsafe`, no bytes, no tables.
//!
//! ```
//! use std::sync::atomic::{AtomicI64, Ordering::SeqCst};
//!
//! struct Counter(AtomicI64);
//!
//! impl Counter {
//!     fn new(start: i64) -> Self {
//!         Counter(AtomicI64::new(start))
//!     }
//!     fn add(&self, by: i64) -> i64 {
//!         self.0.fetch_add(by, SeqCst).wrapping_add(by)
//!     }
//!     fn label(&self, text: &str) -> Result<String, String> {
//!         if text.is_empty() {
//!             return Err("a label needs a text".into());
//!         }
//!         Ok(format!("{}: {}", text, self.0.load(SeqCst)))
//!     }
//! }
//!
//! nyash::plugin! {
//!     /// A number that counts.
//!     box Counter as CounterBox (type_id = 7) {
//!         birth => new(start: i64);
//!
//!         /// Adds to the number and returns what it is then.
//!         1 => add(by: i64) -> i64;
//!         /// The number with a text in front.
//!         2 => label(text: &str) -> Result<String, String>, max = 1000;
//!     }
//! }
//! # fn main() {}
//! ```
//!
//! With `crate-type = ["cdylib"]` that is a whole plugin; `[plugins] CounterBox
//! = "counter"` in nyash.toml is all that a host needs to know of it.
//! [`plugin!`] has the syntax, [`Arg`] and [`Ret`] the types.
//!
//! # What the library takes care of
//!
//! - **Arguments** are checked before a method runs: their number, types, UTF-8
//!   and handles. A method never sees anything malformed.
//! - **Errors**: a method may return a `Result`. Whatever can be displayed is an
//!   error, and its text reaches the caller; [`Error`] has a [`Code`] too.
//! - **Panics** are caught and become errors (−5, with the panic's message);
//!   place and message go to the host's log. The library stays usable. Whether
//!   the instance does is the author's: a [`Mutex`](std::sync::Mutex) that was
//!   locked is poisoned, so that `lock().unwrap()` fails in later calls, and
//!   `lock().unwrap_or_else(|e| e.into_inner())` does not. The panic strategy
//!   must stay "unwind": `panic = "abort"` in a profile is refused.
//! - **Threads**: calls come from many threads at once, so methods take `&self`
//!   and boxes are [`Send`] and [`Sync`], which the compiler checks. State that
//!   changes is in atomics or behind a [`Mutex`](std::sync::Mutex).
//! - **Instances** are kept until the host ends them. One that is ended while
//!   calls are under way on it is dropped when the last of them is done.
//! - **Short buffers**: whether a result will fit is looked at before a method
//!   runs, so that no call has effects twice. Strings and bytes have at most
//!   65,535 bytes, or `max = …` where that is said; a longer result is an error,
//!   or a [`BlobBuf`].
//! - **Self-description**: names, types and doc comments reach the host.
//! - **Calls to the host** and to other plugins: what a method asks is checked, errors
//!   come back as [`Error`] and go on with `?`, and holds end with their values
//!   ([`Held`], [`Lent`]). After the plugin was shut down nothing is called. A method
//!   that calls others should not have a lock: a call may come back to it.
//!
//! # What it cannot
//!
//! A plugin that overflows its stack, runs out of memory (Rust aborts) or panics
//! in a `Drop` during another panic ends its process. In nyash.toml,
//! `isolation = "process"` makes that an error for the host.

#![deny(unsafe_op_in_unsafe_fn)]
#![warn(missing_docs)]

#[allow(missing_docs)]
mod abi;
#[allow(missing_docs)]
mod describe;
mod error;
mod host;
#[allow(missing_docs)]
mod table;
pub mod tlv;
#[allow(missing_docs)]
mod uses;
mod value;
#[cfg(target_family = "wasm")]
mod wasm;

pub use error::{Code, Error};
pub use host::{log, wake, Blob, BlobBuf, Level};
pub use table::Ref;
pub use uses::{Args, Held, Lent, Pass, Take, UsedBox};
pub use value::{Arg, Birth, Ret};

/// A type whose instances hosts can make. [`plugin!`] implements it.
pub trait PluginBox: Send + Sync + Sized + 'static {
    /// The box's number, which no other box of the library has.
    const TYPE_ID: u32;
    /// The box's name, as hosts know it.
    const NAME: &'static str;
    #[doc(hidden)]
    const CLASS: &'static __private::Class;
    #[doc(hidden)]
    const DESCRIPTION: &'static [__private::Piece];
    #[doc(hidden)]
    fn table() -> &'static __private::Table<Self>;
}

/// What the macro's text needs.
#[doc(hidden)]
pub mod __private {
    pub use crate::abi::{
        bear, fini, init, invoke, invoke_batch, resolve, run, shutdown, BatchCall, Call, Class,
        Failure, MethodInfo, PluginInfo, Reply, TypeBox, BIRTH,
    };
    pub use crate::describe::{
        all_required, check_args, check_boxes, check_max, check_methods, check_typebox, measure,
        signature, write, BoxOptions, MethodOptions, Piece, Wanted,
    };
    pub use crate::host::HostTable;
    pub use crate::table::Table;
    pub use crate::uses::{connect, HostCalls, Methods};
    #[cfg(target_family = "wasm")]
    pub mod wasm {
        pub use crate::wasm::{alloc, free, CALLS, TABLE};
    }
}

/// Makes a plugin of one or more types: once in a library, at its top level.
///
/// ```text
/// nyash::plugin! {
///     use TYPE as NAME("METHOD", …);
///     …
///     /// What the box is.
///     box TYPE as NAME (type_id = NUMBER, singleton, threads = serial) {
///         birth => FUNCTION(ARGUMENT: TYPE, …);
///         /// What the method does.
///         ID => METHOD as NAME(ARGUMENT: TYPE, …) -> TYPE, max = BYTES, leaf;
///         …
///     }
///     …
/// }
/// ```
///
/// - `box TYPE`: a struct or enum of this crate. `as NAME` is what hosts call
///   it, where that is not the same.
/// - `type_id` is required. `singleton`: the host makes one instance and shares
///   it. `threads = serial` or `pinned`: the host makes one call at a time, or
///   all from one thread. It is for what the plugin stands on; the compiler
///   still wants `Sync`.
/// - `birth => FUNCTION(…)` names the function that makes an instance:
///   `TYPE::FUNCTION`, which returns `TYPE` or a `Result` of it. `default()` is
///   one. The end of an instance is its [`Drop`].
/// - `ID => METHOD(…) -> TYPE` names a method with `&self`. The types are those
///   of the method ([`Arg`], [`Ret`]); the compiler compares them. Ids count
///   from 1 and should stay what they are.
/// - `max = BYTES` is the most that a string or bytes result has: 65,535 where
///   it is left out. In a batch, a call whose `max` is over about 1,000 bytes is
///   made by itself.
/// - `leaf` promises that the method returns within microseconds and never
///   waits.
/// - Arguments that may be left out have types `Option<…>`, behind the others.
///   What such a method takes is not part of the self-description.
/// - Doc comments become the descriptions that hosts show.
/// - `use TYPE as NAME;` in front of all boxes: a box of the host or of another plugin
///   that this one calls. It defines the type, with a function `make` that makes an
///   instance and holds it ([`Held`]). `as` and the methods may be left out: then it
///   is the whole box. That is what the plugin asks for; `uses` in nyash.toml is what
///   it gets.
///
/// ```
/// # use nyash::{Blob, BlobBuf, Error, Ref};
/// #[derive(Default)]
/// struct Image;
/// struct Pixel(i32);
///
/// impl Image {
///     fn load(&self, _png: Blob<'_>) -> i64 { 0 }
///     fn save(&self, _quality: Option<i32>) -> Result<BlobBuf, Error> { BlobBuf::zeroed(64) }
///     fn draw(&self, _other: &Image, _at: f64) {}
///     fn pixel(&self, x: i32) -> Pixel { Pixel(x) }
/// }
/// impl Pixel {
///     fn new(x: i32) -> Result<Self, String> { Ok(Pixel(x)) }
///     fn x(&self) -> i32 { self.0 }
///     fn brightest(&self, others: Ref<Pixel>) -> Ref<Pixel> { others }
/// }
///
/// nyash::plugin! {
///     box Image as ImageBox (type_id = 20) {
///         birth => default();
///         1 => load(png: Blob) -> i64;
///         2 => save(quality: Option<i32>) -> Result<BlobBuf, Error>;
///         3 => draw(other: &Image, at: f64);
///         4 => pixel as pixelAt(x: i32) -> Pixel;
///     }
///     box Pixel as PixelBox (type_id = 21) {
///         birth => new(x: i32);
///         1 => x() -> i32, leaf;
///         2 => brightest(other: Ref<Pixel>) -> Ref<Pixel>;
///     }
/// }
/// # fn main() {}
/// ```
///
/// A plugin that calls others:
///
/// ```
/// # use nyash::{Error, Held, Lent};
/// struct Shop {
///     sold: Held<Counter>, // the hold ends with the shop
/// }
///
/// impl Shop {
///     fn new() -> Result<Self, Error> { Ok(Shop { sold: Counter::make((0i64,))? }) }
///     fn sell(&self, n: i64) -> Result<i64, Error> { self.sold.call("add", (n,)) }
///     fn both(&self, other: Lent<Counter>) -> Result<i64, Error> {
///         Ok(self.sold.call::<i64>("get", ())? + other.call::<i64>("get", ())?)
///     }
///     fn fresh(&self) -> Result<Held<Counter>, Error> { Counter::make(()) } // passes the hold on
///     fn tell(&self, text: &str) -> Result<(), Error> { Console::make(())?.call("print", (text,)) }
/// }
///
/// nyash::plugin! {
///     use Counter as CounterBox;
///     use Console as ConsoleBox("birth", "print");
///     box Shop as ShopBox (type_id = 8) {
///         birth => new();
///         1 => sell(n: i64) -> Result<i64, Error>;
///         2 => both(other: Lent<Counter>) -> Result<i64, Error>;
///         3 => fresh() -> Result<Held<Counter>, Error>;
///         4 => tell(text: &str) -> Result<(), Error>;
///     }
/// }
/// # fn main() {}
/// ```
///
/// Mistakes in the list are errors of the compiler:
///
/// ```compile_fail
/// # #[derive(Default)]
/// # struct Counter;
/// # impl Counter { fn add(&self, by: i64) -> i64 { by } fn get(&self) -> i64 { 0 } }
/// nyash::plugin! {
///     box Counter (type_id = 7) {
///         birth => default();
///         1 => add(by: i64) -> i64;
///         1 => get() -> i64; // two methods of a box have one id
///     }
/// }
/// # fn main() {}
/// ```
#[macro_export]
macro_rules! plugin {
    ($(use $U:ident $(as $UN:ident)? $(( $($um:literal),+ $(,)? ))? ;)* $(
        $(#[doc = $doc:literal])*
        box $T:ident $(as $N:ident)? ( $($o:ident $(= $ov:tt)?),* $(,)? ) {
            $(
                $(#[doc = $md:literal])*
                $($id:literal)? $($birth:ident)? => $f:ident $(as $n:ident)?
                    ( $($a:ident : $t:ty),* $(,)? ) $(-> $r:ty)? $(, $mo:ident $(= $mv:tt)?)* ;
            )*
        }
    )+) => {
        $( $crate::__nyash!(@use $U [$($UN)?] [$($($um),+)?]); )*

        $(
            const _: () = {
                const OPTIONS: $crate::__private::BoxOptions = {
                    #[allow(unused_mut)]
                    let mut options = $crate::__private::BoxOptions::NONE;
                    $( $crate::__nyash!(@box options $o $(= $ov)?); )*
                    options
                };
                const METHODS: &[$crate::__private::MethodInfo] = $crate::__nyash!(@methods [] $(
                    { [$($id)? $($birth)?] $f [$($n)?] ($($t),*) [$($r)?] }
                )*);
                const NAMES: &[&str] = $crate::__nyash!(@names [] $(
                    { [$($id)? $($birth)?] $f [$($n)?] }
                )*);
                const BIRTHS: &[&str] = &[$($(::core::stringify!($birth),)?)*];
                const _: () = $crate::__private::check_methods(BIRTHS.len(), METHODS, NAMES);

                fn dispatch(
                    call: &$crate::__private::Call<'_>,
                    reply: &mut $crate::__private::Reply,
                ) -> ::core::result::Result<(), $crate::__private::Failure> {
                    $(
                        $crate::__nyash!(
                            @dispatch call reply $T [$($id)? $($birth)?] $f
                            ($($a: $t),*) [$($r)?] [$({$mo $(= $mv)?})*]
                        );
                    )*
                    ::core::result::Result::Err(call.unknown_method::<$T>())
                }

                impl $crate::PluginBox for $T {
                    const TYPE_ID: u32 = OPTIONS.type_id();
                    const NAME: &'static str = $crate::__nyash!(@name $T $($N)?);
                    const CLASS: &'static $crate::__private::Class = &$crate::__private::Class {
                        type_id: OPTIONS.type_id(),
                        c_name: ::core::concat!($crate::__nyash!(@name $T $($N)?), "\0"),
                        methods: METHODS,
                        dispatch,
                        fini: $crate::__private::fini::<$T>,
                        clear: || <$T as $crate::PluginBox>::table().clear(),
                    };
                    const DESCRIPTION: &'static [$crate::__private::Piece] = {
                        use $crate::__private::Piece;
                        &[
                            Piece::Text("[plugins."),
                            Piece::Key(<$T as $crate::PluginBox>::NAME),
                            Piece::Text("]\ntype_id = "),
                            Piece::Number(OPTIONS.type_id()),
                            $crate::__nyash!(@doc "\ndoc = " [$($doc),*]),
                            Piece::If(OPTIONS.singleton, &[Piece::Text("\nsingleton = true")]),
                            Piece::Text("\nthreads = "),
                            Piece::Quoted(OPTIONS.threads()),
                            Piece::Uses,
                            Piece::Text("\n\n[plugins."),
                            Piece::Key(<$T as $crate::PluginBox>::NAME),
                            Piece::Text(".methods]\n"),
                            $(
                                $crate::__nyash!(
                                    @describe [$($id)? $($birth)?] $f [$($n)?]
                                    ($($a: $t),*) [$($r)?] [$({$mo $(= $mv)?})*] [$($md),*]
                                ),
                            )*
                            Piece::Text("\n"),
                        ]
                    };
                    fn table() -> &'static $crate::__private::Table<Self> {
                        static TABLE: $crate::__private::Table<$T> =
                            $crate::__private::Table::new();
                        &TABLE
                    }
                }
            };
        )+

        const _: () = {
            #[cfg(all(panic = "abort", not(target_family = "wasm")))]
            ::core::compile_error!("panic = \"abort\" would end the host's process: leave it out of Cargo.toml's profiles");

            const CLASSES: &[&$crate::__private::Class] =
                &[$(<$T as $crate::PluginBox>::CLASS),+];
            const PIECES: &[$crate::__private::Piece] =
                &[$($crate::__private::Piece::List(<$T as $crate::PluginBox>::DESCRIPTION)),+];
            const USES: &[$crate::__private::Wanted] = &[$(
                $crate::__private::Wanted {
                    name: <$U as $crate::UsedBox>::NAME,
                    only: <$U as $crate::UsedBox>::ONLY,
                }
            ),*];
            static TEXT: [u8; $crate::__private::measure(PIECES, USES) + 1] =
                $crate::__private::write(PIECES, USES);
            $crate::__nyash!(@connect [$($U)*]);
            const _: () = $crate::__private::check_boxes(&[
                $((<$T as $crate::PluginBox>::TYPE_ID, <$T as $crate::PluginBox>::NAME)),+
            ]);

            #[no_mangle]
            extern "C" fn nyash_plugin_abi() -> u32 {
                1
            }

            #[no_mangle]
            extern "C" fn nyash_plugin_config() -> *const ::std::os::raw::c_char {
                TEXT.as_ptr() as *const ::std::os::raw::c_char
            }

            #[no_mangle]
            unsafe extern "C" fn nyash_plugin_init(
                host: *const $crate::__private::HostTable,
                info: *mut $crate::__private::PluginInfo,
            ) -> i32 {
                // SAFETY: the host calls it as the ABI says.
                unsafe { $crate::__private::init(CLASSES, host, info) }
            }

            #[no_mangle]
            unsafe extern "C" fn nyash_plugin_invoke(
                type_id: u32,
                method_id: u32,
                instance_id: u32,
                args: *const u8,
                args_len: usize,
                result: *mut u8,
                result_len: *mut usize,
            ) -> i32 {
                let ids = (type_id, method_id, instance_id);
                // SAFETY: the host calls it as the ABI says.
                unsafe {
                    $crate::__private::invoke(CLASSES, ids, (args, args_len), (result, result_len))
                }
            }

            #[no_mangle]
            unsafe extern "C" fn nyash_plugin_invoke_batch(
                calls: *mut $crate::__private::BatchCall,
                count: usize,
            ) -> usize {
                // SAFETY: the host calls it as the ABI says.
                unsafe { $crate::__private::invoke_batch(CLASSES, calls, count) }
            }

            #[no_mangle]
            extern "C" fn nyash_plugin_shutdown() {
                $crate::__private::shutdown(CLASSES)
            }

            #[cfg(target_family = "wasm")]
            const _: () = {
                #[no_mangle]
                extern "C" fn nyash_host_table() -> *const $crate::__private::HostTable {
                    &$crate::__private::wasm::TABLE
                }

                #[no_mangle]
                extern "C" fn nyash_host_calls() -> *const $crate::__private::HostCalls {
                    &$crate::__private::wasm::CALLS
                }

                #[no_mangle]
                extern "C" fn nyash_alloc(size: usize) -> *mut u8 {
                    $crate::__private::wasm::alloc(size)
                }

                #[no_mangle]
                unsafe extern "C" fn nyash_free(block: *mut u8) {
                    // SAFETY: the host frees what nyash_alloc gave it.
                    unsafe { $crate::__private::wasm::free(block) }
                }
            };
        };
    };
}

/// Exports a TypeBox table for a box of [`plugin!`], beside the plugin's functions:
/// `nyash::typebox!(Counter as CounterBox);`, with the names that [`plugin!`] has, for
/// hosts that look for such tables.
///
/// ```
/// # #[derive(Default)]
/// # struct Counter;
/// # impl Counter { fn get(&self) -> i64 { 0 } }
/// nyash::plugin! {
///     box Counter as CounterBox (type_id = 7) {
///         birth => default();
///         1 => get() -> i64;
///     }
/// }
/// nyash::typebox!(Counter as CounterBox);
/// # fn main() {}
/// ```
///
/// ```compile_fail
/// # #[derive(Default)]
/// # struct Counter;
/// # impl Counter { fn get(&self) -> i64 { 0 } }
/// # nyash::plugin! { box Counter as CounterBox (type_id = 7) { birth => default(); 1 => get() -> i64; } }
/// nyash::typebox!(Counter); // the box is called CounterBox
/// # fn main() {}
/// ```
#[macro_export]
macro_rules! typebox {
    ($T:ident) => {
        $crate::typebox!($T as $T);
    };
    ($T:ident as $N:ident) => {
        const _: () = {
            const CLASS: &$crate::__private::Class = <$T as $crate::PluginBox>::CLASS;
            const _: () = $crate::__private::check_typebox(
                <$T as $crate::PluginBox>::NAME,
                ::core::stringify!($N),
            );

            unsafe extern "C" fn resolve(name: *const ::std::os::raw::c_char) -> u32 {
                // SAFETY: the host calls it as the ABI says.
                unsafe { $crate::__private::resolve(CLASS, name) }
            }

            unsafe extern "C" fn invoke_id(
                instance_id: u32,
                method_id: u32,
                args: *const u8,
                args_len: usize,
                result: *mut u8,
                result_len: *mut usize,
            ) -> i32 {
                let ids = (CLASS.type_id, method_id, instance_id);
                // SAFETY: the host calls it as the ABI says.
                unsafe {
                    $crate::__private::invoke(&[CLASS], ids, (args, args_len), (result, result_len))
                }
            }

            #[export_name = ::core::concat!("nyash_typebox_", ::core::stringify!($N))]
            static TABLE: $crate::__private::TypeBox =
                $crate::__private::TypeBox::new(CLASS, resolve, invoke_id);
        };
    };
}

/// The parts of [`plugin!`]. Lists are constants of their own, because compilers
/// before 1.89 keep nothing else that a constant's parts borrow.
#[doc(hidden)]
#[macro_export]
macro_rules! __nyash {
    (@name $T:ident) => { ::core::stringify!($T) };
    (@name $T:ident $N:ident) => { ::core::stringify!($N) };

    (@box $o:ident type_id = $v:tt) => { $o.type_id = ::core::option::Option::Some($v) };
    (@box $o:ident singleton) => { $o.singleton = true };
    (@box $o:ident threads = free) => { $o.threads = ::core::option::Option::Some("free") };
    (@box $o:ident threads = serial) => { $o.threads = ::core::option::Option::Some("serial") };
    (@box $o:ident threads = pinned) => { $o.threads = ::core::option::Option::Some("pinned") };
    (@box $o:ident $($other:tt)*) => {
        ::core::compile_error!(::core::concat!(
            "`", ::core::stringify!($($other)*),
            "` is none of: type_id = NUMBER, singleton, threads = free, serial or pinned"
        ))
    };

    (@options [$({$($option:tt)*})*]) => {{
        #[allow(unused_mut)]
        let mut options = $crate::__private::MethodOptions::NONE;
        $( $crate::__nyash!(@option options $($option)*); )*
        options
    }};
    (@option $o:ident max = $v:tt) => { $o.max = $crate::__private::check_max($v) };
    (@option $o:ident leaf) => { $o.leaf = true };
    (@option $o:ident $($other:tt)*) => {
        ::core::compile_error!(::core::concat!(
            "`", ::core::stringify!($($other)*), "` is neither max = BYTES nor leaf"
        ))
    };

    (@use $U:ident [$($UN:ident)?] [$($um:literal),*]) => {
        #[doc = ::core::concat!("The box ", $crate::__nyash!(@name $U $($UN)?), " of the host or of another plugin.")]
        #[allow(dead_code)]
        pub enum $U {}

        impl $U {
            /// Makes an instance and holds it.
            #[allow(dead_code)]
            pub fn make(
                args: impl $crate::Args,
            ) -> ::core::result::Result<$crate::Held<$U>, $crate::Error> {
                $crate::Held::make(args)
            }
        }

        impl $crate::UsedBox for $U {
            const NAME: &'static str = $crate::__nyash!(@name $U $($UN)?);
            const ONLY: &'static [&'static str] = &[$($um),*];
            fn methods() -> &'static $crate::__private::Methods {
                static METHODS: $crate::__private::Methods = $crate::__private::Methods::new();
                &METHODS
            }
        }
    };

    (@connect []) => {};
    (@connect [$($U:ident)+]) => {
        #[no_mangle]
        unsafe extern "C" fn nyash_plugin_connect(
            host: *const $crate::__private::HostCalls,
        ) -> i32 {
            // SAFETY: the host calls it as the ABI says.
            unsafe { $crate::__private::connect(host) }
        }
    };

    (@ret) => { () };
    (@ret $r:ty) => { $r };

    (@doc $key:literal []) => { $crate::__private::Piece::Text("") };
    (@doc $key:literal [$($doc:literal),+]) => {{
        const LINES: &[&str] = &[$($doc),+];
        const DOC: &[$crate::__private::Piece] = &[
            $crate::__private::Piece::Text($key),
            $crate::__private::Piece::Doc(LINES),
        ];
        $crate::__private::Piece::List(DOC)
    }};

    // Methods with ids of their own; the birth is not among them.
    (@methods [$($done:expr),*]) => { &[$($done),*] };
    (@methods [$($done:expr),*] { [birth] $($rest:tt)* } $($more:tt)*) => {
        $crate::__nyash!(@methods [$($done),*] $($more)*)
    };
    (@methods [$($done:expr),*]
        { [$id:literal] $f:ident [$($n:ident)?] ($($t:ty),*) [$($r:ty)?] } $($more:tt)*) => {
        $crate::__nyash!(@methods [$($done,)* $crate::__private::MethodInfo {
            method_id: $id,
            name: ::core::concat!($crate::__nyash!(@name $f $($n)?), "\0").as_ptr()
                as *const ::std::os::raw::c_char,
            signature: $crate::__private::signature(
                $crate::__nyash!(@name $f $($n)?),
                &[$(<$t as $crate::Arg<'_>>::TO),*],
                $crate::__private::all_required(&[$(<$t as $crate::Arg<'_>>::OPTIONAL),*]),
                <$crate::__nyash!(@ret $($r)?) as $crate::Ret>::RETURNS,
            ),
        }] $($more)*)
    };
    (@methods [$($done:expr),*] { [$($what:tt)*] $($rest:tt)* } $($more:tt)*) => {
        ::core::compile_error!(::core::concat!(
            "a line begins with a method's id or with birth, not with `",
            ::core::stringify!($($what)*), "`"
        ))
    };

    (@names [$($done:expr),*]) => { &[$($done),*] };
    (@names [$($done:expr),*] { [$id:literal] $f:ident [$($n:ident)?] } $($more:tt)*) => {
        $crate::__nyash!(@names [$($done,)* $crate::__nyash!(@name $f $($n)?)] $($more)*)
    };
    (@names [$($done:expr),*] { [$($birth:tt)*] $($rest:tt)* } $($more:tt)*) => {
        $crate::__nyash!(@names [$($done),*] $($more)*)
    };

    (@dispatch $call:ident $reply:ident $T:ident [birth] $f:ident
        ($($a:ident : $t:ty),*) [] []) => {
        if $call.method_id == $crate::__private::BIRTH {
            const _: () =
                $crate::__private::check_args(&[$(<$t as $crate::Arg<'_>>::OPTIONAL),*]);
            let args = $call.args([$(<$t as $crate::Arg<'_>>::OPTIONAL),*])?;
            let _ = &args;
            $( let $a = <$t as $crate::Arg<'_>>::read(args.next(::core::stringify!($a)))?; )*
            return $crate::__private::bear::<$T, _>($reply, || {
                <$T>::$f($(<$t as $crate::Arg<'_>>::lend(&$a)),*)
            });
        }
    };
    (@dispatch $call:ident $reply:ident $T:ident [$id:literal] $f:ident
        ($($a:ident : $t:ty),*) [$($r:ty)?] [$($option:tt)*]) => {
        if $call.method_id == $id {
            const OPTIONS: &$crate::__private::MethodOptions =
                &$crate::__nyash!(@options [$($option)*]);
            const _: () =
                $crate::__private::check_args(&[$(<$t as $crate::Arg<'_>>::OPTIONAL),*]);
            let this = $call.instance::<$T>()?;
            let args = $call.args([$(<$t as $crate::Arg<'_>>::OPTIONAL),*])?;
            let _ = &args;
            $( let $a = <$t as $crate::Arg<'_>>::read(args.next(::core::stringify!($a)))?; )*
            $reply.room::<$crate::__nyash!(@ret $($r)?)>(OPTIONS)?;
            return $crate::__private::run::<$crate::__nyash!(@ret $($r)?)>($reply, OPTIONS, || {
                <$T>::$f(&this $(, <$t as $crate::Arg<'_>>::lend(&$a))*)
            });
        }
    };
    (@dispatch $call:ident $reply:ident $T:ident [birth] $($rest:tt)*) => {
        ::core::compile_error!("a birth returns an instance: write `birth => new(…);` and no more")
    };
    (@dispatch $($rest:tt)*) => {};

    (@describe [birth] $f:ident [$($n:ident)?] ($($a:ident : $t:ty),*) [] []
        [$($doc:literal),*]) => {{
        const LINE: &[$crate::__private::Piece] = &[
            $crate::__private::Piece::Text("birth = { method_id = 0"),
            $crate::__nyash!(@describe_args ($($a: $t),*)),
            $crate::__nyash!(@doc ", doc = " [$($doc),*]),
            $crate::__private::Piece::Text(" }\n"),
        ];
        $crate::__private::Piece::List(LINE)
    }};
    (@describe [$id:literal] $f:ident [$($n:ident)?] ($($a:ident : $t:ty),*) [$($r:ty)?]
        [$($option:tt)*] [$($doc:literal),*]) => {{
        const LINE: &[$crate::__private::Piece] = &[
            $crate::__private::Piece::Key($crate::__nyash!(@name $f $($n)?)),
            $crate::__private::Piece::Text(" = { method_id = "),
            $crate::__private::Piece::Number($id),
            $crate::__nyash!(@describe_args ($($a: $t),*)),
            $crate::__private::Piece::Text(", returns = "),
            $crate::__private::Piece::Quoted(
                <$crate::__nyash!(@ret $($r)?) as $crate::Ret>::RETURNS,
            ),
            $crate::__private::Piece::If(
                $crate::__nyash!(@options [$($option)*]).leaf,
                &[$crate::__private::Piece::Text(", leaf = true")],
            ),
            $crate::__nyash!(@doc ", doc = " [$($doc),*]),
            $crate::__private::Piece::Text(" }\n"),
        ];
        $crate::__private::Piece::List(LINE)
    }};
    (@describe $($rest:tt)*) => { $crate::__private::Piece::Text("") };
    (@describe_args ($($a:ident : $t:ty),*)) => {{
        const ARGS: &[$crate::__private::Piece] = &[
            $crate::__private::Piece::Text(", args = ["),
            $(
                $crate::__private::Piece::Text(" { name = "),
                $crate::__private::Piece::Quoted(::core::stringify!($a)),
                $crate::__private::Piece::Text(", from = "),
                $crate::__private::Piece::Quoted(<$t as $crate::Arg<'_>>::FROM),
                $crate::__private::Piece::Text(", to = "),
                $crate::__private::Piece::Quoted(<$t as $crate::Arg<'_>>::TO),
                $crate::__private::Piece::Text(" },"),
            )*
            $crate::__private::Piece::Text(" ]"),
        ];
        const DECLARED: bool =
            $crate::__private::all_required(&[$(<$t as $crate::Arg<'_>>::OPTIONAL),*]);
        $crate::__private::Piece::If(DECLARED, ARGS)
    }};
}
