//! Columns as kubectl lays them out. It knows none of them.

use std::borrow::Cow;

use crate::text::printable;

/// Characters of a text of somebody else's that are shown; JSON has all of them.
pub const SHOWN: usize = 255;
/// From one column to the next.
const GAP: usize = 3;
/// Units of an age: seconds in one, and from how many of them on it is told in this unit.
const UNITS: [(i64, i64, char); 4] = [(86_400, 2, 'd'), (3_600, 2, 'h'), (60, 2, 'm'), (1, 0, 's')];

/// A table with a head, a line end behind each line. What is empty is shown as `-`.
pub fn table<const N: usize>(head: [&str; N], rows: &[[String; N]]) -> String {
    let mut widths = head.map(width);
    for row in rows {
        for (widest, cell) in widths.iter_mut().zip(row) {
            *widest = (*widest).max(width(&shown(cell)));
        }
    }
    let line = |cells: [Cow<'_, str>; N]| {
        let padded = cells.iter().zip(widths).map(|(cell, widest)| {
            let room = widest + GAP - width(cell);
            format!("{cell}{}", " ".repeat(room))
        });
        format!("{}\n", padded.collect::<String>().trim_end())
    };
    let body = rows.iter().map(|row| line(std::array::from_fn(|at| shown(&row[at]))));
    std::iter::once(line(head.map(Cow::Borrowed))).chain(body).collect()
}

fn width(cell: &str) -> usize {
    cell.chars().count()
}

fn shown(cell: &str) -> Cow<'_, str> {
    if cell.is_empty() { Cow::Borrowed("-") } else { Cow::Owned(printable(cell, SHOWN)) }
}

/// How old something is that was made at `born`, both in seconds since 1970: `90s`, `5m`, `3h`, `12d`.
pub fn age(born: i64, now: i64) -> String {
    let seconds = now.saturating_sub(born).max(0);
    let (unit, _, letter) = UNITS.into_iter().find(|(unit, from, _)| seconds >= unit * from).unwrap_or((1, 0, 's'));
    format!("{}{letter}", seconds / unit)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_moves_the_cursor_is_shown_and_not_done() {
        assert_eq!(table(["A"], &[["x\u{1b}[2Jy".to_owned()]]), "A\nx\\u{1b}[2Jy\n");
    }

    #[test]
    fn columns_stand_below_each_other() {
        let row = |a: &str, b: &str| [a.to_owned(), b.to_owned()];
        let text = table(["NAME", "STATE"], &[row("a", ""), row("longer-é", "held")]);
        assert_eq!(text, "NAME       STATE\na          -\nlonger-é   held\n");
        assert_eq!(table(["NAME", "STATE"], &[]), "NAME   STATE\n");
    }

    #[test]
    fn an_age_is_told_in_one_unit() {
        let rows = [(0, "0s"), (119, "119s"), (120, "2m"), (7_199, "119m"), (7_200, "2h"), (172_800, "2d"), (-5, "0s")];
        for (seconds, expected) in rows {
            assert_eq!(age(100, 100 + seconds), expected);
        }
    }
}
