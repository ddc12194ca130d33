//! What is done to one object: how it begins, the changes of its spec, how it ends. A function of the seed and the chain's number alone, so
//! that one chain can be run again without the others.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use super::dice::Dice;
use super::values::{Case, Fate, nudged_limits, nudged_meta, random_limits, random_meta};

/// Changes that are dealt to every chain; more may follow.
pub const DEALT: usize = 3;
/// One round in so many has the heavy cases.
const LIGHT_ROUNDS: usize = 5;

/// A spec: the cases that its properties hold. What is left out is not in it.
pub type Spec = BTreeMap<String, Held>;

/// A property's value in a spec.
#[derive(Clone)]
pub struct Held {
    /// JSON text.
    pub text: Arc<str>,
    /// What has to become of a spec that has it.
    pub fate: Fate,
}

/// One change.
pub struct Step {
    /// What is set. Mostly one.
    pub cases: Vec<Case>,
    /// Whether the spec before is put back at once.
    pub reverts: bool,
}

/// All that is done to one object.
pub struct Chain {
    /// Its number.
    pub number: usize,
    /// The case that its externalId is; if that is refused, the object gets another one.
    pub external_id: Case,
    /// What another client had made under the externalId, as meta and rate limits.
    pub prior: Option<[String; 2]>,
    /// Cases of the spec at the beginning, without externalId.
    pub start: Vec<Case>,
    /// The changes.
    pub steps: Vec<Step>,
    /// Whether it is deleted as it stands, be it stalled.
    pub deleted_as_it_is: bool,
}

/// What chains are made of.
pub struct Deck {
    seed: u64,
    names: Vec<Case>,
    full: Vec<Case>,
    light: Vec<Case>,
}

impl Deck {
    /// All cases of a campaign.
    pub fn new(seed: u64, cases: &[Case]) -> Self {
        let names = cases.iter().filter(|case| case.property == "externalId").cloned().collect();
        let light = cases.iter().filter(|case| !case.heavy).cloned().collect();
        Self { seed, names, full: cases.to_vec(), light }
    }

    /// Chains after which every case has been dealt.
    pub fn enough(&self) -> usize {
        self.full.len().div_ceil(DEALT).max(self.names.len())
    }

    /// The card at that place of an endless row in which every case comes, in turns and in no order.
    fn card(&self, place: usize) -> &Case {
        let turn = self.full.len() + LIGHT_ROUNDS * self.light.len();
        let (turns, mut place) = (place / turn, place % turn);
        let mut round = turns * (LIGHT_ROUNDS + 1);
        let mut cards = &self.full;
        while place >= cards.len() {
            place -= cards.len();
            cards = &self.light;
            round += 1;
        }
        shuffled(cards, self.seed, round, place)
    }

    /// The chain of that number.
    pub fn chain(&self, number: usize) -> Chain {
        let mut dice = Dice::new(self.seed, u64::try_from(number).unwrap());
        let dice = &mut dice;
        let external_id =
            shuffled(&self.names, !self.seed, number / self.names.len(), number % self.names.len()).clone();
        let start = self.start(dice);
        let prior = dice.one_in(4).then(|| prior(&start, dice));
        let mut steps: Vec<Step> =
            (0..DEALT).map(|at| self.step(self.card(number * DEALT + at).clone(), dice)).collect();
        for _ in 0..dice.below(3) {
            let case = dice.pick(&self.light);
            steps.push(self.step(case, dice));
        }
        dice.shuffle(&mut steps);
        let steps = nudged(&start, steps, number, dice);
        Chain { number, external_id, prior, start, steps, deleted_as_it_is: dice.one_in(2) }
    }

    /// A change, at times together with a second one.
    fn step(&self, case: Case, dice: &mut Dice) -> Step {
        let reverts = case.heavy || dice.one_in(2);
        let mut cases = vec![case];
        if dice.one_in(4) {
            let second = self.sound(dice);
            if second.property != cases[0].property {
                cases.push(second);
            }
        }
        Step { cases, reverts }
    }

    /// A change that is taken; a third of the listed ones is not about content, which has most of the cases.
    fn sound(&self, dice: &mut Dice) -> Case {
        let few = dice.one_in(3);
        match dice.below(5) {
            0 => Case::some("meta", "something", random_meta(dice)),
            1 => Case::some("ratelimits", "something", random_limits(dice)),
            _ => loop {
                let case = dice.pick(&self.light);
                let content = matches!(case.property.as_str(), "meta" | "ratelimits");
                if case.fate == Fate::Taken && case.property != "externalId" && !(few && content) {
                    return case;
                }
            },
        }
    }

    fn start(&self, dice: &mut Dice) -> Vec<Case> {
        (0..dice.below(5)).map(|_| self.sound(dice)).collect()
    }
}

/// Puts a change of a single value behind the start and, at times, behind a step.
fn nudged(start: &[Case], steps: Vec<Step>, chain: usize, dice: &mut Dice) -> Vec<Step> {
    let mut spec = set(&Spec::new(), start, chain);
    let mut all = Vec::new();
    for step in steps {
        if all.is_empty() || dice.one_in(3) {
            let property = dice.pick(&["meta", "ratelimits"]);
            let nudge = if property == "meta" { nudged_meta } else { nudged_limits };
            let sound = spec.get(property).filter(|held| held.fate == Fate::Taken && &*held.text != "null");
            if let Some(text) = sound.and_then(|held| nudge(&held.text, dice)) {
                let cases = vec![Case::some(property, "one value changed", text)];
                spec = set(&spec, &cases, chain);
                all.push(Step { cases, reverts: false });
            }
        }
        let refused = step.cases.iter().any(|case| case.fate == Fate::Refused || case.property == "externalId");
        if !refused && !step.reverts {
            spec = set(&spec, &step.cases, chain);
        }
        all.push(step);
    }
    all
}

fn shuffled(cards: &[Case], seed: u64, round: usize, place: usize) -> &Case {
    let mut order: Vec<usize> = (0..cards.len()).collect();
    Dice::new(seed ^ 0x005e_ed0f_dec4, u64::try_from(round).unwrap()).shuffle(&mut order);
    &cards[order[place]]
}

/// Nothing, what the spec asks for, or something else.
fn prior(start: &[Case], dice: &mut Dice) -> [String; 2] {
    let wanted = |property: &str, empty: &str| {
        let case = start.iter().rev().find(|case| case.property == property);
        case.and_then(|case| case.text(0))
            .filter(|text| &**text != "null")
            .map_or(empty.into(), |text| text.to_string())
    };
    match dice.below(3) {
        0 => ["{}".into(), "[]".into()],
        1 => [wanted("meta", "{}"), wanted("ratelimits", "[]")],
        _ => [random_meta(dice), random_limits(dice)],
    }
}

/// A spec with these cases set.
pub fn set(spec: &Spec, cases: &[Case], chain: usize) -> Spec {
    let mut spec = spec.clone();
    for case in cases {
        match case.text(chain) {
            Some(text) => spec.insert(case.property.clone(), Held { text, fate: case.fate }),
            None => spec.remove(&case.property),
        };
    }
    spec
}

/// A spec as JSON text.
pub fn json(spec: &Spec) -> String {
    let all: Vec<String> = spec.iter().map(|(property, held)| format!("\"{property}\":{}", held.text)).collect();
    format!("{{{}}}", all.join(","))
}

/// Text short enough to read.
pub fn short(text: &str) -> String {
    let escaped: String = text.chars().take(160).flat_map(char::escape_debug).collect();
    if text.chars().nth(160).is_some() { format!("{escaped}… ({} bytes)", text.len()) } else { escaped }
}

impl fmt::Display for Chain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let show = |case: &Case| {
            let text = case.text(self.number);
            format!("{case} = {}", text.map_or("nothing".to_owned(), |text| short(&text)))
        };
        if let Some([meta, limits]) = &self.prior {
            writeln!(f, "  in Unkey before: meta {}, ratelimits {}", short(meta), short(limits))?;
        }
        writeln!(f, "  start with {}", show(&self.external_id))?;
        for case in &self.start {
            writeln!(f, "         and {}", show(case))?;
        }
        for (at, step) in self.steps.iter().enumerate() {
            let cases: Vec<String> = step.cases.iter().map(show).collect();
            let back = if step.reverts { ", and back" } else { "" };
            writeln!(f, "  step {at}: {}{back}", cases.join(" and "))?;
        }
        let end = if self.deleted_as_it_is { "deleted as it is" } else { "set right, then deleted" };
        write!(f, "  {end}")
    }
}
