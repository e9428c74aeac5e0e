//! A box that calls the boxes of its host in every way, as uses.c does.
#![forbid(unsafe_code)]

use nyash::{Blob, BlobBuf, Code, Error, Held, Lent};
use std::sync::Mutex;
use std::thread;

struct User {
    counter: Held<Counter>,
}

/// Outlives what the plugin lives.
static KEPT: Mutex<Option<Held<Counter>>> = Mutex::new(None);

impl User {
    fn new(start: Option<i64>) -> Result<Self, Error> {
        let counter = match start {
            Some(start) => Counter::make((start,))?,
            None => Counter::make(())?,
        };
        Ok(User { counter })
    }
    fn add(&self, n: i64) -> Result<i64, Error> {
        self.counter.call("add", (n,))
    }
    fn get(&self) -> Result<i64, Error> {
        self.counter.call("get", ())
    }
    fn fresh(&self, n: i64) -> Result<Held<Counter>, Error> {
        Counter::make((n,))
    }
    fn badly(&self) -> Result<Held<Counter>, Error> {
        Counter::make(("seven",))
    }
    fn fail(&self, code: i32, text: &str) -> Result<(), Error> {
        let failed = self.counter.call::<()>("fail", (code, text));
        match &failed {
            Err(e) if e.message() == format!("CounterBox.fail: {}", text) => failed,
            _ => Err("another message".into()),
        }
    }
    fn text(&self, n: i64) -> Result<i64, Error> {
        let text: String = self.counter.call("text", (n,))?;
        assert_eq!(text, "x".repeat(text.len()));
        Ok(text.len() as i64)
    }
    fn bytes(&self, n: i64) -> Result<i64, Error> {
        let bytes: Vec<u8> = self.counter.call("bytes", (n,))?;
        Ok(bytes.len() as i64)
    }
    fn blob(&self, n: i64) -> Result<i64, Error> {
        let blob: BlobBuf = self.counter.call("blob", (n,))?;
        Ok(blob.iter().map(|byte| i64::from(*byte)).sum())
    }
    fn sum(&self, n: i64) -> Result<i64, Error> {
        let data = vec![2; n as usize];
        self.counter.call("sum", (Blob::from(&data[..]),))
    }
    fn echo(&self, n: i64) -> Result<i64, Error> {
        let text: String = self.counter.call("echo", ("y".repeat(n as usize),))?;
        Ok(text.len() as i64)
    }
    fn types(&self) -> Result<String, Error> {
        let on = &self.counter;
        let b: bool = on.call("echo", (true,))?;
        let i: i32 = on.call("echo", (i32::MIN,))?;
        on.call::<i64>("echo", (i64::MIN,))?;
        let from_i32: i64 = on.call("echo", (-3i32,))?;
        let f: f32 = on.call("echo", (0.5f32,))?;
        let d: f64 = on.call("echo", (-2.25f64,))?;
        let from_f32: f64 = on.call("echo", (1.5f32,))?;
        let bytes: Vec<u8> = on.call("echo", (b"\0z",))?;
        let given: Option<i64> = on.call("void", ())?;
        assert_eq!(on.call::<Option<i64>>("echo", (i64::MIN,))?, Some(i64::MIN));
        let (b, given) = (i32::from(b), i32::from(given.is_some()));
        Ok(format!(
            "{} {} {} {} {} {} {} {}",
            b,
            i,
            from_i32,
            f,
            d,
            from_f32,
            bytes.len(),
            given
        ))
    }
    fn lent(&self, other: Lent<'_, Counter>) -> Result<i64, Error> {
        other.call("add", (1i64,))
    }
    fn back<'a>(&self, other: Lent<'a, Counter>) -> Lent<'a, Counter> {
        other
    }
    fn clone(&self) -> Result<Held<Counter>, Error> {
        self.counter.call("clone", ())
    }
    fn same(&self) -> Result<i64, Error> {
        let twice: Held<Counter> = self.counter.call("same", ())?;
        self.counter.call::<()>("echo", (&twice,))?;
        let again: Held<Counter> = self.counter.call("same", ())?;
        drop(twice);
        again.lend().call("get", ())
    }
    fn clock(&self) -> Result<i64, Error> {
        let (one, two) = (Clock::make(())?, Clock::make(())?);
        let first: i64 = one.call("now", ())?;
        drop(one);
        Ok(first + two.call::<i64>("now", ())?)
    }
    fn broken(&self, how: i64) -> Result<(), Error> {
        self.counter.call("break", (how,))
    }
    fn nothing(&self) -> Result<(), Error> {
        self.counter.call::<()>("void", ())?;
        self.counter.call::<()>("silent", ())?;
        self.counter.call::<()>("clone", ())?;
        self.counter.call("blob", (9i64,))
    }
    fn wrong(&self, what: &str) -> Result<Held<Counter>, Error> {
        let on = &self.counter;
        match what {
            "unlistedMethod" => Clock::make(())?.call("set", ())?,
            "refused" => drop(Secret::make(())?),
            "missing" => drop(Missing::make(())?),
            "missingMethod" => on.call("none", ())?,
            "type" => drop(on.call::<String>("get", ())?),
            "typeOfHold" => drop(on.call::<i64>("clone", ())?),
            "typeOfBlob" => drop(on.call::<i64>("blob", (9i64,))?),
            "void" => drop(on.call::<i64>("void", ())?),
            "birth" => on.call("birth", ())?,
            "otherBox" => drop(
                on.call::<Held<Clock>>("clone", ())?
                    .call::<i64>("now", ())?,
            ),
            "secondThoughts" => {
                let made = Counter::make(())?;
                made.call::<()>("none", ())?;
                return Ok(made);
            }
            _ => {}
        }
        Err("nothing went wrong".into())
    }
    fn keep(&self) -> Result<i64, Error> {
        let mut kept = KEPT.lock().unwrap();
        if kept.is_none() {
            *kept = Some(Counter::make(())?);
        }
        let counted = match &*kept {
            Some(kept) => kept.call("add", (1i64,)),
            None => Err("nothing is kept".into()),
        };
        if counted.is_err() {
            *kept = None;
        }
        counted
    }
    fn threads(&self) -> Result<(), Error> {
        let each = || -> Result<(), Error> {
            let made = Counter::make(())?;
            for n in 1..=50 {
                if made.call::<i64>("add", (1i64,))? != n {
                    return Err(Error::new(Code::Other(99), "another number"));
                }
            }
            Ok(())
        };
        let all: Vec<_> = (0..4).map(|_| thread::spawn(each)).collect();
        for thread in all {
            thread.join().map_err(|_| "it panicked")??;
        }
        Ok(())
    }
}

nyash::plugin! {
    use Counter as CounterBox;
    use Clock as ClockBox("now");
    use Secret as SecretBox;
    use Missing as MissingBox;
    use Events as EventBox("publish:file.*", "publish:dir.*");

    box User as UserBox (type_id = 5) {
        birth => new(start: Option<i64>);
        1 => add(n: i64) -> Result<i64, Error>;
        2 => get() -> Result<i64, Error>;
        3 => fresh(n: i64) -> Result<Held<Counter>, Error>;
        4 => badly() -> Result<Held<Counter>, Error>;
        5 => fail(code: i32, text: &str) -> Result<(), Error>;
        6 => text(n: i64) -> Result<i64, Error>;
        7 => bytes(n: i64) -> Result<i64, Error>;
        8 => blob(n: i64) -> Result<i64, Error>;
        9 => sum(n: i64) -> Result<i64, Error>;
        10 => echo(n: i64) -> Result<i64, Error>;
        11 => types() -> Result<String, Error>;
        12 => lent(other: Lent<Counter>) -> Result<i64, Error>;
        13 => back(other: Lent<Counter>) -> Lent<Counter>;
        14 => clone() -> Result<Held<Counter>, Error>;
        15 => same() -> Result<i64, Error>;
        16 => clock() -> Result<i64, Error>;
        17 => broken(how: i64) -> Result<(), Error>;
        18 => nothing() -> Result<(), Error>;
        19 => wrong(what: &str) -> Result<Held<Counter>, Error>;
        21 => keep() -> Result<i64, Error>;
        22 => threads() -> Result<(), Error>;
    }
}
