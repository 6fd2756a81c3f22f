//! The resources that a mirror takes in at the moment, noted where the next mirror finds them: one
//! whose VM has trapped on a resource must not meet it again.
//!
//! Before a mirror takes a message in, it notes the resources in it. The next mirror finds that
//! note if the VM has trapped on the message: it takes those resources in one by one, for which it
//! refuses messages that have them with others. If the VM traps on one of them again, that version
//! of it is refused from then on, and its name has no value. One trap alone tells nothing: the VM
//! may have been short of memory for something else.

use std::collections::BTreeSet;

use crate::mirror_wire::Response;

/// The most resources that are kept as refused. Each is a defect of this program, and has cost two
/// VMs.
const REFUSED_MAX: usize = 64;

/// Between resources in a note. No name and no version has it.
const BETWEEN: &str = "\n";

/// The first line of the note of one suspect.
const AGAIN: &str = "again";

/// The resources that VMs have trapped on, or may have.
#[derive(Debug, Default)]
pub(super) struct Trials {
    suspects: BTreeSet<String>,
    refused: BTreeSet<String>,
}

/// The treatment of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict<'a> {
    /// It is taken in.
    Take,
    /// It has a suspect together with other resources.
    Split,
    /// It is the resource of this name, and a VM has trapped on it.
    Refuse(&'a str),
}

impl Trials {
    /// Reads what earlier mirrors left: a note, and the list of refused resources.
    pub(super) fn left(note: &[u8], refused: &[u8]) -> Self {
        let mut trials = Self { suspects: lines(note), refused: lines(refused) };
        if trials.suspects.remove(AGAIN) && trials.refused.len() < REFUSED_MAX {
            trials.refused.append(&mut trials.suspects);
        }
        trials
    }

    /// The list of refused resources, for the next mirror.
    pub(super) fn refused(&self) -> Vec<u8> {
        joined(self.refused.iter().map(String::as_str))
    }

    /// The note of a message that is about to be taken in.
    pub(super) fn note(&self, response: &Response<'_>) -> Vec<u8> {
        let again = match response.resources.as_slice() {
            [_] if !self.suspects.is_empty() => {
                names(response).any(|line| self.suspects.contains(&line))
            }
            _ => false,
        };
        joined(again.then(|| AGAIN.to_owned()).into_iter().chain(names(response)))
    }

    pub(super) fn verdict<'a>(&self, response: &Response<'a>) -> Verdict<'a> {
        if self.suspects.is_empty() && self.refused.is_empty() {
            return Verdict::Take;
        }
        let mut of_message = names(response).zip(&response.resources);
        let listed = |line: &String| self.refused.contains(line) || self.suspects.contains(line);
        let Some((line, part)) = of_message.find(|(line, _)| listed(line)) else {
            return Verdict::Take;
        };
        if response.resources.len() + response.removed.len() > 1 {
            Verdict::Split
        } else if self.refused.contains(&line) {
            Verdict::Refuse(part.name)
        } else {
            Verdict::Take
        }
    }

    /// Takes in that nothing of a message made the VM trap.
    pub(super) fn survived(&mut self, response: &Response<'_>) {
        if !self.suspects.is_empty() {
            for line in names(response) {
                self.suspects.remove(&line);
            }
        }
    }
}

fn names(response: &Response<'_>) -> impl Iterator<Item = String> {
    let kind = response.type_url;
    response.resources.iter().map(move |part| format!("{kind} {} {}", part.version, part.name))
}

fn joined(lines: impl Iterator<Item = impl AsRef<str>>) -> Vec<u8> {
    let mut text = Vec::new();
    for line in lines {
        text.extend_from_slice(line.as_ref().as_bytes());
        text.extend_from_slice(BETWEEN.as_bytes());
    }
    text
}

fn lines(text: &[u8]) -> BTreeSet<String> {
    let text = std::str::from_utf8(text).unwrap_or_default();
    text.split(BETWEEN).filter(|line| !line.is_empty()).map(str::to_owned).collect()
}
