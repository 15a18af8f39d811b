//! Near-duplicates: groups of pictures that look alike, and which of a group to keep.

use std::ffi::{OsStr, OsString};
use std::fs;
use std::time::SystemTime;

use anyhow::Result;
use clap::ValueEnum;
use mobilenet::dataset::Input;
use mobilenet::pixels::{DecodeOptions, Orientation, dimensions};
use mobilenet::similarity::{Collection, Group, Grouped};

use super::interrupt::Interrupt;
use super::options::STDIN;
use super::progress::Comparing;
use super::transparency::Transparency;
use super::{Global, note};

/// Which picture of a group is kept.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub enum Keep {
    /// The one of the most pixels; of as many, of the most bytes
    #[default]
    Largest,
    /// The one of the most bytes for each pixel; of as many, of the most pixels
    LeastCompressed,
    /// The one that was changed last the longest ago; at the same time, the largest
    Oldest,
}

/// What a picture's file says of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Facts {
    /// As it is seen, turned upright.
    pub width: u32,
    pub height: u32,
    pub bytes: u64,
    changed: Option<SystemTime>,
}

impl Facts {
    /// Of a file that can be read, and is still a picture.
    fn of(name: &OsStr, decode: &DecodeOptions) -> Option<Self> {
        // Its bytes came once.
        if name == STDIN {
            return None;
        }
        let metadata = fs::metadata(name).ok().filter(fs::Metadata::is_file)?;
        let size = |bytes: &[u8]| Ok(dimensions(bytes).map(|size| (size, Orientation::of(bytes))));
        let ((width, height), lies) = Input::file(name).decode(decode, size).ok()??;
        let (width, height) = if decode.exif_orientation && is_on_its_side(lies) {
            (height, width)
        } else {
            (width, height)
        };
        Some(Self {
            width,
            height,
            bytes: metadata.len(),
            changed: metadata.modified().ok(),
        })
    }

    fn pixels(&self) -> u64 {
        u64::from(self.width) * u64::from(self.height)
    }

    /// Less where this one is to be kept rather than the other.
    fn against(&self, other: &Self, keep: Keep) -> std::cmp::Ordering {
        let largest = || {
            let size = other.pixels().cmp(&self.pixels());
            size.then(other.bytes.cmp(&self.bytes))
        };
        match keep {
            Keep::Largest => largest(),
            Keep::LeastCompressed => {
                // a / b against c / d, without a fraction.
                let share = |a: &Self, b: &Self| u128::from(a.bytes) * u128::from(b.pixels());
                share(other, self)
                    .cmp(&share(self, other))
                    .then_with(largest)
            }
            // What says nothing of its age is young.
            Keep::Oldest => {
                let age = |it: &Self| (it.changed.is_none(), it.changed);
                age(self).cmp(&age(other)).then_with(largest)
            }
        }
    }
}

fn is_on_its_side(lies: Orientation) -> bool {
    matches!(
        lies,
        Orientation::Transposed
            | Orientation::Rotated90
            | Orientation::Transversed
            | Orientation::Rotated270
    )
}

/// What makes pictures copies of each other, and which copy is kept.
pub struct Rule {
    /// The similarity from which on two are alike.
    pub threshold: f32,
    pub keep: Keep,
    pub decode: DecodeOptions,
}

/// A picture of a group.
pub struct Member {
    /// Its number among all pictures.
    pub number: usize,
    /// Nothing where its file can't be read.
    pub facts: Option<Facts>,
    /// Whether it is kept; nothing where that can't be told.
    pub kept: Option<bool>,
}

impl Member {
    /// Whether there is one that is kept in its place.
    pub fn is_extra(&self) -> bool {
        self.kept == Some(false)
    }
}

/// A group with what its files say.
pub struct FoundGroup {
    pub members: Vec<Member>,
    /// The least similarity of any two of it, and the greatest.
    pub lowest: f32,
    pub highest: f32,
    /// Whether two of it are linked by others alone.
    pub is_chain: bool,
}

/// Finds the groups among pictures of these names; nothing where the program is asked to stop before the end.
pub fn find(
    pictures: Collection,
    names: &[OsString],
    rule: &Rule,
    global: Global,
) -> Result<Option<Vec<FoundGroup>>> {
    let interrupt = Interrupt::watch();
    let progress = Comparing::new(global);
    let mut transparency = Transparency::new(names, rule.decode.clone());
    let may_be_copies = |a, b| transparency.may_be_copies(a, b);
    let found = pictures.groups_where(rule.threshold, may_be_copies, |share| {
        progress.done(share);
        !interrupt.happened()
    })?;
    drop(progress);
    let Some(found) = found else {
        return Ok(None);
    };
    let mut groups = Vec::new();
    for group in &found.groups {
        if interrupt.happened() {
            return Ok(None);
        }
        groups.push(FoundGroup {
            members: members(group, &found, rule, names, &mut transparency)?,
            lowest: group.lowest,
            highest: group.highest,
            is_chain: group.lowest < rule.threshold,
        });
    }
    if !global.quiet {
        tell_doubts(&groups, &transparency, global);
    }
    Ok(Some(groups))
}

/// Says of what nothing is known.
fn tell_doubts(groups: &[FoundGroup], transparency: &Transparency, global: Global) {
    let members = groups.iter().flat_map(|group| &group.members);
    let unread = members.filter(|member| member.kept.is_none()).count();
    if unread > 0 {
        note(&format!(
            "pictures of groups that can't be read, so that none is kept or left in their place: {unread}"
        ));
    }
    let unseen = transparency.unseen();
    if unseen > 0 && global.verbose {
        note(&format!(
            "pictures that can't be read again to compare their transparency: {unseen}"
        ));
    }
}

/// The pictures of a group in their order.
///
/// One that is alike one that goes before it and is kept is an extra. So of pictures that are all alike
/// one is kept, and of a chain, whose ends may differ, as many as it takes for every extra to be like one of them. What
/// can't be read is neither: nothing is held against it, and it stands in for nothing.
fn members(
    group: &Group,
    found: &Grouped,
    rule: &Rule,
    names: &[OsString],
    transparency: &mut Transparency,
) -> Result<Vec<Member>> {
    let member = |&number: &usize| Member {
        number,
        facts: Facts::of(&names[number], &rule.decode),
        kept: None,
    };
    let mut members: Vec<Member> = group.members.iter().map(member).collect();
    let known = members.iter().enumerate();
    let known = known.filter_map(|(place, member)| Some((place, member.facts?)));
    let mut known: Vec<(usize, Facts)> = known.collect();
    // It is stable: of equal ones the first.
    known.sort_by(|(_, a), (_, b)| a.against(b, rule.keep));
    let mut kept: Vec<usize> = Vec::new();
    for (place, _) in known {
        let number = members[place].number;
        let mut has_one = false;
        for &other in &kept {
            has_one = found.similarity(number, other)? >= rule.threshold
                && transparency.may_be_copies(number, other);
            if has_one {
                break;
            }
        }
        members[place].kept = Some(!has_one);
        if !has_one {
            kept.push(number);
        }
    }
    Ok(members)
}
