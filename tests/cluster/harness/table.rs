//! The tables that kubectl prints.

/// A table, header first, split where the header's columns begin.
pub fn table(text: &str) -> Vec<Vec<String>> {
    let header = text.lines().next().unwrap();
    let begins = |at: usize| at == 0 || header.as_bytes()[at - 1] == b' ';
    let starts: Vec<usize> = header.match_indices(|c| c != ' ').map(|(at, _)| at).filter(|at| begins(*at)).collect();
    let cells = |line: &str| -> Vec<String> {
        let ends = starts[1..].iter().copied().chain([line.len()]);
        starts
            .iter()
            .zip(ends)
            .map(|(from, to)| line[(*from).min(line.len())..to.min(line.len())].trim().to_owned())
            .collect()
    };
    text.lines().map(cells).collect()
}
