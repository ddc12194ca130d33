//! How a show is printed. May not run anything.

use std::io::IsTerminal;

/// One line of what is going on.
pub fn say(line: &str) {
    println!("{} {line}", styled("36", "==>"));
}

/// A command as the user would type it; what is shown.
pub fn command(program: &str, args: &[&str]) -> String {
    let shown = format!("{program} {}", args.iter().map(|arg| quoted(arg)).collect::<Vec<_>>().join(" "));
    println!("\n{}", styled("1", &format!("$ {shown}")));
    shown
}

/// With an ANSI style, if somebody is watching.
fn styled(style: &str, text: &str) -> String {
    if std::io::stdout().is_terminal() { format!("\x1b[{style}m{text}\x1b[0m") } else { text.to_owned() }
}

fn quoted(arg: &str) -> String {
    let plain = arg.chars().all(|c| c.is_ascii_alphanumeric() || "-_=./:,@".contains(c));
    if plain { arg.to_owned() } else { format!("'{arg}'") }
}
