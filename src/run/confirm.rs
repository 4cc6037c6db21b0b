//! Typed names: what is asked before something is lost, and how scripts answer.

use crate::{error::Failure, exit::Exit};

/// What a command asks for before it goes on.
#[derive(Debug, Clone, Copy)]
pub struct Question<'a> {
    /// The migration's name: the answer.
    pub name: &'a str,
    /// What is lost, in a sentence.
    pub warning: &'a str,
    /// Who asks: the command, or its flag.
    pub asker: &'a str,
    /// The whole command as it was given.
    pub line: &'a str,
}

/// Goes on only with the migration's name: given with `--confirm`, or typed. `ask` puts the question to a person, and answers
/// nothing where nobody is there.
pub fn typed_name(
    question: &Question<'_>,
    given: Option<&str>,
    ask: impl FnOnce(&Question<'_>) -> Option<String>,
) -> Result<(), Failure> {
    let Question {
        name,
        warning,
        asker,
        line,
    } = *question;
    let typed = match given {
        Some(given) => given.to_owned(),
        None => ask(question).ok_or_else(|| {
            Failure::new(
                Exit::Attention,
                "K006",
                format!("{asker} asks for the migration's name, and nobody is there to type it"),
            )
            .cause(warning)
            .next(format!("{line} --confirm {name}"))
        })?,
    };
    if typed.trim() == name {
        return Ok(());
    }
    Err(Failure::new(
        Exit::Usage,
        "K007",
        format!("the name given is not this migration's, which is {name}: nothing was changed"),
    )
    .cause(warning)
    .next("kafka-migrate status"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const QUESTION: Question<'_> = Question {
        name: "orders",
        warning: "everything is deleted",
        asker: "--recopy",
        line: "kafka-migrate replicate --recopy orders",
    };

    #[test]
    fn only_the_name_goes_on_and_a_given_one_is_not_asked_for() {
        let nobody = |_: &Question<'_>| -> Option<String> { panic!("it was given") };
        typed_name(&QUESTION, Some("orders"), nobody).unwrap();
        typed_name(&QUESTION, None, |_| Some("orders\n".into())).unwrap();
        for wrong in ["order", "", "yes", "y", "ORDERS"] {
            let typed = typed_name(&QUESTION, None, |_| Some(wrong.into())).unwrap_err();
            let given = typed_name(&QUESTION, Some(wrong), nobody).unwrap_err();
            assert_eq!((typed.exit, typed.code), (Exit::Usage, "K007"));
            assert_eq!((given.exit, given.code), (Exit::Usage, "K007"));
        }
    }

    #[test]
    fn where_nobody_is_there_the_command_to_run_is_named() {
        let failure = typed_name(&QUESTION, None, |_| None).unwrap_err();
        assert_eq!((failure.exit, failure.code), (Exit::Attention, "K006"));
        assert_eq!(failure.causes, ["everything is deleted"]);
        assert_eq!(
            failure.next.as_deref(),
            Some("kafka-migrate replicate --recopy orders --confirm orders")
        );
    }
}
