//! In which order all applications move: who reads comes before who writes it.
//!
//! Then every record goes one way only: what is written on the side that is left is read on the other through its copies, and nothing that is
//! written on the new side is needed on the old one. Any other order works too while both directions are copied; this one rests on it least.

use crate::model::application::Application;

/// Applications in waves, each by its place in the file; those of one wave do not depend on each other. Circles are cut at the first of the file.
pub fn waves(applications: &[Application], topics: &[String]) -> Vec<Vec<usize>> {
    let feeds = |writer: &Application, reader: &Application| {
        let mut topics = topics.iter();
        topics.any(|topic| writer.writes.matches(topic) && reader.reads.matches(topic))
    };
    let mut left: Vec<usize> = (0..applications.len()).collect();
    let mut waves = Vec::new();
    while !left.is_empty() {
        let is_free = |one: &usize| {
            let mut others = left.iter().filter(|other| *other != one);
            !others.any(|other| feeds(&applications[*one], &applications[*other]))
        };
        let mut wave: Vec<usize> = left.iter().copied().filter(is_free).collect();
        if wave.is_empty() {
            wave.push(left[0]);
        }
        left.retain(|one| !wave.contains(one));
        waves.push(wave);
    }
    waves
}

/// Topics that an application writes and others write, too.
pub fn shared(
    application: &Application,
    applications: &[Application],
    topics: &[String],
) -> Vec<String> {
    let others = |topic: &String| {
        let mut others = applications
            .iter()
            .filter(|other| other.name != application.name);
        others.any(|other| other.writes.matches(topic))
    };
    let writes = topics
        .iter()
        .filter(|topic| application.writes.matches(topic));
    writes.filter(|topic| others(topic)).cloned().collect()
}

/// Topics in scope that no application of the file writes.
pub fn unclaimed(applications: &[Application], topics: &[String]) -> Vec<String> {
    let is_claimed = |topic: &&String| applications.iter().any(|one| one.writes.matches(topic));
    topics
        .iter()
        .filter(|topic| !is_claimed(topic))
        .cloned()
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::patterns::Patterns;

    fn application(name: &str, reads: &[&str], writes: &[&str]) -> Application {
        let patterns = |texts: &[&str]| {
            let texts: Vec<String> = texts.iter().map(ToString::to_string).collect();
            Patterns::of(&texts).unwrap()
        };
        Application {
            name: name.into(),
            reads: patterns(reads),
            writes: patterns(writes),
            ..Application::default()
        }
    }

    fn topics() -> Vec<String> {
        ["orders", "order_status", "payments"]
            .map(String::from)
            .into()
    }

    #[test]
    fn readers_move_before_those_who_write_what_they_read() {
        let all = [
            application("orders", &[], &["orders"]),
            application("order-status", &["orders"], &["order_status"]),
            application("customer-notification", &["order_status"], &[]),
            application("billing", &["orders"], &["payments"]),
        ];
        assert_eq!(waves(&all, &topics()), [vec![2, 3], vec![1], vec![0]]);
        assert_eq!(waves(&[], &topics()), Vec::<Vec<usize>>::new());
    }

    #[test]
    fn a_circle_is_cut_and_who_reads_its_own_topics_waits_for_nobody() {
        let all = [
            application("a", &["orders"], &["order_status"]),
            application("b", &["order_status"], &["orders"]),
            application("c", &["payments"], &["payments"]),
        ];
        assert_eq!(waves(&all, &topics()), [vec![2], vec![0], vec![1]]);
    }

    #[test]
    fn what_others_write_too_is_shared_and_what_nobody_writes_is_unclaimed() {
        let all = [
            application("a", &[], &["order*"]),
            application("b", &[], &["order_status"]),
        ];
        assert_eq!(shared(&all[0], &all, &topics()), ["order_status"]);
        assert_eq!(shared(&all[1], &all, &topics()), ["order_status"]);
        assert_eq!(unclaimed(&all, &topics()), ["payments"]);
    }
}
