//! What a case is called: `update/kube-2/after+unkey-1/kill` is the workflow `update`, whose second request to Kubernetes is cut after
//! its commit, and then the operator killed after the next call to Unkey.

use std::fmt;
use std::str::FromStr;

use crate::workflow::Workflow;

/// Whom a request goes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Channel {
    Kube,
    Unkey,
}

/// What happens to a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Harm {
    /// The connection is cut before it is forwarded.
    Before,
    /// It is carried out, and the connection cut in place of the answer.
    After,
    /// It is carried out, and the operator gets SIGKILL in place of the answer.
    Kill,
    /// Answered 404 without proof that the object is gone; not carried out. Kubernetes only.
    Missing,
    /// Answered with that refusal; not carried out. Kubernetes only.
    Refused(Refusal),
    /// Its connection falls silent, with neither an answer nor an end, before it is carried out. Kubernetes only.
    Silent,
    /// The same after it is carried out. Kubernetes only.
    SilentAfter,
}

/// How the API server, or who decides on admission for it, refuses a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// 403, as of a webhook or without the right.
    Forbidden,
    /// 409, as of a webhook that chose it.
    Conflict,
    /// 422 that names no causes: a webhook's, and of the same form as a failed test of a patch.
    Unprocessable,
    /// 422 that names a field, as of the schema.
    Invalid,
    /// 429 with `Retry-After: 1`.
    TooMany,
    /// 500, as when a webhook cannot be called.
    Internal,
}

/// One fault: what happens to which request, counted from 1 since the user acted or since the fault before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cut {
    pub channel: Channel,
    pub request: u64,
    pub harm: Harm,
}

/// A workflow and its faults in order; without any it is the reference.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Case {
    pub workflow: Workflow,
    pub cuts: Vec<Cut>,
}

impl Case {
    /// One of its faults is silence.
    pub fn is_silent(&self) -> bool {
        self.cuts.iter().any(|cut| cut.harm.is_silent())
    }

    /// All of its faults are cuts and crashes.
    pub fn is_cut(&self) -> bool {
        self.cuts.iter().all(|cut| Harm::CUTS.contains(&cut.harm))
    }
}

const CHANNELS: [(Channel, &str); 2] = [(Channel::Kube, "kube"), (Channel::Unkey, "unkey")];
const HARMS: [(Harm, &str); 12] = [
    (Harm::Before, "before"),
    (Harm::After, "after"),
    (Harm::Kill, "kill"),
    (Harm::Missing, "404"),
    (Harm::Refused(Refusal::Forbidden), "403"),
    (Harm::Refused(Refusal::Conflict), "409"),
    (Harm::Refused(Refusal::Unprocessable), "422"),
    (Harm::Refused(Refusal::Invalid), "422-causes"),
    (Harm::Refused(Refusal::TooMany), "429"),
    (Harm::Refused(Refusal::Internal), "500"),
    (Harm::Silent, "silent"),
    (Harm::SilentAfter, "silent-after"),
];

fn word<T: PartialEq>(all: &[(T, &'static str)], it: &T) -> &'static str {
    all.iter().find(|(one, _)| one == it).map_or("?", |(_, word)| word)
}

fn meant<T: Copy>(all: &[(T, &str)], word: &str) -> Result<T, String> {
    all.iter().find(|(_, known)| *known == word).map(|(it, _)| *it).ok_or_else(|| format!("what is '{word}'?"))
}

impl Harm {
    /// Cuts and crashes, which may befall any request.
    pub const CUTS: [Self; 3] = [Self::Before, Self::After, Self::Kill];

    /// It is noticed only by a clock, after seconds in which nothing happens.
    pub fn is_silent(self) -> bool {
        matches!(self, Self::Silent | Self::SilentAfter)
    }

    /// All that may befall a request of that channel.
    pub fn all(channel: Channel) -> impl Iterator<Item = Self> {
        HARMS
            .into_iter()
            .map(|(harm, _)| harm)
            .filter(move |harm| channel == Channel::Kube || Self::CUTS.contains(harm))
    }

    /// The one who holds the lock: all but the crash follow one another.
    pub fn in_turn(channel: Channel, turn: usize) -> Self {
        let others: Vec<Self> = Self::all(channel).filter(|harm| *harm != Self::Kill).collect();
        others[turn % others.len()]
    }
}

impl fmt::Display for Cut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}/{}", word(&CHANNELS, &self.channel), self.request, word(&HARMS, &self.harm))
    }
}

impl FromStr for Cut {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (request, harm) = text.split_once('/').ok_or("a cut is CHANNEL-NUMBER/HARM")?;
        let (channel, number) = request.split_once('-').ok_or("a request is CHANNEL-NUMBER")?;
        let request = number.parse().map_err(|_| format!("'{number}' is no number"))?;
        Ok(Self { channel: meant(&CHANNELS, channel)?, request, harm: meant(&HARMS, harm)? })
    }
}

impl fmt::Display for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.workflow.name())?;
        for (number, cut) in self.cuts.iter().enumerate() {
            write!(f, "{}{cut}", if number == 0 { '/' } else { '+' })?;
        }
        Ok(())
    }
}

impl FromStr for Case {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (name, cuts) = text.split_once('/').unwrap_or((text, ""));
        let workflow = Workflow::ALL.into_iter().find(|it| it.name() == name);
        let workflow = workflow.ok_or_else(|| format!("there is no workflow '{name}'"))?;
        let cuts = cuts.split('+').filter(|cut| !cut.is_empty()).map(str::parse).collect::<Result<_, _>>()?;
        Ok(Self { workflow, cuts })
    }
}

#[test]
fn a_name_says_it_all() {
    for text in [
        "create",
        "update/kube-2/after",
        "delete/unkey-1/kill+kube-12/before",
        "heir/kube-1/kill+kube-1/kill",
        "adopt/kube-3/404+kube-1/422-causes",
        "adopt/kube-3/silent+kube-1/silent-after",
    ] {
        assert_eq!(text.parse::<Case>().unwrap().to_string(), text);
    }
    for text in [
        "",
        "no",
        "create/kube-2",
        "create/kube/after",
        "create/kube-x/kill",
        "create/dns-1/kill",
        "create/kube-1/maim",
    ] {
        assert!(text.parse::<Case>().is_err(), "{text}");
    }
}
