//! Judges whole sequences: nothing missing, nothing out of order but where something is read again, and that counted.

/// What came of a sequence.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Judged {
    /// What was given and never came.
    pub lost: Vec<u64>,
    /// Records that came again.
    pub again: u64,
    /// Places at which something before came next.
    pub jumps: u64,
}

/// What one reader was given, against what it should have been given, both of one partition. A reader may go back to a place that it has
/// been at, and from there has to go on without a gap; it may never go further than one step ahead.
pub fn judge(given: &[u64], expected: &[u64]) -> Result<Judged, String> {
    let mut judged = Judged::default();
    // The place of the next one, and of the first that never came.
    let (mut next, mut furthest) = (0, 0);
    for (at, number) in given.iter().enumerate() {
        if expected.get(next) != Some(number) {
            // Back to where this one stands; of several that are alike, to the last before.
            let back = expected[..next.min(expected.len())]
                .iter()
                .rposition(|before| before == number);
            let Some(back) = back else {
                return Err(format!(
                    "{number} came at place {at}, where {:?} was next",
                    expected.get(next)
                ));
            };
            judged.jumps += 1;
            next = back;
        }
        if next < furthest {
            judged.again += 1;
        }
        next += 1;
        furthest = furthest.max(next);
    }
    judged.lost = expected[furthest..].to_vec();
    Ok(judged)
}

#[test]
fn what_is_lost_read_again_or_out_of_order_is_told_apart() {
    let judged = |given: &[u64]| judge(given, &[0, 1, 2, 3, 4, 5]);
    assert_eq!(judged(&[0, 1, 2, 3, 4, 5]), Ok(Judged::default()));
    let again = judged(&[0, 1, 2, 1, 2, 3, 4, 5]).unwrap();
    assert_eq!((again.again, again.jumps, again.lost.len()), (2, 1, 0));
    let lost = judged(&[0, 1, 2]).unwrap();
    assert_eq!(lost.lost, [3, 4, 5]);
    // A gap, an unknown one, and one that is gone over after a jump.
    for wrong in [&[0, 1, 3][..], &[0, 9], &[0, 1, 2, 0, 2]] {
        assert!(judged(wrong).is_err(), "{wrong:?}");
    }
}
