//! The values of a pickle that stand for tensors.

use ::safetensors::Dtype;

use super::pickle::{Id, Pickle, Value};

/// A tensor as a pickle describes it, in numbers of its storage.
pub(super) struct Described {
    pub name: String,
    pub dtype: Dtype,
    /// The name of the file with its numbers.
    pub storage: String,
    pub offset: usize,
    pub shape: Vec<usize>,
    /// As many as the shape has sides.
    pub strides: Vec<usize>,
}

/// Where training programs keep a network's weights beside other things.
const PLACES: [&str; 5] = [
    "state_dict",
    "model_state_dict",
    "model",
    "state_dict_ema",
    "model_ema",
];

/// A MobileNet V1 has 164 tensors, 137 of them in use.
const MAX_ENTRIES: usize = 10_000;

/// More sides than a convolution's weight has.
const MAX_SIDES: usize = 8;

/// The tensors of a file that is a state_dict, or has one among other things.
pub(super) fn state_dict(pickle: &Pickle) -> Result<Vec<Described>, String> {
    let Value::Dict(entries) = pickle.value(pickle.root) else {
        return Err(match class_of(pickle, pickle.root) {
            Some((module, class)) => format!(
                "it is a whole Python object ({module}.{class}), which only its program can make: save \
                 its state_dict() instead"
            ),
            None => "it is no state_dict".into(),
        });
    };
    let tensors = all(pickle, entries)?;
    if !tensors.is_empty() {
        return Ok(tensors);
    }
    let mut found = Vec::new();
    for place in PLACES {
        let entry = entries
            .iter()
            .find(|(key, _)| pickle.text(*key) == Some(place));
        if let Some((_, value)) = entry
            && let Value::Dict(entries) = pickle.value(*value)
        {
            let tensors = all(pickle, entries)?;
            if !tensors.is_empty() {
                found.push((place, tensors));
            }
        }
    }
    match found.len() {
        0 => Err("a PyTorch file without a network's tensors".into()),
        1 => Ok(found.swap_remove(0).1),
        _ => {
            let places: Vec<&str> = found.iter().map(|(place, _)| *place).collect();
            Err(format!(
                "it has several networks ({}): save the one that is meant by itself",
                places.join(", ")
            ))
        }
    }
}

/// The tensors of a dictionary, by their names.
fn all(pickle: &Pickle, entries: &[(Id, Id)]) -> Result<Vec<Described>, String> {
    if entries.len() > MAX_ENTRIES {
        return Err(format!("it has {} entries", entries.len()));
    }
    let mut found: Vec<Described> = Vec::new();
    for (key, value) in entries {
        let Some(name) = pickle.text(*key) else {
            continue;
        };
        let described = tensor(pickle, name, *value);
        if let Some(tensor) = described.map_err(|reason| format!("{name}: {reason}"))? {
            // What is set twice is what it was set to last.
            found.retain(|other| other.name != tensor.name);
            found.push(tensor);
        }
    }
    Ok(found)
}

fn class_of(pickle: &Pickle, id: Id) -> Option<(&str, &str)> {
    match pickle.value(id) {
        Value::Made { callable, .. } => match pickle.value(*callable) {
            Value::Class { module, class } => Some((module, class)),
            _ => None,
        },
        _ => None,
    }
}

fn arguments(pickle: &Pickle, id: Id) -> &[Id] {
    match pickle.value(id) {
        Value::Tuple(items) | Value::List(items) => items,
        Value::Made { args, .. } => match pickle.value(*args) {
            Value::Tuple(items) => items,
            _ => &[],
        },
        _ => &[],
    }
}

/// A tensor, if the value is one.
fn tensor(pickle: &Pickle, name: &str, id: Id) -> Result<Option<Described>, String> {
    // A parameter is a tensor in another dress.
    let id = match (class_of(pickle, id), arguments(pickle, id)) {
        (Some(("torch._utils", "_rebuild_parameter")), [inner, ..]) => *inner,
        _ => id,
    };
    let Some(class) = class_of(pickle, id) else {
        return Ok(None);
    };
    let items = arguments(pickle, id);
    match (class, items) {
        (
            ("torch._utils", "_rebuild_tensor" | "_rebuild_tensor_v2"),
            [storage, offset, shape, strides, ..],
        ) => {
            let sides = |id: Id| {
                let items = arguments(pickle, id);
                let sides = items.iter().map(|item| pickle.size(*item));
                let sides: Option<Vec<usize>> = sides.collect();
                sides.filter(|sides| sides.len() <= MAX_SIDES)
            };
            let (shape, strides) = (sides(*shape), sides(*strides));
            let (Some(offset), Some(shape), Some(strides)) = (pickle.size(*offset), shape, strides)
            else {
                return Err("its shape is not understood".into());
            };
            if shape.len() != strides.len() {
                return Err("its shape and its strides differ".into());
            }
            let Value::Persistent(id) = pickle.value(*storage) else {
                return Err(unknown());
            };
            let Storage {
                dtype,
                name: storage,
                offset: start,
            } = self::storage(pickle, *id)?;
            let offset = offset.checked_add(start).ok_or_else(unknown)?;
            Ok(Some(Described {
                name: name.into(),
                dtype,
                storage: storage.into(),
                offset,
                shape,
                strides,
            }))
        }
        (("torch._utils", other), _) if other.starts_with("_rebuild") => {
            Err(format!("it is made by {other}, which is not supported"))
        }
        _ => Ok(None),
    }
}

fn unknown() -> String {
    "its numbers are kept in a way that is not known".into()
}

/// The names of all storages that a pickle speaks of, and how many bytes a number of each has.
pub(super) fn storages(pickle: &Pickle) -> impl Iterator<Item = (&str, usize)> {
    pickle.values().filter_map(|value| match value {
        Value::Persistent(id) => {
            let storage = storage(pickle, *id).ok()?;
            Some((storage.name, storage.dtype.bitsize() / 8))
        }
        _ => None,
    })
}

/// Where a tensor's numbers lie.
struct Storage<'a> {
    dtype: Dtype,
    /// The name of their file, or of their part of it.
    name: &'a str,
    /// Of a view of another storage, in numbers: old files have such.
    offset: usize,
}

fn storage(pickle: &Pickle, id: Id) -> Result<Storage<'_>, String> {
    let [_, class, key, rest @ ..] = arguments(pickle, id) else {
        return Err(unknown());
    };
    let (Value::Class { class, .. }, Some(name)) = (pickle.value(*class), pickle.text(*key)) else {
        return Err(unknown());
    };
    // Behind the place and the length: the view's own name, its offset, its length.
    let offset = match rest {
        [_, _, view, ..] => match arguments(pickle, *view) {
            [_, offset, ..] => pickle.size(*offset).ok_or_else(unknown)?,
            _ => 0,
        },
        _ => 0,
    };
    let dtype = match class.as_str() {
        "FloatStorage" => Dtype::F32,
        "DoubleStorage" => Dtype::F64,
        "HalfStorage" => Dtype::F16,
        "BFloat16Storage" => Dtype::BF16,
        "LongStorage" => Dtype::I64,
        "IntStorage" => Dtype::I32,
        "ShortStorage" => Dtype::I16,
        "CharStorage" => Dtype::I8,
        "ByteStorage" => Dtype::U8,
        "BoolStorage" => Dtype::BOOL,
        other => {
            return Err(format!(
                "its numbers are of a {other}, which is not supported"
            ));
        }
    };
    Ok(Storage {
        dtype,
        name,
        offset,
    })
}
