//! A pickle's values, without running what it asks for.
//!
//! Values lie in one list and are known by their numbers in it, so that what is named many times is there
//! once, and however deep they lie within each other nothing recurses.

use std::collections::HashMap;

/// A value's number.
pub(super) type Id = usize;

/// A value, as far as tensors need it.
#[derive(Debug)]
pub(super) enum Value {
    Text(String),
    Number(i64),
    Flag(bool),
    Tuple(Vec<Id>),
    List(Vec<Id>),
    Dict(Vec<(Id, Id)>),
    Class {
        module: String,
        class: String,
    },
    /// What would come of a call.
    Made {
        callable: Id,
        args: Id,
    },
    /// What lies outside of the pickle.
    Persistent(Id),
    /// Anything else: nothing, a float, bytes.
    Other,
}

/// The values of a pickle.
pub(super) struct Pickle {
    values: Vec<Value>,
    pub root: Id,
}

type Result<T> = std::result::Result<T, String>;

impl Pickle {
    /// Goes through a pickle.
    pub fn read(program: &[u8]) -> Result<Self> {
        Self::read_part(program).map(|(pickle, _)| pickle)
    }

    /// Goes through one that others may follow; and how many bytes it has.
    pub fn read_part(program: &[u8]) -> Result<(Self, usize)> {
        let mut machine = Machine {
            rest: program,
            values: Vec::new(),
            stack: Vec::new(),
            marks: Vec::new(),
            memo: HashMap::new(),
        };
        while machine.step()? {}
        let root = machine.pop()?;
        let length = program.len() - machine.rest.len();
        let values = machine.values;
        Ok((Self { values, root }, length))
    }

    /// All values.
    pub fn values(&self) -> impl Iterator<Item = &Value> {
        self.values.iter()
    }

    pub fn value(&self, id: Id) -> &Value {
        self.values.get(id).unwrap_or(&Value::Other)
    }

    pub fn text(&self, id: Id) -> Option<&str> {
        match self.value(id) {
            Value::Text(text) => Some(text),
            _ => None,
        }
    }

    /// A number from 0 on.
    pub fn size(&self, id: Id) -> Option<usize> {
        match self.value(id) {
            Value::Number(number) => usize::try_from(*number).ok(),
            _ => None,
        }
    }
}

fn damaged(reason: &str) -> String {
    format!("truncated or damaged pickle ({reason})")
}

struct Machine<'a> {
    rest: &'a [u8],
    values: Vec<Value>,
    stack: Vec<Id>,
    /// Where on the stack the open marks are.
    marks: Vec<usize>,
    memo: HashMap<u32, Id>,
}

impl<'a> Machine<'a> {
    fn take(&mut self, length: usize) -> Result<&'a [u8]> {
        let (taken, rest) = self
            .rest
            .split_at_checked(length)
            .ok_or_else(|| damaged("it ends too early"))?;
        self.rest = rest;
        Ok(taken)
    }

    /// A little-endian number of at most eight bytes.
    fn number(&mut self, bytes: usize) -> Result<u64> {
        let bytes = self.take(bytes)?.iter().rev();
        Ok(bytes.fold(0, |number, &byte| number << 8 | u64::from(byte)))
    }

    fn length(&mut self, bytes: usize) -> Result<usize> {
        let length = self.number(bytes)?;
        usize::try_from(length).map_err(|_| damaged("it ends too early"))
    }

    fn text(&mut self, length: usize) -> Result<String> {
        let text = self.take(length)?.to_vec();
        String::from_utf8(text).map_err(|_| damaged("a text is not UTF-8"))
    }

    fn line(&mut self) -> Result<String> {
        let end = memchr::memchr(b'\n', self.rest);
        let end = end.ok_or_else(|| damaged("it ends too early"))?;
        let line = self.text(end)?;
        self.take(1)?;
        Ok(line)
    }

    fn push(&mut self, value: Value) {
        self.stack.push(self.values.len());
        self.values.push(value);
    }

    fn pop(&mut self) -> Result<Id> {
        // Nothing is taken from below a mark.
        let floor = self.marks.last().copied().unwrap_or(0);
        let above = self.stack.len() > floor;
        let popped = if above { self.stack.pop() } else { None };
        popped.ok_or_else(|| damaged("it takes what is not there"))
    }

    fn last(&self) -> Result<Id> {
        let last = self.stack.last().copied();
        last.ok_or_else(|| damaged("it takes what is not there"))
    }

    fn pop_to_mark(&mut self) -> Result<Vec<Id>> {
        let mark = self.marks.pop();
        let mark = mark.filter(|mark| *mark <= self.stack.len());
        let mark = mark.ok_or_else(|| damaged("a mark is missing"))?;
        Ok(self.stack.split_off(mark))
    }

    fn pop_some(&mut self, count: usize) -> Result<Vec<Id>> {
        let mut items = Vec::with_capacity(count);
        for _ in 0..count {
            items.push(self.pop()?);
        }
        items.reverse();
        Ok(items)
    }

    /// Adds entries to the dictionary on top; what is something else is not of interest.
    fn set(&mut self, items: &[Id]) -> Result<()> {
        let last = self.last()?;
        if let Some(Value::Dict(entries)) = self.values.get_mut(last) {
            let (pairs, _) = items.as_chunks::<2>();
            entries.extend(pairs.iter().map(|[key, value]| (*key, *value)));
        }
        Ok(())
    }

    fn append(&mut self, items: &[Id]) -> Result<()> {
        let last = self.last()?;
        if let Some(Value::List(list)) = self.values.get_mut(last) {
            list.extend(items);
        }
        Ok(())
    }

    fn call(&mut self) -> Result<()> {
        let args = self.pop()?;
        let callable = self.pop()?;
        let is_dict = matches!(
            self.values.get(callable),
            Some(Value::Class { module, class })
                if module == "collections" && (class == "OrderedDict" || class == "defaultdict")
        );
        self.push(match is_dict {
            true => Value::Dict(Vec::new()),
            false => Value::Made { callable, args },
        });
        Ok(())
    }

    fn remember(&mut self, key: u32) -> Result<()> {
        let last = self.last()?;
        self.memo.insert(key, last);
        Ok(())
    }

    fn recall(&mut self, key: u64) -> Result<()> {
        let key = u32::try_from(key).ok();
        let found = key.and_then(|key| self.memo.get(&key));
        let found = found.ok_or_else(|| damaged("it recalls what it never kept"))?;
        self.stack.push(*found);
        Ok(())
    }

    /// One operation; whether there are more.
    fn step(&mut self) -> Result<bool> {
        let operation = self.number(1)? as u8;
        match operation {
            // PROTO, FRAME
            0x80 => drop(self.take(1)?),
            0x95 => drop(self.take(8)?),
            b'.' => return Ok(false),
            b'(' => self.marks.push(self.stack.len()),
            b'0' => drop(self.pop()?),
            b'1' => drop(self.pop_to_mark()?),
            b'2' => {
                let last = self.last()?;
                self.stack.push(last);
            }
            // BINPUT, LONG_BINPUT, MEMOIZE; BINGET, LONG_BINGET
            b'q' | b'r' => {
                let bytes = if operation == b'q' { 1 } else { 4 };
                let key = self.number(bytes)? as u32;
                self.remember(key)?;
            }
            0x94 => self.remember(self.memo.len() as u32)?,
            b'h' => {
                let key = self.number(1)?;
                self.recall(key)?;
            }
            b'j' => {
                let key = self.number(4)?;
                self.recall(key)?;
            }
            // NEWTRUE, NEWFALSE; NONE, BINFLOAT
            0x88 | 0x89 => self.push(Value::Flag(operation == 0x88)),
            b'N' => self.push(Value::Other),
            b'G' => {
                self.take(8)?;
                self.push(Value::Other);
            }
            // BININT1, BININT2, BININT, LONG1
            b'K' | b'M' => {
                let bytes = if operation == b'K' { 1 } else { 2 };
                let number = self.number(bytes)? as i64;
                self.push(Value::Number(number));
            }
            b'J' => {
                let number = self.number(4)? as u32;
                self.push(Value::Number(i64::from(number.cast_signed())));
            }
            0x8a => {
                let length = self.length(1)?;
                let bytes = self.take(length)?;
                // What has more is of no interest: it is no size of anything.
                let value = match bytes {
                    [] => Value::Number(0),
                    [.., last] if bytes.len() <= 8 => {
                        let sign = if last & 0x80 == 0 { 0 } else { 0xff };
                        let mut all = [sign; 8];
                        all[..bytes.len()].copy_from_slice(bytes);
                        Value::Number(i64::from_le_bytes(all))
                    }
                    _ => Value::Other,
                };
                self.push(value);
            }
            // BINUNICODE, SHORT_BINUNICODE, BINUNICODE8; Python 2's BINSTRING, SHORT_BINSTRING
            b'X' | 0x8c | 0x8d | b'T' | b'U' => {
                let length = match operation {
                    b'X' | b'T' => self.length(4)?,
                    0x8d => self.length(8)?,
                    _ => self.length(1)?,
                };
                let text = self.text(length)?;
                self.push(Value::Text(text));
            }
            // BINBYTES, SHORT_BINBYTES
            b'B' | b'C' => {
                let length = self.length(if operation == b'B' { 4 } else { 1 })?;
                self.take(length)?;
                self.push(Value::Other);
            }
            b')' => self.push(Value::Tuple(Vec::new())),
            b']' => self.push(Value::List(Vec::new())),
            b'}' => self.push(Value::Dict(Vec::new())),
            // EMPTY_SET, ADDITEMS
            0x8f => self.push(Value::Other),
            0x90 => drop(self.pop_to_mark()?),
            b't' => {
                let items = self.pop_to_mark()?;
                self.push(Value::Tuple(items));
            }
            b'l' => {
                let items = self.pop_to_mark()?;
                self.push(Value::List(items));
            }
            // TUPLE1, TUPLE2, TUPLE3
            0x85..=0x87 => {
                let items = self.pop_some(usize::from(operation - 0x84))?;
                self.push(Value::Tuple(items));
            }
            b'd' => {
                let items = self.pop_to_mark()?;
                self.push(Value::Dict(Vec::new()));
                self.set(&items)?;
            }
            b's' => {
                let items = self.pop_some(2)?;
                self.set(&items)?;
            }
            b'u' => {
                let items = self.pop_to_mark()?;
                self.set(&items)?;
            }
            b'a' => {
                let item = self.pop()?;
                self.append(&[item])?;
            }
            b'e' => {
                let items = self.pop_to_mark()?;
                self.append(&items)?;
            }
            // GLOBAL, STACK_GLOBAL
            b'c' => {
                let (module, class) = (self.line()?, self.line()?);
                self.push(Value::Class { module, class });
            }
            0x93 => {
                let (class, module) = (self.pop()?, self.pop()?);
                let name = |id: Id| match self.values.get(id) {
                    Some(Value::Text(text)) => Ok(text.clone()),
                    _ => Err(damaged("a class without a name")),
                };
                let (module, class) = (name(module)?, name(class)?);
                self.push(Value::Class { module, class });
            }
            // REDUCE, NEWOBJ
            b'R' | 0x81 => self.call()?,
            // BUILD: what it would change of an object is not of interest.
            b'b' => drop(self.pop()?),
            b'Q' => {
                let id = self.pop()?;
                self.push(Value::Persistent(id));
            }
            other => {
                return Err(format!(
                    "its pickle has the operation {other:#04x}, which is not known"
                ));
            }
        }
        Ok(true)
    }
}
