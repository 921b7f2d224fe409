//! What a client would rather have (RFC 9110 §12.5.1): media ranges with weights.

/// One range of `Accept`, as far as it decides: a type and a subtype, each perhaps `*`, and the weight.
fn range(text: &str) -> Option<(String, String, f64)> {
    let mut parts = text.split(';');
    let (kind, subtype) = parts.next()?.trim().split_once('/')?;
    let weight = parts.filter_map(|part| part.split_once('=')).find(|(name, _)| name.trim().eq_ignore_ascii_case("q"));
    // A weight that is none says nothing.
    let weight = weight.and_then(|(_, value)| value.trim().parse().ok()).filter(|q| (0.0..=1.0).contains(q));
    Some((kind.trim().to_ascii_lowercase(), subtype.trim().to_ascii_lowercase(), weight.unwrap_or(1.0)))
}

/// Which of these media types is wanted most; `None` when none may be sent. Of two that are wanted as much, it is the one whose range
/// is named first, then the one that is offered first; who asks for nothing takes the first.
#[must_use]
pub fn preferred(accept: &str, offered: &[&str]) -> Option<usize> {
    let ranges: Vec<_> = accept.split(',').filter_map(range).collect();
    if ranges.is_empty() && accept.trim().is_empty() {
        return (!offered.is_empty()).then_some(0);
    }
    let mut best: Option<(usize, f64, usize)> = None;
    for (n, (kind, subtype)) in offered.iter().enumerate().filter_map(|(n, name)| Some((n, name.split_once('/')?))) {
        // The range that says most of a type decides about it.
        let specific = |(a, b, _): &(String, String, f64)| match (a.as_str(), b.as_str()) {
            (a, b) if a == kind && b == subtype => 3,
            (a, "*") if a == kind => 2,
            ("*", "*") => 1,
            _ => 0,
        };
        let most = ranges.iter().enumerate().map(|(place, range)| (specific(range), place, range.2));
        let Some((_, place, weight)) = most.filter(|m| m.0 > 0).max_by_key(|m| (m.0, std::cmp::Reverse(m.1))) else {
            continue;
        };
        if weight > 0.0 && best.is_none_or(|(_, q, at)| weight > q || (weight == q && place < at)) {
            best = Some((n, weight, place));
        }
    }
    best.map(|(n, ..)| n)
}

#[cfg(test)]
mod tests {
    use super::*;

    const OFFERED: [&str; 3] = ["application/json", "text/csv", "image/svg+xml"];

    #[test]
    fn the_heaviest_range_wins_and_what_weighs_nothing_is_refused() {
        let wanted = |accept: &str| preferred(accept, &OFFERED).map(|n| OFFERED[n]);
        for (accept, expected) in [
            ("", Some("application/json")),
            ("*/*", Some("application/json")),
            ("text/csv;q=0.5, image/svg+xml", Some("image/svg+xml")),
            ("text/csv;q=0, application/json", Some("application/json")),
            ("application/json;q=0", None),
            ("application/json;q=0, */*;q=0.1", Some("text/csv")),
            ("*/*;q=0.1, text/*;q=0.2", Some("text/csv")),
            ("image/*, application/json", Some("image/svg+xml")),
            ("Text/CSV; header=present; Q=0.9, */*;q=0.8", Some("text/csv")),
            ("text/html, application/xhtml+xml, */*;q=0.8", Some("application/json")),
            ("application/json;q=2, text/csv;q=0.9", Some("application/json")),
            ("application/pdf", None),
            ("nonsense", None),
        ] {
            assert_eq!(wanted(accept), expected, "{accept}");
        }
    }
}
