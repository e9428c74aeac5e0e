use std::fmt;

/// Why a call failed, as the host tells its caller.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Code {
    /// The arguments do not fit the method (−4).
    InvalidArgs,
    /// The operation failed (−5). What an error has that says nothing else.
    Plugin,
    /// Memory is short (−6).
    OutOfMemory,
    /// Text is not UTF-8 (−7).
    InvalidUtf8,
    /// There is no such instance (−8).
    InvalidHandle,
    /// Not permitted (−10).
    NotPermitted,
    /// A number of the plugin's own, which reaches the caller. Numbers that the
    /// ABI gives another meaning (−3 to 1 and −9) become −5.
    Other(i32),
}

impl Code {
    /// The code of a call that has ended with this number.
    pub(crate) fn of(number: i32) -> Code {
        match number {
            -4 => Code::InvalidArgs,
            -5 => Code::Plugin,
            -6 => Code::OutOfMemory,
            -7 => Code::InvalidUtf8,
            -8 => Code::InvalidHandle,
            -10 => Code::NotPermitted,
            n => Code::Other(n),
        }
    }

    /// The number that crosses.
    pub fn number(self) -> i32 {
        match self {
            Code::InvalidArgs => -4,
            Code::Plugin => -5,
            Code::OutOfMemory => -6,
            Code::InvalidUtf8 => -7,
            Code::InvalidHandle => -8,
            Code::NotPermitted => -10,
            Code::Other(-9) | Code::Other(-3..=1) => -5,
            Code::Other(n) => n,
        }
    }
}

/// A failed call: a code and a message for people.
///
/// Whatever can be displayed becomes one with [`Code::Plugin`], so that `?`
/// works on any error, and a method may as well return `Result<T, String>` or
/// a `Result` of [`std::io::Error`]:
///
/// ```
/// use nyash::{Code, Error};
///
/// fn parse(text: &str) -> Result<i64, Error> {
///     if text.is_empty() {
///         return Err(Error::new(Code::InvalidArgs, "no number"));
///     }
///     Ok(text.parse()?)
/// }
/// assert_eq!(parse("").unwrap_err().code(), Code::InvalidArgs);
/// assert_eq!(parse("x").unwrap_err().message(), "invalid digit found in string");
/// ```
///
/// For a code of one's own, an error type implements `From<MyError> for
/// nyash::Error` and not `Display`. (`Error` itself does not implement
/// `Display`: that is what makes the conversion of all others possible.)
#[derive(Clone, PartialEq, Eq)]
pub struct Error {
    number: i32,
    code: Code,
    message: String,
}

impl Error {
    /// An error with a code and a message.
    pub fn new(code: Code, message: impl Into<String>) -> Self {
        Error {
            number: code.number(),
            code,
            message: message.into(),
        }
    }

    /// What kind of failure it is.
    pub fn code(&self) -> Code {
        self.code
    }

    /// What the caller reads.
    pub fn message(&self) -> &str {
        &self.message
    }

    /// For the codes that are not a method's to return.
    pub(crate) fn numbered(number: i32, message: String) -> Self {
        Error {
            number,
            code: Code::Plugin,
            message,
        }
    }

    pub(crate) fn args(message: String) -> Self {
        Error::new(Code::InvalidArgs, message)
    }

    pub(crate) fn number(&self) -> i32 {
        self.number
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.message, self.number)
    }
}

impl<E: fmt::Display> From<E> for Error {
    fn from(error: E) -> Self {
        Error::new(Code::Plugin, error.to_string())
    }
}
