//! The name that is meant where there is none of the one that was given.

/// The name that is most alike to the one that was given, in any case, with hyphens or underscores, if any is alike
/// enough to be meant.
#[must_use]
pub fn nearest<'a>(given: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    /// As the command's own parser has it.
    const ALIKE: f64 = 0.7;
    let given = normal(given);
    // A name of one letter is like every name with that letter.
    let known = known
        .into_iter()
        .filter(|name| 2 * name.len() > given.len() && 2 * given.len() > name.len());
    let likeness = known.map(|name| (strsim::jaro(&given, &normal(name)), name));
    let alike = likeness.filter(|(likeness, _)| *likeness > ALIKE);
    let nearest = alike.max_by(|(a, _), (b, _)| a.total_cmp(b));
    nearest.map(|(_, name)| name)
}

/// What an error says at its end of the name that is meant: `; did you mean "origin"?`, or nothing.
pub fn suggestion<'a>(given: &str, known: impl IntoIterator<Item = &'a str>) -> String {
    nearest(given, known)
        .map(|meant| format!("; did you mean {meant:?}?"))
        .unwrap_or_default()
}

fn normal(name: &str) -> String {
    name.to_lowercase().replace('-', "_")
}
