//! How are many reads, for many slots, answered in one round trip per server?
//!
//! Invariant: a question stays open until its master has answered it, or its patience is over; each
//! has a course of its own, since slots move one by one.
//!
//! Spec: Storage, "one round trip per node", "reads are pipelined on multiplexed ones".

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use redis::{Cmd, cmd};
use tokio::time::sleep;

use super::all::all;
use super::connection::Reply;
use super::course::Course;
use super::node::Node;
use super::package::{ANSWER_LIMIT, LONG_ANSWER_LIMIT};
use super::slot::Slot;
use super::trouble::Trouble;
use super::verdict;

/// Records are up to 1 MiB: what asks for more than so many has more time.
const SHORT_ARGUMENTS: usize = 16;

struct Question<'a> {
    /// Where its reply stands among all.
    place: usize,
    slot: Slot,
    command: Cmd,
    course: Course<'a>,
}

/// Asks until every question is answered; the replies in the order of the requests.
pub(super) async fn read<'a>(
    requests: Vec<(Slot, Cmd)>,
    course: impl Fn() -> Course<'a>,
) -> Result<Vec<Reply>, Trouble> {
    let mut answers = BTreeMap::new();
    let question = |(place, (slot, command))| Question { place, slot, command, course: course() };
    let mut open: Vec<_> = requests.into_iter().enumerate().map(question).collect();
    while !open.is_empty() {
        let mut pause = Duration::ZERO;
        let mut still_open = Vec::new();
        for (node, questions, replies) in ask(group(open).await?).await {
            match replies {
                Err(trouble) => {
                    for mut question in questions {
                        question.course.missed(&node, trouble.clone())?;
                        still_open.push(question);
                    }
                }
                Ok(replies) => {
                    for (mut question, reply) in questions.into_iter().zip(replies) {
                        let error = reply.as_ref().err();
                        let refusal = error.and_then(|e| verdict::refusal(node.address(), e));
                        if let Some(refusal) = refusal {
                            pause = pause.max(question.course.follow(&node, refusal)?);
                            still_open.push(question);
                        } else {
                            answers.insert(question.place, reply);
                        }
                    }
                }
            }
        }
        open = still_open;
        // A sleep of nothing takes a millisecond all the same: the timer rounds up.
        if !pause.is_zero() {
            sleep(pause).await;
        }
    }
    Ok(answers.into_values().collect())
}

type Group<'a> = (Arc<Node>, Vec<Question<'a>>);

/// By the server that each goes to now.
async fn group(open: Vec<Question<'_>>) -> Result<Vec<Group<'_>>, Trouble> {
    let mut groups = BTreeMap::new();
    for mut question in open {
        let node = question.course.next(question.slot).await?;
        let group = groups.entry(node.address().clone());
        let (_, questions) = group.or_insert_with(|| (node, Vec::new()));
        questions.push(question);
    }
    Ok(groups.into_values().collect())
}

type Asked<'a> = (Arc<Node>, Vec<Question<'a>>, Result<Vec<Reply>, Trouble>);

/// All servers at the same time.
async fn ask(groups: Vec<Group<'_>>) -> Vec<Asked<'_>> {
    let asked = all(groups.into_iter().map(|(node, questions)| async move {
        let mut commands = Vec::with_capacity(questions.len());
        let mut places = Vec::with_capacity(questions.len());
        for question in &questions {
            if question.course.is_asking() {
                commands.push(cmd("ASKING"));
            }
            places.push(commands.len());
            commands.push(question.command.clone());
        }
        let replies = node.read(&commands, limit(&commands)).await.map(|replies| {
            let mut places = places.into_iter().peekable();
            let own = replies.into_iter().enumerate();
            let own = own.filter(|(place, _)| places.next_if_eq(place).is_some());
            own.map(|(_, reply)| reply).collect()
        });
        (node, questions, replies)
    }));
    asked.await
}

/// How long a server has for these.
fn limit(commands: &[Cmd]) -> Duration {
    let arguments = |command: &Cmd| command.args_iter().count().saturating_sub(1);
    let all: usize = commands.iter().map(arguments).sum();
    if all > SHORT_ARGUMENTS { LONG_ANSWER_LIMIT } else { ANSWER_LIMIT }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whoever_asks_for_much_waits_for_longer() {
        let of = |keys: usize| {
            let mut command = cmd("MGET");
            command.arg(vec!["key"; keys]);
            command
        };
        assert_eq!(limit(&[of(16)]), ANSWER_LIMIT);
        assert_eq!(limit(&[of(17)]), LONG_ANSWER_LIMIT);
        assert_eq!(limit(&[of(8), of(8), cmd("ASKING")]), ANSWER_LIMIT);
        assert_eq!(limit(&[of(8), of(8), of(1)]), LONG_ANSWER_LIMIT);
    }
}
