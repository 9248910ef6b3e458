//! Does a list end? Pages are asked for as long as the server names another one, and no longer than any list is.
//!
//! A server that names a page again, that names ever new ones and gives nothing, or that goes on beyond any
//! list, is refused: a command that never ends says nothing, and one that is silently cut short lies. Only of
//! events there may be any number.
//!
//! Spec: HTTP API, "Pages".

use crate::exit::Failure;

/// The most pages of one list, but of events.
const MOST_PAGES: u64 = 100_000;

/// Where a list is.
pub(crate) struct Pages {
    asked: u64,
    /// Pages without anything, one after another.
    empty: u64,
    most_empty: u64,
    most: u64,
    /// The token of an earlier page: each time their number has doubled, the last one. A circle of any length
    /// comes back to it.
    marked: Option<String>,
}

impl Pages {
    /// Of a list whose pages all hold something, but for a few.
    pub(crate) fn of_list() -> Self {
        Self::of(100, MOST_PAGES)
    }

    /// Of a list that is read through a filter: of ten million events none may be of the action.
    pub(crate) fn of_events() -> Self {
        Self::of(10_000, u64::MAX)
    }

    fn of(most_empty: u64, most: u64) -> Self {
        Self { asked: 0, empty: 0, most_empty, most, marked: None }
    }

    /// Takes what a page said, how much it held and the token of the next one, and gives the token back.
    ///
    /// Errors: exit code 1 where this is no list that ends.
    pub(crate) fn next(
        &mut self,
        held: usize,
        token: Option<String>,
    ) -> Result<Option<String>, Failure> {
        self.asked += 1;
        self.empty = if held == 0 { self.empty + 1 } else { 0 };
        if token.is_none() {
            return Ok(None);
        }
        if token == self.marked {
            return Err(endless("the server names a page of it again"));
        }
        if self.empty >= self.most_empty {
            return Err(endless(&format!("{} pages one after another are empty", self.empty)));
        }
        if self.asked >= self.most {
            return Err(endless(&format!("{} pages are not all of it", self.most)));
        }
        if self.asked.is_power_of_two() {
            self.marked.clone_from(&token);
        }
        Ok(token)
    }
}

fn endless(why: &str) -> Failure {
    Failure::refused(format!("the list does not end: {why}"))
        .next("check that the address is that of a Tikti server, and what stands before it")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What ends a list of pages that hold so much each and whose tokens are made from their numbers, and after
    /// how many pages.
    fn ends(mut pages: Pages, held: usize, token: impl Fn(u64) -> String) -> (u64, String) {
        for number in 1.. {
            if let Err(failure) = pages.next(held, Some(token(number))) {
                return (number, failure.message);
            }
        }
        unreachable!()
    }

    #[test]
    fn a_list_that_ends_is_read_to_its_end() {
        let mut pages = Pages::of_list();
        for number in 0..5_000 {
            // Empty ones in between are no end.
            let held = usize::from(number % 90 == 0);
            let token = Some(number.to_string());
            assert_eq!(pages.next(held, token.clone()).unwrap(), token);
        }
        assert_eq!(pages.next(0, None).unwrap(), None);
    }

    #[test]
    fn of_events_there_may_be_any_number() {
        let mut pages = Pages::of_events();
        for number in 0..3 * MOST_PAGES {
            assert!(pages.next(200, Some(number.to_string())).is_ok(), "{number}");
        }
    }

    #[test]
    fn a_server_that_goes_round_in_a_circle_is_refused() {
        for (circle, most) in [(1, 2), (2, 4), (3, 8), (1_000, 3_000)] {
            let (number, message) =
                ends(Pages::of_list(), 1, |number| (number % circle).to_string());
            assert!(number <= most, "{circle}: {number}");
            assert!(message.ends_with("the server names a page of it again"), "{message}");
        }
    }

    #[test]
    fn a_server_that_never_ends_is_refused() {
        let ever_new = |number: u64| number.to_string();
        let (number, message) = ends(Pages::of_list(), 0, ever_new);
        assert_eq!(
            (number, message.contains("100 pages one after another are empty")),
            (100, true)
        );
        assert_eq!(ends(Pages::of_events(), 0, ever_new).0, 10_000);
        let (number, message) = ends(Pages::of_list(), 200, ever_new);
        assert_eq!((number, message.contains("are not all of it")), (MOST_PAGES, true));
    }
}
