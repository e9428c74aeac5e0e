//! LogAnalyzerBox: how many lines of each level a log has. It reads through FileBox and
//! counts through CounterBox, wherever the host runs them.
//!
//! README.md says what each method does.
//!
//! It has no lock: all that changes is in CounterBox, and each analysis has a FileBox of
//! its own.

#![forbid(unsafe_code)]

mod lines;

use lines::{Lines, LEVELS};
use nyash::{Code, Error, Held};

/// One read: the most that a message holds.
const PIECE: i64 = 65_535;

struct LogAnalyzer {
    counters: Held<Counters>,
    /// The counter of each level.
    names: [String; LEVELS.len()],
}

impl LogAnalyzer {
    fn new(name: &str) -> Result<Self, Error> {
        let counters = Counters::make(())?;
        let names = LEVELS.map(|level| format!("{}.{}", name, level));
        counters.call::<i64>("get", (&names[0],))?; // refuses a name that is none
        Ok(LogAnalyzer { counters, names })
    }

    fn analyze(&self, path: &str) -> Result<i64, Error> {
        let lines = read(path)?;
        for (name, n) in self.names.iter().zip(lines) {
            if n > 0 {
                self.counters.call::<i64>("add", (name, n))?;
            }
        }
        Ok(lines.iter().sum())
    }

    fn count(&self, level: &str) -> Result<i64, Error> {
        let name = LEVELS.iter().zip(&self.names).find(|(l, _)| **l == level);
        match name {
            Some((_, name)) => self.counters.call("get", (name,)),
            None => {
                let text = format!("no level {:?}; there are {}", level, LEVELS.join(", "));
                Err(Error::new(Code::InvalidArgs, text))
            }
        }
    }

    fn report(&self) -> Result<String, Error> {
        let mut report = Vec::with_capacity(LEVELS.len());
        for (level, name) in LEVELS.iter().zip(&self.names) {
            let n: i64 = self.counters.call("get", (name,))?;
            report.push(format!("{} {}", level, n));
        }
        Ok(report.join("\n"))
    }

    fn reset(&self) -> Result<i64, Error> {
        let mut all = 0i64;
        for name in &self.names {
            let n: i64 = self.counters.call("reset", (name,))?;
            all = all.saturating_add(n);
        }
        Ok(all)
    }
}

/// Counts the lines of a file, as far as it reaches when it is opened: one that grows as
/// fast as it is read comes to an end as well. However it ends, the FileBox does so too,
/// and closes the file.
fn read(path: &str) -> Result<[i64; LEVELS.len()], Error> {
    let file = File::make(())?;
    file.call::<()>("open", (path, "r"))?;
    let size: i64 = file.call("size", ())?;
    let mut lines = Lines::default();
    let mut offset = 0;
    while offset < size {
        let piece: Vec<u8> = file.call("readAt", (offset, PIECE.min(size - offset)))?;
        if piece.is_empty() {
            break; // it was cut meanwhile
        }
        lines.read(&piece);
        offset += piece.len() as i64;
    }
    file.call::<()>("close", ())?;
    Ok(lines.end())
}

nyash::plugin! {
    use File as FileBox;
    use Counters as CounterBox;

    /// How many lines of each level logs have: debug, info, warn, error and other.
    box LogAnalyzer as LogAnalyzerBox (type_id = 9) {
        birth => new(name: &str);

        /// Counts the lines of a file, level by level, and returns how many it has.
        1 => analyze(path: &str) -> Result<i64, Error>;
        /// How many lines of a level were counted: debug, info, warn, error or other.
        2 => count(level: &str) -> Result<i64, Error>;
        /// The counts of all levels, one a line.
        3 => report() -> Result<String, Error>, max = 500;
        /// Forgets all counts and returns how many lines they were.
        4 => reset() -> Result<i64, Error>;
    }
}
