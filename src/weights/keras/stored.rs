//! A file's variables, gathered by layer.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use super::describe::{Described, numbered_name};
use super::layout::{self, Kind};
use crate::weights::hdf5::{Dataset, File};

/// The containers of a `.weights.h5`; the latter is Keras 2.12's.
const CONTAINERS: [&str; 2] = ["layers", "_layer_checkpoint_dependencies"];

/// The slots of a whole model's optimizer.
const OPTIMIZER: &str = "optimizer_weights";

/// The same of a `.weights.h5`.
const OPTIMIZER_ATTRIBUTE: &str = "optimizer";

/// Nobody nests more models than this in one; each costs a look at its attributes.
const MAX_MODELS: usize = 16;

/// Groups of several parts whose attributes are looked at.
const MAX_LOOKS: usize = 20_000;

/// A layer with its variables.
pub(super) struct StoredLayer {
    /// The model within the model that it lies in, or nothing; in a `.weights.h5` the path of
    /// its container.
    pub within: String,
    pub name: String,
    /// By name: `kernel`, `moving_mean`; in a `.weights.h5` by number.
    pub variables: BTreeMap<String, Dataset>,
    /// The same of those that are bytes, as a quantised layer has.
    pub integers: BTreeMap<String, Dataset>,
}

/// All layers of a file.
pub(super) struct Stored {
    /// Whether its variables are numbered, as in a `.weights.h5`.
    pub numbered: bool,
    /// Whether it is of a model that is a class of its own. Layers have the names that they have in
    /// Keras then, where the file says them.
    pub subclassed: bool,
    /// Those that have variables.
    pub layers: Vec<StoredLayer>,
    /// Whether they are in the order that the file states.
    pub ordered: bool,
    /// The names of all its groups, one of which each layer has, with variables or without.
    pub groups: BTreeSet<String>,
}

impl Stored {
    /// All layers of the files that are parts of one.
    pub fn read(parts: &[File]) -> Result<Self, String> {
        let listing = File::contents(parts)?;
        let datasets = listing.datasets;
        let numbered = datasets.iter().any(|d| numbered_place(&d.path).is_some());
        let subclassed = numbered && datasets.iter().any(is_attributes);
        let (mut layers, ordered) = match (numbered, parts) {
            (true, _) if subclassed => (attribute_layers(parts, datasets)?, false),
            (true, _) => (numbered_layers(datasets), false),
            (false, [file]) => named_layers(file, datasets)?,
            (false, _) => return Err("its parts have no numbered variables".into()),
        };
        // Counters, not weights.
        layers.retain(|layer| !layer.variables.is_empty());
        let name = |path: &String| path.rsplit('/').next().unwrap_or(path).to_owned();
        Ok(Self {
            numbered,
            subclassed,
            layers,
            ordered,
            groups: listing.groups.iter().map(name).collect(),
        })
    }

    /// Those of variables that are named `LAYER/VARIABLE`; `within` knows which model within the model a
    /// layer lies in.
    pub fn by_layer<'a>(variables: Vec<Dataset>, within: impl Fn(&str) -> Option<&'a str>) -> Self {
        let mut layers = BTreeMap::new();
        let mut known = HashSet::new();
        for data in variables {
            let path = data.path.clone();
            let place = path.rsplit_once('/').map(|(layer, variable)| {
                let layer = layer.rsplit('/').next().unwrap_or(layer);
                (layer.to_owned(), layout::variable(variable).to_owned())
            });
            match place {
                Some(place) if known.insert(place.clone()) => {
                    let (layer, variable) = place;
                    let within = within(&layer).unwrap_or_default().to_owned();
                    insert(&mut layers, (), within, layer, variable, data);
                }
                _ => unplaced(&mut layers, (), data),
            }
        }
        Self {
            numbered: false,
            subclassed: false,
            layers: layers.into_values().collect(),
            ordered: false,
            groups: BTreeSet::new(),
        }
    }

    /// Takes a layer out.
    pub fn take(&mut self, is_it: impl Fn(&StoredLayer) -> bool) -> Option<StoredLayer> {
        let at = self.layers.iter().position(is_it)?;
        Some(self.layers.remove(at))
    }
}

/// Takes the variables of a described layer out of a file.
pub(super) fn take(
    stored: &mut Stored,
    described: &Described<'_>,
    kind: Kind,
) -> Option<StoredLayer> {
    if stored.numbered {
        let name = numbered_name(kind.layout().name, described.number);
        return stored.take(|l| l.name == name && *l.within == *described.container);
    }
    let within = described.within.unwrap_or_default();
    stored.take(|l| l.name == described.name && l.within == within)
}

/// `[...]layers/CLASS[_NUMBER]/vars/INDEX`, or of a class of its own `[...]ATTRIBUTE/vars/INDEX`, as container,
/// layer and index.
fn numbered_place(path: &str) -> Option<(&str, &str, usize)> {
    let (path, index) = path.rsplit_once('/')?;
    let (layer, vars) = path.rsplit_once('/')?;
    let (container, layer) = layer.rsplit_once('/').unwrap_or(("", layer));
    let is_number = !index.is_empty() && index.bytes().all(|byte| byte.is_ascii_digit());
    let holds = vars == "vars" && is_number;
    Some((container, layer, index.parse().ok()?)).filter(|_| holds)
}

/// Whether something is a convolution's kernel under an attribute of a model or of a layer.
fn is_attributes(data: &Dataset) -> bool {
    let Some((within, _, _)) = numbered_place(&data.path) else {
        return false;
    };
    let outermost = data.path.split('/').next().unwrap_or_default();
    let innermost = within.rsplit('/').next().unwrap_or_default();
    let is_usual = CONTAINERS.contains(&outermost) && CONTAINERS.contains(&innermost);
    !is_usual && outermost != OPTIMIZER_ATTRIBUTE && data.shape.len() == 4
}

/// The layers of a `.weights.h5` of a model that is a class of its own.
fn attribute_layers(parts: &[File], datasets: Vec<Dataset>) -> Result<Vec<StoredLayer>, String> {
    let mut names: HashMap<String, Option<String>> = HashMap::new();
    let mut layers = BTreeMap::new();
    for data in datasets {
        let place = numbered_place(&data.path);
        // The optimizer's slots, and the sums and counts of metrics.
        if data.path.starts_with(&format!("{OPTIMIZER_ATTRIBUTE}/")) || data.shape.is_empty() {
            continue;
        }
        let Some((within, group, index)) = place else {
            unplaced(&mut layers, (), data);
            continue;
        };
        let path = data.path.rsplit_once('/').map_or("", |(path, _)| path);
        if !names.contains_key(path) {
            if names.len() * parts.len() > MAX_LOOKS {
                return Err("it has more layers in more parts than any MobileNet".into());
            }
            let mut found = None;
            for part in parts {
                let stated = part.texts(path, "name")?.into_iter().next();
                found = found.or(stated);
            }
            names.insert(path.to_owned(), found);
        }
        let (within, group, index) = (within.to_owned(), group.to_owned(), index.to_string());
        // Names are a model's own, wherever its layers lie.
        let (within, name) = match names.get(path) {
            Some(Some(name)) => (String::new(), name.clone()),
            _ => (within, group),
        };
        insert(&mut layers, (), within, name, index, data);
    }
    Ok(layers.into_values().collect())
}

/// The layers of a `.weights.h5`; the optimizer's slots and the metrics are in no container.
fn numbered_layers(datasets: Vec<Dataset>) -> Vec<StoredLayer> {
    let mut layers = BTreeMap::new();
    for data in datasets {
        let outermost = data.path.split('/').next().unwrap_or_default();
        if !CONTAINERS.contains(&outermost) {
            continue;
        }
        match numbered_place(&data.path) {
            Some((within, name, index)) => {
                let (within, name) = (within.to_owned(), name.to_owned());
                insert(&mut layers, (), within, name, index.to_string(), data);
            }
            None => unplaced(&mut layers, (), data),
        }
    }
    layers.into_values().collect()
}

/// The layers of an HDF5 file of weights or of a whole model, and whether it states their
/// order.
fn named_layers(file: &File, datasets: Vec<Dataset>) -> Result<(Vec<StoredLayer>, bool), String> {
    const WHOLE_MODEL: &str = "model_weights/";
    let whole = datasets.iter().any(|d| d.path.starts_with(WHOLE_MODEL));
    let root = if whole { WHOLE_MODEL } else { "" };
    let mut groups: BTreeMap<String, Vec<Dataset>> = BTreeMap::new();
    for mut data in datasets {
        if let Some(path) = data.path.strip_prefix(root) {
            data.path = path.to_owned();
        }
        let group = data.path.split('/').next().unwrap_or_default();
        if group != OPTIMIZER {
            groups.entry(group.to_owned()).or_default().push(data);
        }
    }
    let stated = file.texts(root.trim_end_matches('/'), "layer_names")?;
    let order = places(stated.iter().map(String::as_str));
    let ordered = groups
        .keys()
        .all(|group| order.contains_key(group.as_str()));
    let mut layers = BTreeMap::new();
    let mut models = 0;
    for (group, datasets) in groups {
        let place = order.get(group.as_str()).copied();
        let inner = |data: &Dataset| named_place(&data.path).map(|(_, name, _)| name.to_owned());
        let names: BTreeSet<_> = datasets.iter().map(inner).collect();
        let is_model = names.len() > 1;
        models += usize::from(is_model);
        let inner_order = match is_model && models <= MAX_MODELS {
            true => file.texts(&format!("{root}{group}"), "weight_names")?,
            false => Vec::new(),
        };
        let inner_order = places(inner_order.iter().filter_map(|n| n.rsplit('/').nth(1)));
        for data in datasets {
            match named_place(&data.path) {
                Some((_, name, part)) if is_model => {
                    let place = (place, inner_order.get(name).copied());
                    let (name, part) = (name.to_owned(), part.to_owned());
                    insert(&mut layers, place, group.clone(), name, part, data);
                }
                Some((name, _, part)) => {
                    let (name, part) = (name.to_owned(), part.to_owned());
                    insert(&mut layers, (place, None), String::new(), name, part, data);
                }
                None => unplaced(&mut layers, (place, None), data),
            }
        }
    }
    Ok((layers.into_values().collect(), ordered))
}

/// `GROUP/.../LAYER/VARIABLE[:0]` as group, layer and variable.
fn named_place(path: &str) -> Option<(&str, &str, &str)> {
    let (group, rest) = path.split_once('/')?;
    let (layer, variable) = rest.rsplit_once('/')?;
    let layer = layer.rsplit('/').next()?;
    Some((group, layer, layout::variable(variable)))
}

/// At which place of a list each name stands first.
fn places<'a>(names: impl Iterator<Item = &'a str>) -> HashMap<&'a str, usize> {
    let mut places = HashMap::new();
    for (place, name) in names.enumerate() {
        places.entry(name).or_insert(place);
    }
    places
}

/// Layers by their place in the file, then their container and name.
type Layers<Place> = BTreeMap<(Place, String, String), StoredLayer>;

fn insert<Place: Ord>(
    layers: &mut Layers<Place>,
    place: Place,
    within: String,
    name: String,
    variable: String,
    data: Dataset,
) {
    let layer = layers
        .entry((place, within, name))
        .or_insert_with_key(|(_, within, name)| StoredLayer {
            within: within.clone(),
            name: name.clone(),
            variables: BTreeMap::new(),
            integers: BTreeMap::new(),
        });
    let variables = match data.is_bytes {
        true => &mut layer.integers,
        false => &mut layer.variables,
    };
    variables.insert(variable, data);
}

/// What lies where no layer's variable does is a layer of its own, that no network has.
fn unplaced<Place: Ord>(layers: &mut Layers<Place>, place: Place, data: Dataset) {
    let name = data.path.clone();
    insert(layers, place, String::new(), name, String::new(), data);
}
