//! Paired ratios taken apart: the words of their names, and what their intervals allow to say.

use super::numbers;
use crate::results::{Interval, Ratio, State};

/// A ratio with its name split: `mechanism/scenario/size/vs/reference`.
pub(crate) struct Named<'a> {
    pub(crate) ratio: &'a Ratio,
    pub(crate) mechanism: &'a str,
    pub(crate) scenario: &'a str,
    pub(crate) size: &'a str,
    pub(crate) reference: &'a str,
}

/// What an interval shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Judgement {
    Better,
    Same,
    Worse,
    Unknown,
}

impl<'a> Named<'a> {
    /// A name of another shape is kept whole as the mechanism.
    pub(crate) fn of(ratio: &'a Ratio) -> Self {
        let parts: Vec<&str> = ratio.name.splitn(5, '/').collect();
        match parts.as_slice() {
            [mechanism, scenario, size, "vs", reference] => Self {
                ratio,
                mechanism,
                scenario,
                size,
                reference,
            },
            _ => Self {
                ratio,
                mechanism: &ratio.name,
                scenario: "ratios",
                size: "",
                reference: "",
            },
        }
    }

    /// `pipe 64 B / raw, C`: the state of the machine last, where it can differ.
    pub(crate) fn short(&self) -> String {
        if self.reference.is_empty() {
            return self.mechanism.to_owned();
        }
        let state = match self.ratio.state {
            State::One => String::new(),
            state => format!(", {state:?}"),
        };
        format!(
            "{} {} / {}{state}",
            self.mechanism,
            self.size(),
            self.reference
        )
    }

    /// `4096` is `4 KiB`.
    pub(crate) fn size(&self) -> String {
        self.size
            .parse()
            .map_or_else(|_| self.size.to_owned(), numbers::size)
    }

    pub(crate) fn interval(&self) -> Interval {
        let Ratio {
            value,
            low,
            high,
            n,
            ..
        } = *self.ratio;
        Interval {
            value,
            low,
            high,
            n,
        }
    }

    /// Only an interval that lies wholly on one side of 1 is a difference.
    pub(crate) fn judgement(&self) -> Judgement {
        if !numbers::known(&self.interval()) {
            return Judgement::Unknown;
        }
        let Ratio {
            low,
            high,
            higher_is_better,
            ..
        } = *self.ratio;
        match (low > 1.0, high < 1.0) {
            (true, false) if higher_is_better => Judgement::Better,
            (true, false) => Judgement::Worse,
            (false, true) if higher_is_better => Judgement::Worse,
            (false, true) => Judgement::Better,
            _ => Judgement::Same,
        }
    }
}

impl Judgement {
    pub(crate) fn class(self) -> &'static str {
        match self {
            Self::Better => "better",
            Self::Same | Self::Unknown => "same",
            Self::Worse => "worse",
        }
    }

    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Better => "better",
            Self::Same => "no difference shown",
            Self::Worse => "worse",
            Self::Unknown => "too few slices",
        }
    }

    /// Stands for the word where there is little room, and beside the colour.
    pub(crate) fn sign(self) -> &'static str {
        match self {
            Self::Better => "▲",
            Self::Same => "=",
            Self::Worse => "▼",
            Self::Unknown => "?",
        }
    }
}
