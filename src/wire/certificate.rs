//! When a certificate ends: the one thing of X.509 that the TLS stack checks and does not tell.

use rustls_pki_types::CertificateDer;

const SEQUENCE: u8 = 0x30;
const UTC_TIME: u8 = 0x17;
const GENERALIZED_TIME: u8 = 0x18;
/// `[0] EXPLICIT Version`, which version 1 certificates leave out.
const VERSION: u8 = 0xa0;

/// The earliest end of a chain, in seconds since 1970; `None` as soon as one of them cannot be read.
pub(super) fn first_end(chain: &[CertificateDer<'_>]) -> Option<i64> {
    let ends: Option<Vec<i64>> = chain.iter().map(|one| not_after(one)).collect();
    ends?.into_iter().min()
}

/// `Certificate.tbsCertificate.validity.notAfter` (RFC 5280).
fn not_after(der: &[u8]) -> Option<i64> {
    let (certificate, _) = element(der, SEQUENCE)?;
    let (mut tbs, _) = element(certificate, SEQUENCE)?;
    if tbs.first() == Some(&VERSION) {
        tbs = any(tbs)?.2;
    }
    // Serial number, signature algorithm, issuer.
    for _ in 0..3 {
        tbs = any(tbs)?.2;
    }
    let (validity, _) = element(tbs, SEQUENCE)?;
    let (_, _, rest) = any(validity)?;
    let (tag, text, _) = any(rest)?;
    let text = std::str::from_utf8(text).ok()?;
    let full = match tag {
        // Two digits of the year: 50 to 99 are of the last century.
        UTC_TIME => {
            let century = if text.get(..2)?.parse::<u8>().ok()? < 50 {
                "20"
            } else {
                "19"
            };
            format!("{century}{text}")
        }
        GENERALIZED_TIME => text.to_owned(),
        _ => return None,
    };
    let part = |at: std::ops::Range<usize>| {
        full.get(at)
            .filter(|part| part.bytes().all(|byte| byte.is_ascii_digit()))
    };
    let stamp = format!(
        "{}-{}-{}T{}:{}:{}Z",
        part(0..4)?,
        part(4..6)?,
        part(6..8)?,
        part(8..10)?,
        part(10..12)?,
        part(12..14)?
    );
    let at = humantime::parse_rfc3339(&stamp).ok()?;
    let since = at.duration_since(std::time::UNIX_EPOCH).ok()?;
    i64::try_from(since.as_secs()).ok()
}

/// The content of the first element, which must have this tag, and what follows it.
fn element(der: &[u8], wanted: u8) -> Option<(&[u8], &[u8])> {
    let (tag, content, rest) = any(der)?;
    (tag == wanted).then_some((content, rest))
}

/// Tag, content and rest; lengths are believed as far as there are bytes.
fn any(der: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let (&tag, rest) = der.split_first()?;
    let (&first, rest) = rest.split_first()?;
    let (length, rest) = if first < 0x80 {
        (usize::from(first), rest)
    } else {
        let bytes = usize::from(first & 0x7f);
        if bytes == 0 || bytes > 4 {
            return None;
        }
        let (length, rest) = rest.split_at_checked(bytes)?;
        let length = length
            .iter()
            .fold(0, |sum, byte| sum << 8 | usize::from(*byte));
        (length, rest)
    };
    let (content, rest) = rest.split_at_checked(length)?;
    Some((tag, content, rest))
}

#[cfg(test)]
mod tests {
    use super::*;
    use rcgen::{CertificateParams, KeyPair};

    fn made(year: i32) -> Vec<u8> {
        let mut params = CertificateParams::new(vec!["a.example".to_owned()]).unwrap();
        params.not_after = rcgen::date_time_ymd(year, 3, 4);
        let key = KeyPair::generate().unwrap();
        params.self_signed(&key).unwrap().der().to_vec()
    }

    #[test]
    fn the_end_is_read_from_both_forms_of_time() {
        assert_eq!(not_after(&made(2031)), Some(1_930_348_800));
        assert_eq!(not_after(&made(2061)), Some(2_877_120_000));
    }

    #[test]
    fn a_chain_ends_with_its_first_certificate_to_end_and_is_unknown_with_one_unreadable() {
        let chain = [made(2061), made(2031)].map(CertificateDer::from);
        assert_eq!(first_end(&chain), Some(1_930_348_800));
        let chain =
            [made(2061), vec![0x30, 0x84, 0xff, 0xff, 0xff, 0xff]].map(CertificateDer::from);
        assert_eq!(first_end(&chain), None);
    }

    #[test]
    fn bytes_cut_anywhere_are_no_certificate_and_no_panic() {
        let whole = made(2031);
        for end in 0..whole.len() {
            assert_eq!(not_after(&whole[..end]), None, "cut at {end}");
        }
    }
}
