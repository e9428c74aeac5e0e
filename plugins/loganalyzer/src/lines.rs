//! What level the lines of a text have. The text comes in pieces, which may end
//! anywhere, and a line may have any length: nothing of it is kept but the word that a
//! piece ends in.

/// The levels in the order of [`Lines::end`]; `other` is of lines that name none.
pub const LEVELS: [&str; 5] = ["debug", "info", "warn", "error", "other"];
const OTHER: usize = 4;

/// The words that name a level, in lower case.
const WORDS: [(&[u8], usize); 12] = [
    (b"trace", 0),
    (b"debug", 0),
    (b"info", 1),
    (b"notice", 1),
    (b"warn", 2),
    (b"warning", 2),
    (b"err", 3),
    (b"error", 3),
    (b"crit", 3),
    (b"critical", 3),
    (b"fatal", 3),
    (b"panic", 3),
];
const LONGEST: usize = 8;

/// Counts lines by the first of their words that names a level.
#[derive(Default)]
pub struct Lines {
    counts: [i64; LEVELS.len()],
    /// Of the line that is being read.
    begun: bool,
    level: Option<usize>,
    /// Of its last word, in lower case; `length` goes one beyond what there is room for.
    word: [u8; LONGEST],
    length: usize,
}

impl Lines {
    pub fn read(&mut self, piece: &[u8]) {
        for &byte in piece {
            match byte {
                b'\n' => self.end_line(),
                _ if self.level.is_some() => {}
                b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'_' | 0x80..=0xff => self.extend(byte),
                _ => self.end_word(),
            }
            self.begun = byte != b'\n';
        }
    }

    /// The counts. A last line without a newline is one.
    pub fn end(mut self) -> [i64; LEVELS.len()] {
        if self.begun {
            self.end_line();
        }
        self.counts
    }

    fn extend(&mut self, byte: u8) {
        if let Some(place) = self.word.get_mut(self.length) {
            *place = byte.to_ascii_lowercase();
            self.length += 1;
            return;
        }
        self.length = LONGEST + 1;
    }

    fn end_word(&mut self) {
        let word = self.word.get(..self.length);
        self.level = WORDS.iter().find(|w| Some(w.0) == word).map(|w| w.1);
        self.length = 0;
    }

    fn end_line(&mut self) {
        if self.level.is_none() {
            self.end_word();
        }
        self.counts[self.level.take().unwrap_or(OTHER)] += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn count(pieces: &[&[u8]]) -> [i64; LEVELS.len()] {
        let mut lines = Lines::default();
        for piece in pieces {
            lines.read(piece);
        }
        lines.end()
    }

    #[test]
    fn levels() {
        for (line, level) in [
            ("2025-08-01T12:00:00Z INFO started", "info"),
            ("level=warning msg=\"disk is nearly full\"", "warn"),
            ("[error] no such file", "error"),
            ("{\"level\":\"debug\",\"error\":null}", "debug"),
            ("ERROR", "error"),
            ("Warn: info", "warn"),
            ("CRITICAL\r", "error"),
            ("criticality", "other"),
            ("error_count errors terror éerror error2", "other"),
            ("", "other"),
            ("    at main.go:3", "other"),
            ("\0\u{fffd} trace", "debug"),
        ] {
            let found = count(&[line.as_bytes(), b"\n"]);
            let at = found.iter().position(|n| *n == 1).unwrap();
            assert_eq!(
                (LEVELS[at], found.iter().sum::<i64>()),
                (level, 1),
                "{:?}",
                line
            );
        }
    }

    #[test]
    fn pieces() {
        let text = b"debug a\n\n[INFO] b\r\nx warning error\nnothing\nlast ERROR";
        let whole = count(&[text]);
        assert_eq!(whole, [1, 1, 1, 1, 2]);
        for at in 0..=text.len() {
            assert_eq!(
                count(&[&text[..at], b"", &text[at..]]),
                whole,
                "cut at {}",
                at
            );
        }
        let bytes: Vec<&[u8]> = text.chunks(1).collect();
        assert_eq!(count(&bytes), whole);
    }

    #[test]
    fn ends() {
        assert_eq!(count(&[]), [0; 5]);
        assert_eq!(count(&[b"\n"]), [0, 0, 0, 0, 1]);
        assert_eq!(count(&[b"error"]), [0, 0, 0, 1, 0]);
        assert_eq!(count(&[b"error\n"]), [0, 0, 0, 1, 0]);
        assert_eq!(count(&[b"error\n\n"]), [0, 0, 0, 1, 1]);
    }

    #[test]
    fn longest() {
        assert_eq!(WORDS.iter().map(|w| w.0.len()).max(), Some(LONGEST));
    }
}
